/* ranges.c: what it says of random ranges that pass is what counting each byte says. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "summary/ranges.h"

#define BYTES 200
#define BASE 100000 /* positions begin here */

/* One direction of a stream, byte by byte. */
struct counted {
	uint32_t count[BYTES];
	uint64_t time[BYTES];
};

struct checked {
	const struct counted *first, *second;
	uint64_t below;		/* where the stretch before this one began */
	bool in_stretch[BYTES]; /* by the first one's positions */
};

/* shift: what is to be added to the list's positions, below 0 too. */
static void pass(struct ranges *ranges, struct ranges_list *list, struct counted *counted, uint64_t shift,
		 uint64_t time)
{
	unsigned from = (unsigned)random() % BYTES, to = from + (unsigned)random() % (BYTES - from + 1);

	ranges_add(ranges, list, BASE + from - shift, BASE + to - shift, time);
	for (unsigned i = from; i < to; i++) {
		counted->count[i]++;
		counted->time[i] = time;
	}
}

static void check_one(const struct counted *counted, unsigned at, uint32_t count, uint64_t time)
{
	assert_int_equal(count, counted->count[at]);
	if (count)
		assert_true(time >= counted->time[at]);
}

static void check_stretch(void *context, const struct ranges_stretch *stretch)
{
	struct checked *checked = context;

	assert_true(stretch->from < stretch->to && stretch->to <= checked->below);
	checked->below = stretch->from;
	for (uint64_t i = stretch->from; i < stretch->to; i++) {
		unsigned at = (unsigned)(i - BASE);

		assert_true(at < BYTES);
		check_one(checked->first, at, stretch->count[0], stretch->time[0]);
		check_one(checked->second, at, stretch->count[1], stretch->time[1]);
		checked->in_stretch[at] = true;
	}
}

static void check(const struct ranges *ranges, const struct ranges_list *lists, const struct counted *counted,
		  uint64_t shift)
{
	struct checked checked = {.first = &counted[0], .second = &counted[1], .below = UINT64_MAX};

	ranges_compare(ranges, &lists[0], &lists[1], shift, check_stretch, &checked);
	for (unsigned i = 0; i < BYTES; i++) {
		if (counted[0].count[i] || counted[1].count[i])
			assert_true(checked.in_stretch[i]);
	}
}

static void test_counts_are_those_of_each_byte(void **state)
{
	static const uint64_t shifts[] = {0, 70000, (uint64_t)-900};
	unsigned seed = unit_seed(1);
	struct err err = {0};
	struct ranges *ranges = ranges_open(&err);

	(void)state;
	assert_non_null(ranges);
	srandom(seed);
	for (unsigned round = 0; round < 2000; round++) {
		struct ranges_list lists[2] = {{0}};
		struct counted counted[2] = {0};
		unsigned passes = 1 + (unsigned)random() % 40;

		for (unsigned i = 0; i < passes; i++) {
			unsigned which = (unsigned)random() % 2;

			pass(ranges, &lists[which], &counted[which], which ? shifts[round % 3] : 0, i + 1);
		}
		assert_false(lists[0].full || lists[1].full);
		check(ranges, lists, counted, shifts[round % 3]);
	}
	ranges_close(ranges);
}

/* So many pieces that adding one would take too long: then the list says that it knows nothing. */
static void test_too_many_pieces_are_no_answer(void **state)
{
	struct err err = {0};
	struct ranges *ranges = ranges_open(&err);
	struct ranges_list list = {0};

	(void)state;
	for (uint64_t i = RANGES_STEPS + 1; i > 0; i--)
		ranges_add(ranges, &list, BASE + 2 * i, BASE + 2 * i + 1, 1);
	assert_true(list.full);
	ranges_close(ranges);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counts_are_those_of_each_byte),
		cmocka_unit_test(test_too_many_pieces_are_no_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
