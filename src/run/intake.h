/* Packets out of the rings into segments: whose turn it is, how many, and when none are read. */
#ifndef TARCAP_INTAKE_H
#define TARCAP_INTAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "capture/capture_set.h"

struct run;
struct feedback;

struct intake {
	struct feedback *guard; /* NULL: the archive cannot come back as packets, or shall not be asked */
	bool held;		/* by the guard: nothing is sent or read */
	bool reading_file;	/* we are inside a read of the file, which has nothing at the moment */
	uint64_t most_read;	/* bytes from one interface in this turn */
	uint64_t rest_until;	/* boot time */
	uint64_t ring_least;
};

/* When the capture has begun. */
void intake_begin(struct run *run);

/* Room for one more packet is there, or can be made, and it may be read now. */
bool intake_wants(const struct run *run, const struct interface *interface);
bool intake_wants_any(const struct run *run);

/* Before packets are read in a turn: cut the files that are due. */
void intake_cut(struct run *run);

/* What poll said of an interface (nothing for a file). */
void intake_take(struct run *run, struct interface *interface, short events);

/* After all interfaces had their turn. */
void intake_rest(struct run *run);

/* See how an interface is; the last that goes ends the capture. */
void intake_look_at(struct run *run, struct interface *interface);

/* Is it time to see whether the archive comes back? Then do. */
void intake_guard(struct run *run);

/* The clock that files are cut by: boot time, or the packets' of a file. */
uint64_t intake_clock(const struct run *run);

/* When intake has to be looked at for itself; 0: never. */
uint64_t intake_due(const struct run *run);

#endif
