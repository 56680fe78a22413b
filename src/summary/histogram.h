/* Packets and bytes over time, in fixed memory: of any span, the wider the coarser. */
#ifndef TARCAP_HISTOGRAM_H
#define TARCAP_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#define HISTOGRAM_BUCKETS 1024

struct histogram_bucket {
	uint64_t packets, bytes;
};

/* Bucket n is from n x width seconds after the epoch on, in slot n modulo HISTOGRAM_BUCKETS. All zeros: begin. */
struct histogram {
	uint64_t width;	    /* seconds; 0: nothing has come */
	uint64_t low, high; /* the first and the last bucket that something is in */
	struct histogram_bucket slots[HISTOGRAM_BUCKETS];
};

/* time: ns since the epoch, in any order. */
void histogram_add(struct histogram *histogram, uint64_t time, uint64_t bytes);

/* Rows for a reader: row i of rows is from start + i x width seconds on. */
struct histogram_view {
	uint64_t start, width; /* seconds */
	size_t rows;
};

/* At most max (2 or more) rows of a round width, as narrow as they can be. */
struct histogram_view histogram_view(const struct histogram *histogram, size_t max);

/* What is in a row; rows of the view with one row for each bucket are the buckets themselves. */
struct histogram_bucket histogram_row(const struct histogram *histogram, const struct histogram_view *view, size_t i);

#endif
