/* recorder.c: what is stored, overwritten, wiped and given up, each counted where it belongs. */
#include "unit.h"

#include <string.h>
#include <unistd.h>

#include "record/recorder.h"

#define SEGMENT ((size_t)32 << 10)
#define SEGMENTS 8
#define AREA ((uint64_t)128 << 10)
#define CAPLEN 1000

static struct recorder recorder;
static struct interface interfaces[2];
static struct capture_set captures = {.list = interfaces, .count = 2};
static struct segments segments;
static struct pool pool;

static void begin(void)
{
	static const struct segments_limits limits;
	static const unsigned char header[PACKET_FILE_HEADER];
	const struct segments_format format = {
		.front = header, .front_size = sizeof(header), .snaplen = 1500, .tick = PACKET_TICK_MICRO};
	struct err err = {0};
	int fd = area_create(AREA, &err);

	memset(&recorder, 0, sizeof(recorder));
	assert_int_equal(pool_open(&pool, SEGMENTS * SEGMENT, SEGMENT, SEGMENT, &err), 0);
	segments_init(&segments, &pool, &limits);
	for (int i = 0; i < 2; i++) {
		interfaces[i] =
			(struct interface){.capture = {.fd = -1}, .series = {.interface = "eth", .name = "eth"}};
		ledger_init(&interfaces[i].ledger, &interfaces[i].capture, &interfaces[i].series,
			    &interfaces[i].account);
		segments_add_series(&segments, &interfaces[i].series, &format);
	}
	segments_start_clock(&segments, 1, 1000, false);
	assert_int_equal(area_map(&recorder.area, fd, &err), 0);
	close(fd);
	recorder_init(&recorder, &captures, &segments, NULL);
	recorder_start(&recorder);
}

static void end(void)
{
	area_unmap(&recorder.area);
	pool_close(&pool);
}

/* A file of so many packets, opened at a time. */
static void record(int place, unsigned packets, uint64_t at)
{
	static const unsigned char data[CAPLEN] = {1};
	const struct packet_header header = {1, 0, CAPLEN, CAPLEN};

	(void)segments_tick(&segments, at);
	for (unsigned i = 0; i < packets; i++) {
		segments_add(&interfaces[place].series, header, data);
		interfaces[place].capture.read++;
		interfaces[place].capture.received++;
	}
}

static void seal(void)
{
	segments_seal(&segments);
	while (recorder_advance(&recorder))
		;
	assert_int_equal(pool.free_count, SEGMENTS);
}

static uint64_t stored(int place)
{
	return recorder.area.series[place].stored.packets;
}

static uint64_t overwritten(int place)
{
	return interfaces[place].account.overwritten.packets;
}

static void what_is_overwritten_is_counted_for_its_interface(void **state)
{
	(void)state;
	begin();
	for (int i = 0; i < 20; i++) {
		record(i % 2, 20, 1);
		seal();
		for (int place = 0; place < 2; place++)
			assert_int_equal(stored(place) + overwritten(place), interfaces[place].series.packets);
	}
	assert_true(overwritten(0) > 0 && overwritten(1) > 0);
	assert_int_equal(interfaces[0].account.overwritten.bytes, overwritten(0) / 20 * (24 + 20 * (CAPLEN + 16)));
	assert_int_equal(recorder.area.series[0].account.overwritten.packets, overwritten(0));
	end();
}

/* The area is smaller than a file can be: it is not stored, and nothing fails. */
static void one_that_has_no_room_is_left_out(void **state)
{
	(void)state;
	begin();
	record(0, 5, 1);
	seal();
	recorder.area.header->data = recorder.area.room = 6000; /* as if it were */
	recorder.area.header->state.first = recorder.area.header->state.end;
	record(0, 20, 2);
	seal();
	assert_int_equal(overwritten(0), 20);
	record(0, 5, 3);
	seal();
	assert_int_equal(area_count(&recorder.area), 1);
	end();
}

static void no_more_records_than_the_limit_on_bytes(void **state)
{
	(void)state;
	begin();
	recorder.max_bytes = UINT64_C(30) * (CAPLEN + 16);
	for (int i = 0; i < 10; i++) {
		record(0, 10, 1);
		seal();
	}
	assert_int_equal(stored(0), 30);
	assert_int_equal(overwritten(0), 70);
	record(0, 31, 1);
	seal();
	assert_int_equal(stored(0), 0); /* one of more than all is allowed */
	end();
}

