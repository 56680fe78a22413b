#include "unit.h"

#include <stdbool.h>
#include <string.h>

#include "base/clock.h"
#include "summary/histogram.h"

static struct histogram histogram;

static void add(uint64_t seconds, uint64_t bytes)
{
	histogram_add(&histogram, seconds * CLOCK_SECOND + CLOCK_SECOND - 1, bytes);
}

static void fresh(void)
{
	memset(&histogram, 0, sizeof(histogram));
}

static void nothing(void **state)
{
	(void)state;
	fresh();
	assert_int_equal(histogram_view(&histogram, 10).rows, 0);
}

static void seconds(void **state)
{
	struct histogram_view view;

	(void)state;
	fresh();
	add(1800000003, 60);
	add(1800000001, 50);
	add(1800000003, 40);
	view = histogram_view(&histogram, 10);
	assert_int_equal(view.start, 1800000001);
	assert_int_equal(view.width, 1);
	assert_int_equal(view.rows, 3);
	assert_int_equal(histogram_row(&histogram, &view, 0).bytes, 50);
	assert_int_equal(histogram_row(&histogram, &view, 1).packets, 0);
	assert_int_equal(histogram_row(&histogram, &view, 2).packets, 2);
	assert_int_equal(histogram_row(&histogram, &view, 2).bytes, 100);
}

/* The narrowest round width that fits, beginning at a round time. */
static void widths(void **state)
{
	static const struct {
		uint64_t first, last, max, start, width, rows;
	} cases[] = {
		{1800000000, 1800000009, 10, 1800000000, 1, 10},    {1800000000, 1800000010, 10, 1800000000, 2, 6},
		{1800000001, 1800000019, 10, 1800000000, 2, 10},    {1800000001, 1800000020, 10, 1800000000, 5, 5},
		{1800000000, 1800000299, 20, 1800000000, 15, 20},   {1800000000, 1800003599, 20, 1800000000, 300, 12},
		{1800003600, 1800086399, 24, 1800003600, 3600, 23},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct histogram_view view;

		fresh();
		add(cases[i].last, 1);
		add(cases[i].first, 1);
		view = histogram_view(&histogram, cases[i].max);
		assert_int_equal(view.width, cases[i].width);
		assert_int_equal(view.start, cases[i].start);
		assert_int_equal(view.rows, cases[i].rows);
	}
}

/* All times there can be, in any order: nothing is lost, and each is in the row of its time. */
static void any_times(void **state)
{
	unsigned seed = unit_seed(11);

	(void)state;
	print_message("seed %u\n", seed);
	srandom(seed);
	for (int round = 0; round < 300; round++) {
		uint64_t times[50], base = (uint64_t)random() << (random() % 3), span = UINT64_C(1) << (random() % 33);
		size_t max = 2 + (size_t)random() % 40;
		struct histogram_view view;

		fresh();
		for (size_t i = 0; i < 50; i++) {
			times[i] = base + ((uint64_t)random() << 2 | (uint64_t)i % 4) % span;
			add(times[i], i);
		}
		for (int wide = 0; wide < 2; wide++, max = HISTOGRAM_BUCKETS) {
			view = histogram_view(&histogram, max);
			assert_in_range(view.rows, 1, max);
			for (size_t row = 0; row < view.rows; row++) {
				struct histogram_bucket expected = {0}, found = histogram_row(&histogram, &view, row);

				for (size_t i = 0; i < 50; i++) {
					bool in = times[i] >= view.start && (times[i] - view.start) / view.width == row;

					expected.packets += in;
					expected.bytes += in ? i : 0;
				}
				assert_int_equal(found.packets, expected.packets);
				assert_int_equal(found.bytes, expected.bytes);
			}
			assert_int_not_equal(histogram_row(&histogram, &view, 0).packets, 0);
			assert_int_not_equal(histogram_row(&histogram, &view, view.rows - 1).packets, 0);
		}
	}
}

/* The end of time, as ns. */
static void the_extremes(void **state)
{
	struct histogram_view view;

	(void)state;
	fresh();
	histogram_add(&histogram, 0, 1);
	histogram_add(&histogram, UINT64_MAX, 1);
	for (size_t max = 2; max < 2000; max += 100) {
		view = histogram_view(&histogram, max);
		assert_in_range(view.rows, 2, max);
		assert_int_equal(histogram_row(&histogram, &view, 0).packets, 1);
		assert_int_equal(histogram_row(&histogram, &view, view.rows - 1).packets, 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing),   cmocka_unit_test(seconds),	     cmocka_unit_test(widths),
		cmocka_unit_test(any_times), cmocka_unit_test(the_extremes),
	};

	return cmocka_run_group_tests_name("histogram", tests, NULL, NULL);
}
