/*
 * Sequence numbers that have been passed over: whether what comes later was lost before it got here, or has been here
 * already. A pool of fixed size for all connections; the oldest give their place.
 */
#ifndef TARCAP_HOLES_H
#define TARCAP_HOLES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/sizes.h"

#define HOLES_MAX TABLE_OF(8192)

struct hole {
	uint32_t from, to;	/* the first sequence number that is missing, and the first that is there */
	uint64_t time;		/* ns: of the packet behind it */
	uint16_t before, after; /* IP's id of the packet in front of it, and behind it */
	uint32_t owner;		/* 0: nobody's any more */
	uint32_t next;		/* in its chain: place + 1 */
};

struct holes;

struct holes *holes_open(struct err *err);
void holes_close(struct holes *holes);

/* owner: any number but 0, of one direction of one connection. */
void holes_add(struct holes *holes, const struct hole *hole);

/*
 * Is some of [from, to) in a hole? Then that is what *found says, as it was, and it is less from here on: what is on
 * both sides of it stays missing.
 */
bool holes_fill(struct holes *holes, uint32_t owner, uint32_t from, uint32_t to, struct hole *found);

#endif
