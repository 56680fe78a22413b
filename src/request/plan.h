/*
 * How much memory goes where: ring, pool, segments and compressor, together below the ceiling TARCAP_MAX_MEMORY, and
 * within what the container's memory limit leaves. This is the one place that reckons with it, and that has its
 * numbers.
 */
#ifndef TARCAP_PLAN_H
#define TARCAP_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/sizes.h"
#include "request/options.h"
#include "system/cgroup.h"

/* All in bytes. */
#define PLAN_CEILING (256 * MIB) /* where TARCAP_MAX_MEMORY is not set */
#define PLAN_CEILING_MAX (2 * GIB)
#define PLAN_RING_DEFAULT (32 * MIB)
#define PLAN_RING_MIN (2 * MIB) /* of each interface, whatever the container's limit leaves */
#define PLAN_RING_MAX GIB
#define PLAN_RING_BLOCK (256 * KIB) /* libpcap makes a ring of whole ones: MAXIMUM_SNAPLEN, up to a power of two */
#define PLAN_POOL_DEFAULT (16 * MIB)
#define PLAN_POOL_MIN (2 * MIB)
#define PLAN_POOL_MAX GIB
#define PLAN_POOL_SEGMENTS_MAX 1024
#define PLAN_POOL_SEGMENTS 4 /* of a size that was asked for have to have room in it */
#define PLAN_RECORD_MIN (4 * MIB)
#define PLAN_RECORD_POOL (4 * MIB) /* at most, with --record: it only waits to be compressed */
#define PLAN_RECORD_SEGMENT_TIME (60 * CLOCK_SECOND)
#define PLAN_KEEP_SEGMENTS 4		 /* what is kept for a time is cut in so many parts, at least */
#define PLAN_SEGMENT_DEFAULT (512 * KIB) /* or a part of the pool, if that is less; two of them are charged */
#define PLAN_SEGMENTS_OPEN (2 * MIB)	 /* of all interfaces together, if there are several */
#define PLAN_SEGMENT_SHARE (72 * KIB)	 /* of one of many: a frame of 64 KiB, and what is around it */
#define PLAN_SEGMENT_SHARE_MIN (32 * KIB)
#define PLAN_SEGMENT_MAX (256 * MIB)	      /* that can be asked for */
#define PLAN_COMPRESSOR_CONTEXT ((size_t)MIB) /* zstd asks for 761 KiB of it (1.5.7) */
#define PLAN_FIRST_TABLE MIB		      /* of --first: record/first.h */

/*
 * What a capture takes besides pool and compressor, bytes at most: the manifest's table and text, the context, a pipe
 * of 1 MiB, and what a small capture was measured to be charged for (0.5 MiB) with as much again.
 */
#define PLAN_BESIDE (6 * MIB)

/*
 * Fill in options->buffer_kib and options->memory, each of which is what was asked for or OPTIONS_NOT_GIVEN.
 *
 * What the container's limit leaves lowers a default, but no request: options->confined says so. Pool and compressor
 * are charged to it, and so is what stands above; the ring is not (af_packet takes its pages without __GFP_ACCOUNT),
 * but the node has to have it: whoever gives a container 16 MiB is not to lose 32 MiB by it.
 *
 * Below the ceiling what is asked for one of the two leaves the rest to the other; else they share it by thirds. What
 * the compressor and the table of --first (options->first_table) take goes with the pool. What --record takes goes
 * first of all. STATUS_USAGE for requests that leave no room.
 */
int plan_memory(struct options *options, uint64_t ceiling, const struct cgroup_memory *group, struct err *err);

/*
 * When that is known: fill in options->segment_size, which is what was asked for or 0, and options->compressor.
 * STATUS_USAGE for a size that the pool has no room for.
 */
int plan_segments(struct options *options, struct err *err);

/*
 * Bytes of a segment when so many interfaces share the pool, unless it was asked for. All open ones together stay in a
 * processor's cache, and are what is charged while the reader keeps up; but none is smaller than a frame of 64 KiB,
 * unless the pool has no room for two of each. Where a packet can be larger, some grow for it to *largest: pool.h.
 */
uint64_t plan_segment_share(const struct options *options, unsigned interfaces, uint64_t *largest);

/*
 * Bytes of ring for each of so many interfaces. What was asked for can be too little for so many, and so many times the
 * least too much for the ceiling: STATUS_USAGE.
 */
int plan_ring_share(const struct options *options, unsigned interfaces, uint64_t *share, struct err *err);

/* Bytes that a packet takes in a file, at most, and bytes that a file takes that holds one such packet. */
uint32_t plan_record_most(bool pcapng, uint32_t snaplen);
uint64_t plan_segment_least(bool pcapng, uint32_t snaplen);

/* Bytes that the compressor takes for segments of this size; pages of it cost nothing until they are used. */
uint64_t plan_compressor(uint64_t segment_size);

#endif
