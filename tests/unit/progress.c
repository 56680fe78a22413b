#include "unit.h"

#include <string.h>

#include "base/clock.h"
#include "run/progress.h"

#define MINUTE (60 * CLOCK_SECOND)

static struct progress progress;

static const char *text(const struct progress_numbers *numbers, uint64_t now, unsigned columns)
{
	return progress_text(&progress, numbers, now, columns);
}

static void words(void **state)
{
	struct progress_numbers numbers = {.limit = 5 * MINUTE};

	(void)state;
	progress_init(&progress, 7 * CLOCK_SECOND);
	assert_true(progress.due == 7 * CLOCK_SECOND);
	assert_string_equal(text(&numbers, 7 * CLOCK_SECOND, 199), "0:00 of 5:00, 0 packets, 0/s, 0 out, none lost");
	assert_true(progress.due > 7 * CLOCK_SECOND && progress.due <= 8 * CLOCK_SECOND);
	numbers = (struct progress_numbers){
		.elapsed = CLOCK_SECOND, .limit = 5 * MINUTE, .packets = 1, .sent = 1023, .waiting = 1};
	assert_string_equal(text(&numbers, 8 * CLOCK_SECOND, 199),
			    "0:01 of 5:00, 1 packet, 1/s, 1023 out, 1 file waiting, none lost");
	numbers = (struct progress_numbers){.elapsed = 754 * CLOCK_SECOND + CLOCK_SECOND - 1,
					    .packets = 12001,
					    .sent = UINT64_C(3584) * 1024,
					    .waiting = 12,
					    .lost = 34};
	/* 12,000 more in 10 s */
	assert_string_equal(text(&numbers, 18 * CLOCK_SECOND, 199),
			    "12:34, 12001 packets, 34 lost, 1.2k/s, 3.5M out, 12 files waiting");
	numbers = (struct progress_numbers){.elapsed = 3723 * CLOCK_SECOND, .limit = 240 * MINUTE, .packets = 99000000};
	assert_non_null(strstr(text(&numbers, 19 * CLOCK_SECOND, 199), "1:02:03 of 4:00:00, 99000000 packets, 98M/s"));
	/* The same moment again: no time has gone by to speak of a rate. */
	assert_non_null(strstr(text(&numbers, 19 * CLOCK_SECOND, 199), ", 0/s"));
}

static void what_a_recorder_holds(void **state)
{
	const struct progress_numbers numbers = {.elapsed = 2 * MINUTE,
						 .limit = 60 * MINUTE,
						 .packets = 12345,
						 .holds = true,
						 .held_time = 65 * CLOCK_SECOND,
						 .held_packets = 1,
						 .held_bytes = 2048};

	(void)state;
	progress_init(&progress, 0);
	assert_string_equal(text(&numbers, 0, 199),
			    "2:00 of 1:00:00, holds 1:05: 1 packet, 2.0k, 12345 packets, 0/s, none lost");
}

/* Whatever the width: what is there is a beginning, of whole parts, that fits. */
static void widths(void **state)
{
	const struct progress_numbers numbers = {.elapsed = MINUTE, .limit = 5 * MINUTE, .packets = 123456, .lost = 7};
	char whole[PROGRESS_TEXT_SIZE];
	size_t length;

	(void)state;
	progress_init(&progress, 0);
	strcpy(whole, text(&numbers, 0, 199));
	assert_string_equal(whole, "1:00 of 5:00, 123456 packets, 7 lost, 0/s, 0 out");
	for (unsigned columns = 0; columns < 400; columns++) {
		const char *some = text(&numbers, 0, columns);

		length = strlen(some);
		assert_true(length <= columns && length < PROGRESS_TEXT_SIZE);
		assert_memory_equal(some, whole, length);
		assert_true(length == 0 || length == 4 || whole[length] == ',' || whole[length] == '\0');
	}
	assert_string_equal(text(&numbers, 0, 29), "1:00 of 5:00, 123456 packets");
}

/* The largest numbers there are do not come out of their places. */
static void largest(void **state)
{
	const struct progress_numbers numbers = {UINT64_MAX, UINT64_MAX, UINT64_MAX,
						 UINT64_MAX, UINT64_MAX, UINT64_MAX};

	(void)state;
	progress_init(&progress, 0);
	assert_non_null(strstr(text(&numbers, CLOCK_SECOND, 199), " out, 18446744073709551615 files waiting"));
	assert_non_null(strstr(text(&numbers, CLOCK_SECOND, 199), "15E out"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words),
		cmocka_unit_test(what_a_recorder_holds),
		cmocka_unit_test(widths),
		cmocka_unit_test(largest),
	};

	return cmocka_run_group_tests_name("progress", tests, NULL, NULL);
}
