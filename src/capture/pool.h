/* Segments: the fixed memory that packets wait in between the kernel's ring and the reader. */
#ifndef TARCAP_POOL_H
#define TARCAP_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define POOL_SEGMENTS_MAX 1024

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
};

/* Free segments are used last in, first out: the one that was just sent is still in the cache. */
struct pool {
	size_t segment_size;
	unsigned count, free_count;
	struct segment *free;
	struct segment *segments; /* all of them */
	unsigned char *memory;
};

/* memory / segment_size segments (at most POOL_SEGMENTS_MAX). Their pages cost nothing until they are used. */
MUST_CHECK int pool_open(struct pool *pool, size_t memory, size_t segment_size, struct err *err);
void pool_close(struct pool *pool);

/* An empty segment, or NULL when all are taken. */
MUST_CHECK struct segment *pool_take(struct pool *pool);
void pool_give(struct pool *pool, struct segment *segment);

#endif
