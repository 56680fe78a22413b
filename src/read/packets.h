/* A file of packets, of any program, in steps: what is in it and what is wrong with it. Nothing in it is trusted. */
#ifndef TARCAP_PACKETS_H
#define TARCAP_PACKETS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "format/pcap_read.h"
#include "read/defects.h"
#include "read/input.h"

#define PACKETS_BUFFER ((size_t)128 << 10)

struct packets_setup {
	struct input *input; /* the caller's: it has been looked at */
	size_t slice;	     /* bytes that a step takes at most, up to PACKETS_BUFFER; 0: that */
	void *context;	     /* the caller's, for these: */

	/* Packets of an interface may come from here on. */
	void (*interface)(void *context, const struct pcap_read *records);

	/* A packet; its data is valid until the next call of this or of gone, longer where it is not fleeting. */
	void (*packet)(void *context, const struct pcap_read *records, struct packet *packet);
	void (*gone)(void *context); /* the data of all packets is gone; or NULL */
};

struct packets {
	struct packets_setup setup;
	uint64_t count; /* of packets that came */
	struct defects defects;
	struct pcap_read records;
	unsigned char buffer[PACKETS_BUFFER];
};

/* NULL when there is no memory. */
struct packets *packets_open(const struct packets_setup *setup, struct err *err);
void packets_close(struct packets *packets);

/* Whether there is more; false with *err set when it cannot be read. */
bool packets_step(struct packets *packets, struct err *err);

/* It is over: what is missing or wrong is in its defects. */
void packets_finish(struct packets *packets);

#endif
