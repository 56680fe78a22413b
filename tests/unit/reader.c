/* reader.c: which end of stdin is a reader's, and which one tells nothing. The clock is an argument. */
#include "unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "run/reader.h"

#define MS (CLOCK_SECOND / 1000)
#define START (1000 * CLOCK_SECOND)

static int ours = -1;

/* A reader whose stdin is a pipe; the other end is ours. */
static struct reader reader_of(bool awaited, bool tells_end)
{
	struct reader reader;
	int ends[2];

	if (ours >= 0)
		close(ours);
	assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
	ours = ends[1];
	reader_init(&reader, ends[0], awaited, tells_end, START);
	return reader;
}

static void type(void)
{
	assert_int_equal(write(ours, "\n", 1), 1);
}

static void end(void)
{
	close(ours);
	ours = -1;
}

/* What is seen so many ms after the readiness line. */
static unsigned look(struct reader *reader, uint64_t ms)
{
	int fd = reader->fd;
	unsigned events = reader_look(reader, START + ms * MS);

	if (reader->fd < 0)
		close(fd);
	return events;
}

static unsigned end_at(uint64_t ms, bool awaited)
{
	struct reader reader = reader_of(awaited, true);
	unsigned events;

	end();
	events = look(&reader, ms);
	assert_int_equal(reader.fd, -1);
	assert_false(reader.awaited);
	return events;
}

static void end_within_a_second_tells_nothing(void **state)
{
	(void)state;
	assert_int_equal(end_at(0, false), READER_UNKNOWN);
	assert_int_equal(end_at(999, false), READER_UNKNOWN);
	assert_int_equal(end_at(1000, false), READER_LEFT);
	assert_int_equal(end_at(100000, false), READER_LEFT);
}

static void bytes_change_nothing_of_that(void **state)
{
	struct reader reader = reader_of(false, true);

	(void)state;
	type();
	assert_int_equal(look(&reader, 100), 0);
	assert_int_equal(look(&reader, 100), 0); /* nothing there */
	end();
	assert_int_equal(look(&reader, 500), READER_UNKNOWN);
	reader = reader_of(false, true);
	type();
	assert_int_equal(look(&reader, 100), 0);
	end();
	assert_int_equal(look(&reader, 1000), READER_LEFT);
}

static void end_before_the_byte_is_an_arrival(void **state)
{
	(void)state;
	assert_int_equal(end_at(0, true), READER_CAME | READER_UNKNOWN);
	assert_int_equal(end_at(2999, true), READER_CAME | READER_UNKNOWN);
	assert_int_equal(end_at(3000, true), READER_CAME | READER_LEFT);
}

/* Whoever typed Enter held stdin open: no second begins anew. */
static void end_after_the_byte_counts_at_once(void **state)
{
	static const uint64_t typed[] = {0, 100, 2000, 2999, 3000, 60000};

	(void)state;
	for (size_t i = 0; i < sizeof(typed) / sizeof(*typed); i++) {
		struct reader reader = reader_of(true, true);

		type();
		assert_int_equal(look(&reader, typed[i]), READER_CAME);
		assert_false(reader.awaited);
		type();
		assert_int_equal(look(&reader, typed[i]), 0);
		end();
		assert_int_equal(look(&reader, typed[i]), READER_LEFT);
	}
}

static void ignored_it_tells_no_end(void **state)
{
	struct reader reader = reader_of(true, false);
	int fd = reader.fd;

	(void)state;
	type();
	assert_int_equal(reader_look(&reader, START), READER_CAME);
	assert_int_equal(reader.fd, -1); /* and is not looked at any more */
	close(fd);
	reader = reader_of(true, false);
	end();
	assert_int_equal(look(&reader, 5000), READER_CAME);
}

static void prompt_comes_every_2_s_until_the_reader_does(void **state)
{
	struct reader reader = reader_of(true, true);

	(void)state;
	assert_true(reader_prompts(&reader, START));
	assert_false(reader_prompts(&reader, START + 1999 * MS));
	assert_true(reader_prompts(&reader, START + 2000 * MS));
	assert_int_equal(reader.prompt_at, START + 4000 * MS);
	type();
	assert_int_equal(look(&reader, 2500), READER_CAME);
	assert_false(reader_prompts(&reader, START + 9000 * MS));
	close(reader.fd);
}

/* Whatever comes when: a reader comes once, stdin ends once, and after a byte no end is doubtful. */
static void any_order(void **state)
{
	unsigned seed = unit_seed((unsigned)getpid());

	(void)state;
	print_message("seed %u\n", seed);
	srandom(seed);
	for (int round = 0; round < 2000; round++) {
		bool awaited = random() % 2, tells_end = !awaited || random() % 4;
		struct reader reader = reader_of(awaited, tells_end);
		int fd = reader.fd;
		unsigned all = 0;

		for (uint64_t ms = 0; ms < 5000 && reader.fd >= 0; ms += (uint64_t)(random() % 900)) {
			unsigned events;

			if (random() % 4 == 0)
				end();
			else if (random() % 3 == 0)
				type();
			events = reader_look(&reader, START + ms * MS);
			assert_int_equal(all & events, 0);
			all |= events;
			if (ours < 0 && reader.fd >= 0) /* the byte was first */
				all |= reader_look(&reader, START + ms * MS);
			if (ours < 0)
				assert_int_equal(reader.fd, -1);
		}
		assert_false((all & READER_CAME) && !awaited);
		assert_false((all & READER_UNKNOWN) && (all & READER_LEFT));
		assert_false((all & READER_UNKNOWN) && reader.seen);
		assert_false(!tells_end && (all & (READER_LEFT | READER_UNKNOWN)));
		close(fd);
	}
}

#define MIB (UINT64_C(1) << 20)

/* Only what left in the last one to two seconds can be on its way. */
static void behind_only_after_a_stream_of_speed(void **state)
{
	struct reader reader = reader_of(false, true);
	uint64_t sent = 0, now = START;

	(void)state;
	assert_false(reader_is_behind(&reader, MIB));
	assert_true(reader_is_behind(&reader, MIB + 1));
	for (int turn = 0; turn < 1000; turn++) { /* 100 KB/s for 100 s */
		now += 100 * MS;
		sent += 10000;
		reader_sent(&reader, sent, now);
		assert_false(reader_is_behind(&reader, sent));
	}
	for (int turn = 0; turn < 20; turn++) { /* 2 MB/s */
		now += 100 * MS;
		sent += 200000;
		reader_sent(&reader, sent, now);
	}
	assert_true(reader_is_behind(&reader, sent));
	now += 3 * CLOCK_SECOND; /* a pause: it has arrived */
	reader_sent(&reader, sent, now);
	assert_false(reader_is_behind(&reader, sent));
	assert_false(reader_is_behind(&reader, sent + 100000));
	assert_true(reader_is_behind(&reader, sent + 2 * MIB));
	close(reader.fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(end_within_a_second_tells_nothing),
		cmocka_unit_test(bytes_change_nothing_of_that),
		cmocka_unit_test(end_before_the_byte_is_an_arrival),
		cmocka_unit_test(end_after_the_byte_counts_at_once),
		cmocka_unit_test(ignored_it_tells_no_end),
		cmocka_unit_test(prompt_comes_every_2_s_until_the_reader_does),
		cmocka_unit_test(any_order),
		cmocka_unit_test(behind_only_after_a_stream_of_speed),
	};

	return cmocka_run_group_tests_name("reader", tests, NULL, NULL);
}
