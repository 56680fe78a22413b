/* plan.c: what the container's limit and the ceiling leave. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "request/plan.h"

static struct options asked(uint64_t ring, uint64_t pool)
{
	struct options options = {.snaplen = SNAPLEN_MAX, .buffer_kib = OPTIONS_NOT_GIVEN, .memory = OPTIONS_NOT_GIVEN};

	if (ring)
		options.buffer_kib = ring / 1024;
	if (pool)
		options.memory = pool;
	return options;
}

static struct options planned(struct options options, uint64_t ceiling, uint64_t limit, uint64_t left)
{
	const struct cgroup_memory group = {.seen = true, .limit = limit, .left = left};
	struct err err = {0};

	assert_int_equal(plan_memory(&options, ceiling, &group, &err), 0);
	return options;
}

static void no_limit_changes_nothing(void **state)
{
	struct options options = planned(asked(0, 0), PLAN_CEILING, 0, 0);

	(void)state;
	assert_int_equal(options.buffer_kib, 32768);
	assert_int_equal(options.memory, 16 * MIB);
	assert_false(options.confined.lowered || options.confined.pool_above || options.confined.ring_above);
}

/* Whatever the limit: what is charged fits, or it is said; the default is lowered no further than it has to be. */
static void defaults_fit_or_it_is_said(void **state)
{
	(void)state;
	for (uint64_t limit = MIB; limit < 128 * MIB; limit += MIB / 3) {
		for (uint64_t used = 0; used <= limit; used += limit / 3) {
			struct options options = planned(asked(0, 0), PLAN_CEILING, limit, limit - used);
			uint64_t left = limit - used;
			bool fits = options.memory + PLAN_BESIDE <= left;

			assert_int_equal(fits, !options.confined.pool_above);
			assert_true(options.memory >= PLAN_POOL_MIN && options.memory <= 16 * MIB);
			assert_true(fits || options.memory == PLAN_POOL_MIN);
			assert_true(!fits || options.memory == 16 * MIB || options.memory + PLAN_BESIDE + 65536 > left);
			assert_true(options.buffer_kib * 1024 <= left || options.buffer_kib == 2048);
			assert_int_equal(options.confined.lowered,
					 options.memory + options.buffer_kib * 1024 < 48 * MIB);
		}
	}
}

static void compressed_fits_too(void **state)
{
	struct options options = asked(0, 0);

	(void)state;
	options.compression = COMPRESSION_ZSTD;
	options = planned(options, PLAN_CEILING, 16 * MIB, 15 * MIB);
	assert_true(options.memory + plan_compressor(PLAN_SEGMENT_DEFAULT) + PLAN_BESIDE <= 15 * MIB &&
		    options.memory >= 6 * MIB);
	assert_false(options.confined.pool_above);
}

static void what_is_asked_for_is_had_and_said(void **state)
{
	struct options options = planned(asked(64 * MIB, 12 * MIB), PLAN_CEILING, 16 * MIB, 15 * MIB);

	(void)state;
	assert_int_equal(options.buffer_kib, 65536);
	assert_int_equal(options.memory, 12 * MIB);
	assert_true(options.confined.pool_above && options.confined.ring_above && !options.confined.lowered);
	options = planned(asked(8 * MIB, 4 * MIB), PLAN_CEILING, 16 * MIB, 15 * MIB);
	assert_false(options.confined.pool_above || options.confined.ring_above || options.confined.lowered);
}

/* -C takes four of its size: that is a request, too. */
static void a_segment_size_that_was_asked_for_has_its_pool(void **state)
{
	struct options options = asked(0, 0);

	(void)state;
	options.segment_size = 4 * MIB;
	options = planned(options, PLAN_CEILING, 16 * MIB, 15 * MIB);
	assert_int_equal(options.memory, 16 * MIB);
	assert_true(options.confined.pool_above);
}

static void the_lower_of_ceiling_and_limit_counts(void **state)
{
	struct options options = planned(asked(0, 0), 12 * MIB, 64 * MIB, 60 * MIB);

	(void)state;
	assert_true(options.lowered.memory && !options.confined.lowered);
	assert_true(options.memory + options.buffer_kib * 1024 <= 12 * MIB);
	options = planned(asked(0, 0), 40 * MIB, 16 * MIB, 15 * MIB);
	assert_true(!options.lowered.memory && options.confined.lowered);
	options = planned(asked(0, 0), 20 * MIB, 16 * MIB, 15 * MIB);
	assert_true(options.lowered.memory && options.confined.lowered && options.memory <= 9 * MIB);
}

/* The segments of such a pool, by default. */
static uint64_t part_of(uint64_t pool)
{
	return pool / 4 < PLAN_SEGMENT_DEFAULT ? pool / 4 : PLAN_SEGMENT_DEFAULT;
}

/* It comes first of all, below the ceiling and within the limit; nothing waits in its pool. */
static void what_is_recorded_counts_against_both(void **state)
{
	struct options options = asked(0, 0);

	(void)state;
	options.compression = COMPRESSION_ZSTD;
	options.record = 64 * MIB;
	options = planned(options, PLAN_CEILING, 0, 0);
	assert_int_equal(options.memory, 4 * MIB);
	assert_int_equal(options.buffer_kib, 32768);
	for (uint64_t ceiling = 71 * MIB; ceiling < 120 * MIB; ceiling += MIB / 3) {
		options = asked(0, 0);
		options.compression = COMPRESSION_ZSTD;
		options.record = 64 * MIB;
		options = planned(options, ceiling, 0, 0);
		assert_true(options.record + options.memory + plan_compressor(part_of(options.memory)) +
				    options.buffer_kib * 1024 <=
			    ceiling);
	}
	options = asked(0, 0);
	options.record = 64 * MIB;
	assert_true(planned(options, PLAN_CEILING, 72 * MIB, 71 * MIB).confined.pool_above);
	assert_false(planned(options, PLAN_CEILING, 80 * MIB, 79 * MIB).confined.pool_above);
}

static void what_cannot_be_recorded_is_refused_with_what_can(void **state)
{
	const struct cgroup_memory group = {0};
	struct options options = asked(0, 0);
	struct err err = {0};

	(void)state;
	options.record = 64 * MIB;
	assert_int_equal(plan_memory(&options, 64 * MIB, &group, &err), -1);
	assert_int_equal(err.status, STATUS_USAGE);
	assert_non_null(strstr(err.text, "--record 64M: allowed is at most 60M"));
	err = (struct err){0};
	assert_int_equal(plan_memory(&options, 5 * MIB, &group, &err), -1);
	assert_non_null(strstr(err.text, "has no room for it"));
}

static void a_file_takes_no_ring(void **state)
{
	struct options options = asked(0, 0);

	(void)state;
	options.read_file = "x";
	options = planned(options, PLAN_CEILING, 16 * MIB, 15 * MIB);
	assert_int_equal(options.buffer_kib, 0);
	assert_int_equal(options.memory, 9 * MIB);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_limit_changes_nothing),
		cmocka_unit_test(defaults_fit_or_it_is_said),
		cmocka_unit_test(compressed_fits_too),
		cmocka_unit_test(what_is_asked_for_is_had_and_said),
		cmocka_unit_test(a_segment_size_that_was_asked_for_has_its_pool),
		cmocka_unit_test(the_lower_of_ceiling_and_limit_counts),
		cmocka_unit_test(what_is_recorded_counts_against_both),
		cmocka_unit_test(what_cannot_be_recorded_is_refused_with_what_can),
		cmocka_unit_test(a_file_takes_no_ring),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
