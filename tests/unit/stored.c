/* stored.c: what goes into a snapshot, and that the rest is counted, whatever the recorder does meanwhile. channel.c.
 */
#include "unit.h"

#include <string.h>
#include <unistd.h>

#include "record/area.h"
#include "record/channel.h"
#include "record/stored.h"

#define SIZE ((uint64_t)64 << 10)
#define STORED 6000 /* bytes of each: ten of them at most */

static struct area area;
static struct area_view view;
static struct capture_set captures;
static struct stored stored;
static struct deliver_store source;

/* As a recorder does it; each has as many packets as its number, and one that the kernel dropped. */
static void store(uint32_t number)
{
	static unsigned char data[STORED];
	const struct segment segment = {.used = STORED + 1,
					.stored = STORED,
					.number = number,
					.packets = number,
					.first = number * UINT64_C(10),
					.last = number * UINT64_C(10) + 9,
					.dropped = 1};
	struct area_series *series = &area.series[number % 2];

	memset(data, (int)number, sizeof(data));
	area_change(&area);
	while (!area_has_room(&area, STORED)) {
		const struct area_entry *entry = area_drop_oldest(&area);
		struct overwritten *gone = &area.series[entry->place].account.overwritten;

		gone->files++;
		gone->packets += entry->packets;
		gone->bytes += entry->used;
		gone->dropped += entry->dropped;
	}
	area_changed(&area);
	area_copy_in(&area, data, STORED);
	area_change(&area);
	area_enter(&area, &segment, number % 2, 0);
	series->account.received += number + 1;
	series->account.dropped++;
	area_changed(&area);
}

static void begin(uint32_t count)
{
	struct err err = {0};
	int fd = area_create(SIZE, &err);

	assert_true(fd >= 0);
	assert_int_equal(area_map(&area, fd, &err), 0);
	area_begin(&area, 2, 5);
	strcpy(area.series[0].name, "eth0");
	strcpy(area.series[1].name, "eth1");
	area_start(&area);
	for (uint32_t number = 1; number <= count; number++)
		store(number);
	area.series[0].account.received += 3; /* in the ring, or in an open file */
	assert_int_equal(area_open(&view, fd, &err), 0);
	close(fd);
}

static void begin_snapshot(uint64_t since)
{
	struct err err = {0};

	assert_int_equal(area_look(&view, &err), 0);
	assert_int_equal(stored_open(&stored, &view, &captures, since, &err), 0);
	source = stored_source(&stored);
}

/* The identity of both, with what was given up. */
static void end_snapshot(void)
{
	for (unsigned i = 0; i < captures.count; i++) {
		const struct account *account = &captures.list[i].account;

		assert_int_equal(account->received, account->written + account->dropped + account->overwritten.packets +
							    account->not_yet_stored);
		assert_int_equal(account->not_yet_stored, i == 0 ? 3 : 0);
	}
	stored_close(&stored);
	capture_set_close(&captures);
}

static void end(void)
{
	area_close(&view);
	area_unmap(&area);
}

static void all_of_it_oldest_first(void **state)
{
	const struct segment *segment;

	(void)state;
	begin(4);
	begin_snapshot(0);
	assert_int_equal(source.waiting(&stored), 4);
	for (uint32_t number = 1; number <= 4; number++) {
		segment = source.next(&stored);
		assert_non_null(segment);
		assert_int_equal(segment->number, number);
		assert_string_equal(segment->series->name, number % 2 ? "eth1" : "eth0");
		assert_int_equal(segment->stored, STORED);
		assert_true(segment->data[0] == number && segment->data[STORED - 1] == number);
	}
	assert_null(source.next(&stored));
	assert_int_equal(stored.missed, 0);
	assert_true(stored.from == 10 && stored.to == 49);
	assert_int_equal(captures.list[0].account.written, 6);
	assert_int_equal(captures.list[0].account.overwritten.files, 0);
	end_snapshot();
	end();
}

static void what_is_overwritten_meanwhile_is_counted(void **state)
{
	const struct segment *segment;

	(void)state;
	begin(8);
	begin_snapshot(0);
	segment = source.next(&stored);
	assert_int_equal(segment->number, 1);
	for (uint32_t number = 9; number <= 14; number++)
		store(number);
	while ((segment = source.next(&stored))) {
		assert_true(segment->number > area.header->state.first && segment->number <= 8);
		assert_true(segment->data[0] == segment->number);
	}
	assert_int_equal(stored.missed, area.header->state.first - 1);
	assert_true(stored.missed > 0);
	assert_int_equal(captures.list[0].account.overwritten.files + captures.list[1].account.overwritten.files,
			 stored.missed);
	end_snapshot();
	end();
}

static void what_is_too_old_is_left_out_and_counted(void **state)
{
	(void)state;
	begin(6);
	begin_snapshot(49); /* which is the last moment of 4 */
	assert_int_equal(((const struct segment *)source.next(&stored))->number, 4);
	assert_int_equal(((const struct segment *)source.next(&stored))->number, 5);
	assert_int_equal(((const struct segment *)source.next(&stored))->number, 6);
	assert_null(source.next(&stored));
	assert_int_equal(stored.missed, 0);
	assert_int_equal(captures.list[1].account.overwritten.packets, 1 + 3);
	end_snapshot();
	end();
}

static void what_is_dropped_is_given_up(void **state)
{
	(void)state;
	begin(5);
	begin_snapshot(0);
	(void)source.next(&stored);
	source.drop(&stored);
	assert_null(source.next(&stored));
	assert_int_equal(captures.list[0].series.given_up, 2 + 4);
	assert_int_equal(captures.list[1].series.given_up, 3 + 5);
	assert_int_equal(captures.list[0].account.overwritten.packets, 0);
	end_snapshot();
	end();
}

static void a_message_comes_as_it_was_sent_and_the_end_shows(void **state)
{
	struct channel_message sent = {.kind = CHANNEL_FROZEN, .account = 7, .text = "reset on eth0"}, came;
	struct err err = {0};
	int ends[2];

	(void)state;
	assert_int_equal(channel_open(ends, &err), 0);
	assert_int_equal(channel_receive(ends[1], &came), CHANNEL_EMPTY);
	assert_true(channel_send(ends[0], &sent));
	assert_int_equal(channel_receive(ends[1], &came), CHANNEL_MESSAGE);
	assert_memory_equal(&came, &sent, sizeof(sent));
	assert_int_equal(write(ends[0], "x", 1), 1); /* what is no message ends it */
	assert_int_equal(channel_receive(ends[1], &came), CHANNEL_CLOSED);
	close(ends[0]);
	assert_int_equal(channel_receive(ends[1], &came), CHANNEL_CLOSED);
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_of_it_oldest_first),
		cmocka_unit_test(what_is_overwritten_meanwhile_is_counted),
		cmocka_unit_test(what_is_too_old_is_left_out_and_counted),
		cmocka_unit_test(what_is_dropped_is_given_up),
		cmocka_unit_test(a_message_comes_as_it_was_sent_and_the_end_shows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
