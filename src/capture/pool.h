/* Segments: the fixed memory that packets wait in between the kernel's ring and the reader. */
#ifndef TARCAP_POOL_H
#define TARCAP_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "request/plan.h"

#define POOL_SEGMENTS_MAX PLAN_POOL_SEGMENTS_MAX

struct series;

/* A pcap file in the making, or made. */
struct segment {
	struct series *series; /* the files of one interface that it belongs to */
	struct segment *next;
	unsigned char *data;
	size_t used;
	size_t stored;	 /* bytes in the archive, set when it is put there; fewer than used: compressed */
	uint32_t number; /* in its file series, from 1 */
	uint64_t packets;
	uint64_t first, last; /* earliest and latest packet, ns since the epoch */
	uint64_t opened;      /* in the clock that cuts */
	uint64_t dropped;     /* packets the kernel dropped while this segment was filled */
	bool grown;	      /* beyond the size of the others */
};

/*
 * Free segments are used last in, first out: the one that was just sent is still in the cache.
 *
 * Where they are smaller than a packet can be, a few can grow at a time: each has addresses enough, and memory for the
 * few is set aside. While no more can, none can be taken, as nobody knows how large the next packet is.
 */
struct pool {
	size_t segment_size;
	size_t growth;			/* bytes that one can grow by; 0: none needs to */
	unsigned count, free_count;	/* free_count: those that can be taken */
	unsigned growing, growing_most; /* how many more can grow, of so many at a time */
	unsigned withheld;		/* free ones that cannot be taken */
	struct segment *free;
	struct segment *segments; /* all of them */
	unsigned char *memory;
};

/*
 * As many segments as memory has room for (at most POOL_SEGMENTS_MAX), which is never exceeded. Each can grow to
 * largest bytes, if that is more. Their pages cost nothing until they are used.
 */
MUST_CHECK int pool_open(struct pool *pool, size_t memory, size_t segment_size, size_t largest, struct err *err);
void pool_close(struct pool *pool);

/* An empty segment, or NULL when all are taken. */
MUST_CHECK struct segment *pool_take(struct pool *pool);
void pool_give(struct pool *pool, struct segment *segment);

/* Let one that was taken have the largest size, until it is given back. */
void pool_grow(struct pool *pool, struct segment *segment);

/* Bytes that all can take at most. */
size_t pool_memory(const struct pool *pool);

#endif
