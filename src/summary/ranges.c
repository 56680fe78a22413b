#include "summary/ranges.h"

#include <errno.h>
#include <stdlib.h>

#include "base/large.h"

struct range {
	uint64_t from, to, time;
	uint32_t next; /* the one below: place + 1 */
	uint32_t count;
};

struct ranges {
	uint32_t used;
	struct large memory;
	struct range *list;
};

struct ranges *ranges_open(struct err *err)
{
	struct ranges *ranges = calloc(1, sizeof(*ranges));

	if (!ranges) {
		err_sys(err, ENOMEM, "memory for ranges");
		return NULL;
	}
	if (large_open(&ranges->memory, RANGES_MAX * sizeof(struct range), "ranges", err) < 0) {
		free(ranges);
		return NULL;
	}
	ranges->list = ranges->memory.at;
	return ranges;
}

void ranges_close(struct ranges *ranges)
{
	if (!ranges)
		return;
	large_close(&ranges->memory);
	free(ranges);
}

void ranges_approach(const struct ranges *ranges, const struct ranges_list *list)
{
	if (list->head)
		__builtin_prefetch(&ranges->list[list->head - 1], 1);
}

/* place: not 0. */
static struct range *range_at(struct ranges *ranges, uint32_t place)
{
	return &ranges->list[place - 1];
}

/* A copy of a range above what link leads to; NULL: there is no room. */
static struct range *insert(struct ranges *ranges, struct ranges_list *list, uint32_t *link, struct range range)
{
	struct range *to = &ranges->list[ranges->used];

	if (ranges->used == RANGES_MAX) {
		list->full = true;
		return NULL;
	}
	range.next = *link;
	*to = range;
	*link = ++ranges->used;
	return to;
}

/* Where nothing has passed yet. Returns where to go on: below it. */
static uint32_t *fill_range(struct ranges *ranges, struct ranges_list *list, uint32_t *link, struct range fresh)
{
	struct range *made;

	if (*link && range_at(ranges, *link)->to == fresh.from && range_at(ranges, *link)->count == 1) {
		range_at(ranges, *link)->to = fresh.to;
		range_at(ranges, *link)->time = fresh.time;
		return link;
	}
	made = insert(ranges, list, link, fresh);
	return made ? &made->next : NULL;
}

/* Some of a range passes again: up to *to, which becomes where that begins. Returns as fill_range(). */
static uint32_t *count(struct ranges *ranges, struct ranges_list *list, uint32_t *link, uint64_t from, uint64_t *to,
		       uint64_t time)
{
	struct range *range = range_at(ranges, *link), *upper, *lower;

	if (*to < range->to) {
		upper = insert(
			ranges, list, link,
			(struct range){.from = *to, .to = range->to, .time = range->time, .count = range->count});
		if (!upper)
			return NULL;
		range->to = *to;
	}
	if (from > range->from) {
		lower = insert(
			ranges, list, &range->next,
			(struct range){.from = range->from, .to = from, .time = range->time, .count = range->count});
		if (!lower)
			return NULL;
		range->from = from;
	}
	range->count++;
	range->time = time;
	*to = range->from;
	return &range->next;
}

void ranges_add(struct ranges *ranges, struct ranges_list *list, uint64_t from, uint64_t to, uint64_t time)
{
	uint32_t *link = &list->head;

	for (unsigned steps = 0; link && from < to && !list->full; steps++) {
		struct range fresh = {.from = from, .to = to, .time = time, .count = 1};
		struct range *range;

		if (steps == RANGES_STEPS) {
			list->full = true;
			return;
		}
		if (*link == 0 || range_at(ranges, *link)->to <= from) {
			fill_range(ranges, list, link, fresh);
			return;
		}
		range = range_at(ranges, *link);
		if (range->from >= to) {
			link = &range->next;
		} else if (to > range->to) {
			fresh.from = range->to;
			link = fill_range(ranges, list, link, fresh);
			to = fresh.from;
		} else {
			link = count(ranges, list, link, from > range->from ? from : range->from, &to, time);
		}
	}
}

/* --- comparing --- */

struct cursor {
	const struct range *range;
	uint64_t shift;
};

static void take_above(const struct ranges *ranges, struct cursor *cursor, uint64_t below)
{
	while (cursor->range && cursor->range->from + cursor->shift >= below)
		cursor->range = cursor->range->next ? &ranges->list[cursor->range->next - 1] : NULL;
}

/* The highest end of a range that is not above a position. */
static uint64_t top_of(const struct cursor *cursor, uint64_t below)
{
	uint64_t to = cursor->range ? cursor->range->to + cursor->shift : 0;

	return to < below ? to : below;
}

/* Below a position: where the count of now ends. */
static uint64_t bottom_of(const struct cursor *cursor, uint64_t below)
{
	if (!cursor->range)
		return 0;
	if (cursor->range->to + cursor->shift < below)
		return cursor->range->to + cursor->shift;
	return cursor->range->from + cursor->shift;
}

static void note(struct ranges_stretch *stretch, int which, const struct cursor *cursor)
{
	if (!cursor->range || cursor->range->to + cursor->shift < stretch->to)
		return;
	stretch->count[which] = cursor->range->count;
	stretch->time[which] = cursor->range->time;
}

void ranges_compare(const struct ranges *ranges, const struct ranges_list *a, const struct ranges_list *b,
		    uint64_t shift, ranges_take *take, void *context)
{
	struct cursor first = {a->head ? &ranges->list[a->head - 1] : NULL, 0};
	struct cursor second = {b->head ? &ranges->list[b->head - 1] : NULL, shift};
	uint64_t below = UINT64_MAX;

	while (first.range || second.range) {
		uint64_t tops[2] = {top_of(&first, below), top_of(&second, below)}, bottoms[2];
		struct ranges_stretch stretch = {.to = tops[0] > tops[1] ? tops[0] : tops[1]};

		note(&stretch, 0, &first);
		note(&stretch, 1, &second);
		bottoms[0] = bottom_of(&first, stretch.to);
		bottoms[1] = bottom_of(&second, stretch.to);
		stretch.from = bottoms[0] > bottoms[1] ? bottoms[0] : bottoms[1];
		take(context, &stretch);
		below = stretch.from;
		take_above(ranges, &first, below);
		take_above(ranges, &second, below);
	}
}