/* In the order in which they were opened, whichever was sealed first. */
static void what_is_too_old_is_wiped_with_what_lies_before_it(void **state)
{
	(void)state;
	begin();
	recorder.keep = 1000000;
	record(1, 1, 100);
	record(0, 2, 500);
	interfaces[0].series.open->opened = 500;
	segments_make_room(&segments); /* that of 1 */
	seal();
	assert_int_equal(stored(0) + stored(1), 3);
	record(1, 1, 600);
	seal();
	recorder_expire(&recorder, 1000099);
	assert_int_equal(overwritten(0) + overwritten(1), 0);
	assert_int_equal(recorder_due(&recorder), 1000100 + CLOCK_SECOND / 2);
	recorder_expire(&recorder, 1000100);
	assert_int_equal(overwritten(1), 1);
	recorder_expire(&recorder, 1000600);
	assert_int_equal(area_count(&recorder.area), 0);
	assert_int_equal(recorder_due(&recorder), 0);
	for (uint64_t i = 0; i < recorder.area.header->data; i++)
		assert_int_equal(recorder.area.data[i], 0);
	end();
}

static void one_that_was_open_longer_waits_behind_none_that_is_younger(void **state)
{
	(void)state;
	begin();
	recorder.keep = 1000;
	record(0, 1, 1);
	interfaces[0].series.open->opened = 400;
	seal();
	record(1, 1, 2);
	interfaces[1].series.open->opened = 100;
	seal();
	recorder_expire(&recorder, 1100);
	assert_int_equal(area_count(&recorder.area), 0);
	end();
}

static void nothing_leaves_before_it_may_and_then_all_in_order(void **state)
{
	struct deliver_store store = recorder_store(&recorder);
	struct segment *segment;
	uint32_t number = 0;

	(void)state;
	begin();
	for (int i = 0; i < 5; i++) {
		record(0, 20, 1);
		seal();
	}
	assert_null(store.next(store.context));
	assert_int_equal(store.waiting(store.context), 0);
	recorder.released = true;
	assert_int_equal(store.waiting(store.context), area_count(&recorder.area));
	while ((segment = store.next(store.context))) {
		assert_true(number == 0 || segment->number == number + 1);
		number = segment->number;
		assert_int_equal(segment->stored, segment->used);
		assert_int_equal(segment->data[24 + 16], 1); /* a packet's first byte, also of one in two pieces */
		assert_ptr_equal(segment->series, &interfaces[0].series);
	}
	assert_int_equal(number, 5);
	end();
}

static void what_is_dropped_is_given_up_wherever_it_is(void **state)
{
	struct deliver_store store = recorder_store(&recorder);

	(void)state;
	begin();
	record(0, 20, 1);
	seal();
	record(0, 7, 1);
	record(1, 3, 1);
	segments_seal(&segments);
	store.drop(store.context);
	assert_int_equal(interfaces[0].series.given_up, 27);
	assert_int_equal(interfaces[1].series.given_up, 3);
	assert_int_equal(pool.free_count, SEGMENTS);
	assert_int_equal(area_count(&recorder.area), 0);
	end();
}

/* Also when nothing was open; and not before what was is stored. */
static void each_request_is_answered(void **state)
{
	(void)state;
	begin();
	recorder_ask(&recorder, 0);
	seal();
	assert_int_equal(recorder.area.header->answers, 1);
	record(0, 1, 1);
	recorder_ask(&recorder, 7);
	recorder_ask(&recorder, 8);
	seal();
	assert_int_equal(recorder.area.header->answers, 3);
	assert_int_equal(stored(0), 1);
	assert_int_equal(recorder.area.series[0].account.received, 1);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_overwritten_is_counted_for_its_interface),
		cmocka_unit_test(one_that_has_no_room_is_left_out),
		cmocka_unit_test(no_more_records_than_the_limit_on_bytes),
		cmocka_unit_test(what_is_too_old_is_wiped_with_what_lies_before_it),
		cmocka_unit_test(one_that_was_open_longer_waits_behind_none_that_is_younger),
		cmocka_unit_test(nothing_leaves_before_it_may_and_then_all_in_order),
		cmocka_unit_test(what_is_dropped_is_given_up_wherever_it_is),
		cmocka_unit_test(each_request_is_answered),
	};

	return cmocka_run_group_tests_name("recorder", tests, NULL, NULL);
}
