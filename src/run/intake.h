/* Packets out of the rings into segments: whose turn it is, how many, and when none are read. */
#ifndef TARCAP_INTAKE_H
#define TARCAP_INTAKE_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "capture/capture_set.h"

struct run;
struct feedback;

struct intake {
	struct feedback *guard; /* NULL: the archive cannot come back as packets, or shall not be asked */
	bool held;		/* by the guard: nothing is sent or read */
	bool listed;		/* the list is polled, or nothing while they rest */
	bool reading_file;	/* we are inside a read of the file, which has nothing at the moment */
	bool unread;		/* a ring may have more than was read of it */
	bool some_left;		/* so it is of one at the end of this turn */
	uint64_t most_read;	/* bytes from one interface in this turn, where there are many */
	uint64_t busy_at;	/* boot time when an interface brought much */
	uint64_t rest_until;	/* the same */
	uint64_t ring_least;
	uint64_t leave_until; /* boot time */
	uint64_t left;	      /* bytes in the ring when it was decided to leave them there; 0: it was not */
};

/* When the capture has begun. */
void intake_begin(struct run *run);

/* Room for one more packet is there, or can be made, and it may be read now. */
bool intake_wants(const struct run *run, const struct interface *interface);
bool intake_wants_any(const struct run *run);

/* Before packets are read in a turn: cut the files that are due. */
void intake_cut(struct run *run);

/*
 * What is to be polled for packets: an entry for each interface, or one for the list of those that have some (ready.h).
 * Returns how many. Then intake_take_all() reads, by what poll said of them.
 */
nfds_t intake_poll(struct run *run, struct pollfd *packets);
void intake_take_all(struct run *run, const struct pollfd *packets);

/* After all interfaces had their turn. */
void intake_rest(struct run *run);

/* After each attempt to send: may what comes be left in the ring for a while? */
void intake_leave(struct run *run);

/* See how an interface is; the last that goes ends the capture. */
void intake_look_at(struct run *run, struct interface *interface);

/* Is it time to see whether the archive comes back? Then do. */
void intake_guard(struct run *run);

/* The clock that files are cut by: boot time, or the packets' of a file. */
uint64_t intake_clock(const struct run *run);

/* When intake has to be looked at for itself; 0: never. */
uint64_t intake_due(const struct run *run);

#endif
