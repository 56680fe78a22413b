/* The way out, as far as the reader lets it: what comes of an attempt to send. */
#ifndef TARCAP_SENDING_H
#define TARCAP_SENDING_H

#include <stdbool.h>
#include <stdint.h>

struct run;

struct sending {
	bool waits;	   /* for the reader */
	bool compressing;  /* there is more to do at once */
	bool held_up;	   /* what is read, of an interface at least */
	uint64_t tried_at; /* boot time */
};

/* Send what the reader takes now, and note whether it holds up what is read. */
void sending_advance(struct run *run);

#endif
