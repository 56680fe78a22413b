/*
 * How often each byte of a stream passed: sorted ranges with a count, in a pool of fixed size. However the stream was
 * cut into segments, the counts are the same: so two places can be compared where one has frames of 64 KiB.
 */
#ifndef TARCAP_RANGES_H
#define TARCAP_RANGES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/sizes.h"

/* In all lists; 16 MiB, of which pages that are not used cost nothing. */
#define RANGES_MAX TABLE_OF(UINT32_C(1) << 19)
#define RANGES_STEPS 8192 /* ranges that are walked over to add one, at most */

/* All zero is an empty one. */
struct ranges_list {
	uint32_t head; /* the highest range: place + 1 */
	bool full;     /* something could not be added: what is in it says nothing */
};

struct ranges;

/* NULL when there is no memory. */
struct ranges *ranges_open(struct err *err);
void ranges_close(struct ranges *ranges);

/* Something will be added soon: asks for the memory that it takes. */
void ranges_approach(const struct ranges *ranges, const struct ranges_list *list);

/* Bytes from to below to passed once more, at a time in ns. */
void ranges_add(struct ranges *ranges, struct ranges_list *list, uint64_t from, uint64_t to, uint64_t time);

/* A stretch in which neither count changes, and the times of the latest that passed in it (0: none did). */
struct ranges_stretch {
	uint64_t from, to; /* by the first list's positions */
	uint32_t count[2];
	uint64_t time[2];
};

typedef void ranges_take(void *context, const struct ranges_stretch *stretch);

/*
 * All stretches of two lists in which at least one has something, the highest first. shift: what is to be added to the
 * second one's positions (two's complement).
 */
void ranges_compare(const struct ranges *ranges, const struct ranges_list *a, const struct ranges_list *b,
		    uint64_t shift, ranges_take *take, void *context);

#endif
