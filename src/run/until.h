/* What --until waits for, while a capture runs: its coming is said, and sets the end. */
#ifndef TARCAP_UNTIL_H
#define TARCAP_UNTIL_H

#include <stdbool.h>
#include <stdint.h>

struct run;

/* Boot time; ns. */
struct waiting {
	bool said;	    /* the event is known, and has set the end */
	int silence;	    /* which of options->until; -1: none */
	uint64_t packets;   /* that had come, of all interfaces, when it was looked last */
	uint64_t silent_at; /* when it will have been silent for long enough; 0: no packet has come, or that is known */
};

/* When the capture has begun. */
void until_begin(struct run *run);

/* Packets have been read, or time has gone by. */
void until_look(struct run *run);

/* When to look for silence; 0: never. */
uint64_t until_due(const struct run *run);

#endif
