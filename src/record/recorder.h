/*
 * The recorder: sealed segments are compressed, a slice in each turn of the loop, and stored in the area, where the
 * oldest are overwritten. Once the end has begun and everything is stored, they go out as any sealed segments do.
 */
#ifndef TARCAP_RECORDER_H
#define TARCAP_RECORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "archive/compress.h"
#include "archive/deliver.h"
#include "base/err.h"
#include "capture/capture_set.h"
#include "capture/segments.h"
#include "record/area.h"

struct recorder {
	struct area area;
	struct capture_set *captures;
	struct segments *segments;
	struct compress *compress; /* NULL: stored as they are */
	struct segment *next;	   /* taken, and being compressed */
	uint64_t keep;		   /* ns; what is older is wiped; 0: nothing is */
	uint64_t max_bytes;	   /* of packet records; what is above is left out, oldest first; 0: none */
	uint64_t held_bytes;	   /* of packet records, stored */
	pid_t askers[AREA_ASKERS]; /* who asked to seal, and is to be answered */
	unsigned asked;		   /* so many of them */
	bool closed;		   /* the accounts are: what is overwritten now counted as written */
	bool released;		   /* what is stored may leave, and nothing more is stored */
	struct segment sending;	   /* what deliver has of it */
	struct segment *joined;	   /* memory for one that lies in two pieces, or NULL */
};

/* What is to be had in memory: of packets from when to when (ns since the epoch), and bytes as stored. */
struct recorder_held {
	uint64_t from, to; /* 0: nothing */
	uint64_t packets, bytes;
};

/*
 * In an area that has been mapped, for captures whose series are there. All stay the caller's. Then texts may be added
 * to the area, and recorder_start() begins.
 */
void recorder_init(struct recorder *recorder, struct capture_set *captures, struct segments *segments,
		   struct compress *compress);
void recorder_start(struct recorder *recorder);

/* Compress a slice of what is sealed, or store it. True: there is more to do at once. */
bool recorder_advance(struct recorder *recorder);

/* Is anything sealed that is not stored yet? */
bool recorder_is_behind(const struct recorder *recorder);

/*
 * Everything has been sealed on a request of this process (0: nobody waits): answer it in the area once it is stored,
 * with the numbers of now. When AREA_ASKERS wait, another gets no answer.
 */
void recorder_ask(struct recorder *recorder, pid_t asker);

/* --keep: wipe what is older, and when to come again (0: never); in the clock that the segments are cut by. */
void recorder_expire(struct recorder *recorder, uint64_t now);
uint64_t recorder_due(const struct recorder *recorder);

/* The accounts have been closed: from now on what is overwritten was counted as written. */
void recorder_close(struct recorder *recorder);

/* All is stored, and stays for whoever reads the area: its accounts are the closed ones. ns since the epoch. */
void recorder_freeze(struct recorder *recorder, uint64_t now);

/* After recorder_freeze(): nothing is stored any more, and another account begins, that of now (ns since the epoch). */
void recorder_begin_anew(struct recorder *recorder, uint64_t now);

/* What is stored may leave by this: see deliver.h. */
struct deliver_store recorder_store(struct recorder *recorder);

struct recorder_held recorder_held(const struct recorder *recorder);

#endif
