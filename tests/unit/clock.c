#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"

/* As the C library writes it. */
static void is_as_by_strftime(uint64_t real)
{
	char text[CLOCK_TEXT_SIZE], expected[CLOCK_TEXT_SIZE];
	time_t seconds = (time_t)(real / CLOCK_SECOND);
	size_t used = strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%S", gmtime(&seconds));

	snprintf(expected + used, sizeof(expected) - used, ".%09uZ", (unsigned)(real % CLOCK_SECOND));
	assert_string_equal(clock_rfc3339(real, text), expected);
	strftime(expected, sizeof(expected), "%Y%m%d%H%M%S", gmtime(&seconds));
	assert_string_equal(clock_compact(real, text), expected);
}

static void times_are_written_as_by_strftime(void **state)
{
	static const uint64_t days[] = {0, 59, 365, 789, 11016, 11017, 19782, 20786, 47540, 47541};
	unsigned seed = unit_seed((unsigned)clock_real());

	(void)state;
	for (size_t i = 0; i < sizeof(days) / sizeof(days[0]); i++) {
		is_as_by_strftime(days[i] * 86400 * CLOCK_SECOND);
		is_as_by_strftime(((days[i] + 1) * 86400 - 1) * CLOCK_SECOND + 999999999);
	}
	is_as_by_strftime(UINT64_MAX); /* which is in the year 2554 */
	for (unsigned i = 0; i < 10000; i++)
		is_as_by_strftime((uint64_t)rand_r(&seed) << 33 ^ (uint64_t)rand_r(&seed) << 11 ^
				  (uint64_t)rand_r(&seed));
}

static void a_time_has_its_text(void **state)
{
	char text[CLOCK_TEXT_SIZE];

	(void)state;
	assert_string_equal(clock_rfc3339(UINT64_C(1795337100123456789), text), "2026-11-22T08:45:00.123456789Z");
	assert_string_equal(clock_compact(UINT64_C(1795337100123456789), text), "20261122084500");
	assert_string_equal(clock_seconds(UINT64_C(61000000007), text), "61.000000007");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_are_written_as_by_strftime),
		cmocka_unit_test(a_time_has_its_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
