#include "unit.h"

#include <string.h>

#include "request/number.h"

#define SECOND UINT64_C(1000000000)

static const struct number_range any[] = {
	[NUMBER_COUNT] = {NUMBER_COUNT, 1, UINT64_MAX, 0},
	[NUMBER_SIZE] = {NUMBER_SIZE, 1, UINT64_MAX, 0},
	[NUMBER_MILLIONS] = {NUMBER_MILLIONS, 1, UINT64_MAX, 0},
	[NUMBER_KIBIBYTES] = {NUMBER_KIBIBYTES, 1, UINT64_MAX, 0},
	[NUMBER_DURATION] = {NUMBER_DURATION, 1, UINT64_MAX, 0},
};

static void good(void **state)
{
	static const struct {
		enum number_kind kind;
		const char *text;
		uint64_t value;
	} cases[] = {
		{NUMBER_COUNT, "1", 1},
		{NUMBER_COUNT, "18446744073709551615", UINT64_MAX},
		{NUMBER_SIZE, "5", 5},
		{NUMBER_SIZE, "2k", 2048},
		{NUMBER_SIZE, "2K", 2048},
		{NUMBER_SIZE, "3m", 3 << 20},
		{NUMBER_SIZE, "1G", 1 << 30},
		{NUMBER_MILLIONS, "5", 5000000},
		{NUMBER_MILLIONS, "5M", 5 << 20},
		{NUMBER_KIBIBYTES, "32768", 32768},
		{NUMBER_DURATION, "90", 90 * SECOND},
		{NUMBER_DURATION, "90s", 90 * SECOND},
		{NUMBER_DURATION, "250ms", SECOND / 4},
		{NUMBER_DURATION, "10m", 600 * SECOND},
		{NUMBER_DURATION, "1h", 3600 * SECOND},
		{NUMBER_DURATION, "1d", 86400 * SECOND},
		{NUMBER_DURATION, "1m30s", 90 * SECOND},
		{NUMBER_DURATION, "1d2h3m4s5ms", 93784 * SECOND + SECOND / 200},
		{NUMBER_DURATION, "1.5m", 90 * SECOND},
		{NUMBER_DURATION, "0.5", SECOND / 2},
		{NUMBER_DURATION, "1.5s", 3 * SECOND / 2},
		{NUMBER_DURATION, "0.001s", SECOND / 1000},
		{NUMBER_DURATION, "0.99999d", 86399 * SECOND + 136 * (SECOND / 1000)},
		{NUMBER_DURATION, "5min", 300 * SECOND},
		{NUMBER_DURATION, "30sec", 30 * SECOND},
		{NUMBER_SIZE, "10MB", 10000000},
		{NUMBER_SIZE, "10MiB", 10 << 20},
		{NUMBER_SIZE, "16Mi", 16 << 20},
		{NUMBER_SIZE, "1.5G", 3 << 29},
		{NUMBER_SIZE, "0.1k", 102},
		{NUMBER_SIZE, "5B", 5},
		{NUMBER_SIZE, "3kB", 3000},
		{NUMBER_MILLIONS, "10MB", 10000000},
		{NUMBER_MILLIONS, "10MiB", 10 << 20},
		{NUMBER_MILLIONS, "1.5", 1500000},
		{NUMBER_KIBIBYTES, "32M", 32768},
		{NUMBER_KIBIBYTES, "1GiB", 1 << 20},
		{NUMBER_KIBIBYTES, "2048k", 2048},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err err = {0};
		uint64_t value = 0;

		assert_int_equal(number_parse("--x", cases[i].text, &any[cases[i].kind], &value, &err), 0);
		assert_true(value == cases[i].value);
	}
}

static void bad(void **state)
{
	static const char *const texts[] = {"",
					    "-1",
					    "+1",
					    " 1",
					    "1 ",
					    "1x",
					    "k",
					    "1e3",
					    "0x1",
					    "1.",
					    ".5s",
					    "1..5s",
					    "1.5.5s",
					    "1.0000000001s",
					    "0.0005s", /* finer than a millisecond */
					    "0.999999999d",
					    "1,5m",
					    "1m30",
					    "1s1s",
					    "30s1m",
					    "1m30x",
					    "1M1k",
					    "1.5kk",
					    "213504d",
					    "1kk",
					    "18446744073709551616",
					    "99999999999999999999G"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		for (size_t kind = 0; kind < sizeof(any) / sizeof(any[0]); kind++) {
			struct err err = {0};
			uint64_t value = 77;

			assert_int_equal(number_parse("--flag", texts[i], &any[kind], &value, &err), -1);
			assert_int_equal(err.status, STATUS_USAGE);
			assert_non_null(strstr(err.text, "--flag"));
			assert_true(value == 77);
		}
	}
}

static void range(void **state)
{
	const struct number_range from2to3 = {NUMBER_COUNT, 2, 3, 0}, or_none = {NUMBER_COUNT, 2, 3, 1};
	struct err err = {0};
	uint64_t value = 0;

	(void)state;
	assert_int_equal(number_parse("-n", "2", &from2to3, &value, &err), 0);
	assert_int_equal(number_parse("-n", "3", &from2to3, &value, &err), 0);
	assert_int_equal(number_parse("-n", "0", &or_none, &value, &err), 0);
	assert_true(value == 0);
	assert_int_equal(number_parse("-n", "4", &from2to3, &value, &err), -1);
	assert_string_equal(err.text, "-n '4': allowed is 2 to 3 (a number)");
	err = (struct err){0};
	assert_int_equal(number_parse("-n", "0", &from2to3, &value, &err), -1);
	err = (struct err){0};
	assert_int_equal(number_parse("-n", "1", &or_none, &value, &err), -1);
	assert_string_equal(err.text, "-n '1': allowed is 2 to 3 (a number), or 0 for none");
}

/* What is printed is what would be typed. */
static void round_trip(void **state)
{
	static const uint64_t values[] = {1,	  999,	   1000,    1024,     1536,
					  262144, 1 << 20, 5000000, 16 << 20, UINT64_C(1) << 30};
	char text[NUMBER_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct err err = {0};
		uint64_t value = 0;

		number_format(NUMBER_SIZE, values[i], text);
		assert_int_equal(number_parse("-n", text, &any[NUMBER_SIZE], &value, &err), 0);
		assert_true(value == values[i]);
	}
	assert_string_equal(number_format(NUMBER_DURATION, 300 * SECOND, text), "5m");
	assert_string_equal(number_format(NUMBER_DURATION, 90 * SECOND, text), "90s");
	assert_string_equal(number_format(NUMBER_DURATION, SECOND / 4, text), "250ms");
	assert_string_equal(number_format(NUMBER_DURATION, 0, text), "0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good),
		cmocka_unit_test(bad),
		cmocka_unit_test(range),
		cmocka_unit_test(round_trip),
	};

	return cmocka_run_group_tests_name("number", tests, NULL, NULL);
}
