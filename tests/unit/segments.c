#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "segments.h"

#define SEGMENT 4096
#define SNAPLEN 1000
#define SECOND CLOCK_SECOND

static unsigned char header[PACKET_FILE_HEADER] = "this stands in a header";
static unsigned char payload[SNAPLEN];

struct fixture {
	struct pool pool;
	struct segments segments;
};

static void start(struct fixture *f, unsigned count, struct segments_limits limits, uint64_t interval,
		  bool packet_clock)
{
	struct err err = {0};

	assert_int_equal(pool_open(&f->pool, (size_t)count * SEGMENT, SEGMENT, &err), 0);
	segments_init(&f->segments, &f->pool, &limits, header, SNAPLEN, PACKET_TICK_MICRO);
	segments_start_clock(&f->segments, 100 * SECOND, interval, packet_clock);
}

static enum verdict add(struct fixture *f, uint64_t time, uint32_t caplen)
{
	struct packet_header record = {(uint32_t)(time / SECOND), (uint32_t)(time % SECOND / 1000), caplen, caplen + 5};

	assert_true(segments_room(&f->segments));
	return segments_add(&f->segments, record, payload);
}

/* Small packets are copied in pieces: no size may lose a byte, or take one that lies behind. */
static void every_size_is_copied_whole(void **state)
{
	struct fixture f;

	(void)state;
	for (uint32_t size = 0; size <= SNAPLEN; size++) {
		unsigned char *exact = malloc(size ? size : 1);
		struct packet_header record = {1, 2, size, size};
		unsigned char *copied;

		assert_non_null(exact);
		for (uint32_t i = 0; i < size; i++)
			exact[i] = (unsigned char)(i * 7 + size);
		start(&f, 1, (struct segments_limits){0}, 0, false);
		memset(f.pool.memory, 0xee, SEGMENT);
		segments_add(&f.segments, record, exact);
		copied = f.segments.open->data + PACKET_FILE_HEADER;
		assert_memory_equal(copied, &record, sizeof(record));
		assert_memory_equal(copied + sizeof(record), exact, size);
		assert_int_equal(copied[sizeof(record) + size], 0xee);
		pool_close(&f.pool);
		free(exact);
	}
}

static void by_size(void **state)
{
	struct fixture f;
	struct segment *segment;

	(void)state;
	start(&f, 4, (struct segments_limits){0}, 0, false);
	/* 24 + 4 * 1016 = 4088: a fifth does not fit. */
	for (int i = 0; i < 4; i++)
		assert_int_equal(add(&f, 5 * SECOND, SNAPLEN), VERDICT_GO);
	assert_null(segments_pop(&f.segments));
	assert_int_equal(add(&f, 6 * SECOND, SNAPLEN), VERDICT_SEALED);
	segment = segments_pop(&f.segments);
	assert_non_null(segment);
	assert_int_equal(segment->used, 4088);
	assert_int_equal(segment->packets, 4);
	assert_int_equal(segment->number, 1);
	assert_memory_equal(segment->data, header, PACKET_FILE_HEADER);
	pool_give(&f.pool, segment);
	pool_close(&f.pool);
}

static void just_fits(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, 4, (struct segments_limits){0}, 0, false);
	for (int i = 0; i < 3; i++)
		add(&f, 0, SNAPLEN);
	assert_int_equal(add(&f, 0, SEGMENT - 24 - 3 * (16 + SNAPLEN) - 2 * 16), VERDICT_GO);
	assert_int_equal(add(&f, 0, 0), VERDICT_GO);
	assert_int_equal(f.segments.open->used, SEGMENT);
	assert_int_equal(add(&f, 0, 0), VERDICT_SEALED);
	pool_close(&f.pool);
}

/* The pool runs full; what is given back is used again, and nothing is asked of an empty pool. */
static void full_and_back(void **state)
{
	struct fixture f;
	struct segment *segment;
	int taken = 0;

	(void)state;
	start(&f, 4, (struct segments_limits){0}, 0, false);
	while (segments_room(&f.segments)) {
		add(&f, 0, SNAPLEN);
		taken++;
	}
	assert_int_equal(taken, 16);
	assert_int_equal(f.pool.free_count, 0);
	segment = segments_pop(&f.segments);
	pool_give(&f.pool, segment);
	assert_true(segments_room(&f.segments));
	add(&f, 0, SNAPLEN);
	assert_ptr_equal(f.segments.open, segment); /* last in, first out */
	pool_close(&f.pool);
}

static void count_limit(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, 4, (struct segments_limits){.packets = 3}, 0, false);
	assert_int_equal(add(&f, 0, 1), VERDICT_GO);
	assert_int_equal(add(&f, 0, 1), VERDICT_GO);
	assert_int_equal(add(&f, 0, 1), VERDICT_COUNT);
	pool_close(&f.pool);
}

static void byte_limit(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, 4, (struct segments_limits){.bytes = UINT64_C(2) * (16 + 84)}, 0, false);
	assert_int_equal(add(&f, 0, 84), VERDICT_GO);
	assert_int_equal(add(&f, 0, 85), VERDICT_BYTES);
	assert_int_equal(f.segments.packets, 1);
	assert_int_equal(add(&f, 0, 84), VERDICT_GO);
	assert_int_equal(f.segments.bytes, 200);
	assert_int_equal(add(&f, 0, 0), VERDICT_BYTES);
	pool_close(&f.pool);
}

static void segment_limit(void **state)
{
	struct fixture f;
	int taken = 0;

	(void)state;
	start(&f, 8, (struct segments_limits){.segments = 2}, 0, false);
	while (add(&f, 0, SNAPLEN) != VERDICT_SEGMENTS)
		taken++;
	assert_int_equal(taken, 8);
	assert_true(segments_complete(&f.segments));
	assert_null(f.segments.open);
	pool_close(&f.pool);
}

/* 1 s, 2, 4, 8, then 10; only cuts that cut something count, and the beat is kept over a pause. */
static void doubling_clock(void **state)
{
	static const uint64_t intervals[] = {1, 2, 4, 8, 10, 10};
	struct fixture f;
	uint64_t now = 100 * SECOND;

	(void)state;
	start(&f, 8, (struct segments_limits){0}, 0, false);
	assert_int_equal(segments_due(&f.segments), 0);
	for (size_t i = 0; i < sizeof(intervals) / sizeof(intervals[0]); i++) {
		add(&f, 0, 1);
		assert_true(segments_due(&f.segments) == now + intervals[i] * SECOND);
		now += intervals[i] * SECOND;
		assert_false(segments_tick(&f.segments, now - 1));
		assert_true(segments_tick(&f.segments, now));
		pool_give(&f.pool, segments_pop(&f.segments));
	}
	assert_false(segments_tick(&f.segments, now + 1003 * SECOND));
	add(&f, 0, 1);
	assert_true(segments_due(&f.segments) == now + 1010 * SECOND);
	pool_close(&f.pool);
}

static void packet_clock(void **state)
{
	struct fixture f;
	struct segment *segment;

	(void)state;
	start(&f, 8, (struct segments_limits){.duration = 25 * SECOND}, 10 * SECOND, true);
	assert_int_equal(add(&f, 1000 * SECOND, 1), VERDICT_GO);
	assert_int_equal(add(&f, 1009 * SECOND, 1), VERDICT_GO);
	assert_int_equal(add(&f, 900 * SECOND, 1), VERDICT_GO); /* backwards: no cut, and no end */
	assert_int_equal(add(&f, 1010 * SECOND, 1), VERDICT_SEALED);
	segment = segments_pop(&f.segments);
	assert_int_equal(segment->packets, 3);
	assert_true(segment->first == 900 * SECOND);
	assert_true(segment->last == 1009 * SECOND);
	assert_int_equal(add(&f, 1025 * SECOND, 1), VERDICT_DURATION);
	pool_close(&f.pool);
}

/* With the packet clock any packet may begin a segment, so one has to be free. */
static void packet_clock_room(void **state)
{
	struct fixture f;
	uint64_t time = 0;

	(void)state;
	start(&f, 4, (struct segments_limits){0}, SECOND, true);
	while (segments_room(&f.segments))
		add(&f, time += SECOND, 1);
	assert_int_equal(f.pool.free_count, 0);
	assert_int_equal(f.segments.sealed_count, 3);
	pool_close(&f.pool);
}

/* Random packets, sizes and pops: what comes out is what went in, in order, and no segment is torn. */
static void random_traffic(void **state)
{
	unsigned seed = unit_seed((unsigned)clock_real());
	struct fixture f;
	uint32_t next_in = 0, next_out = 0;

	(void)state;
	print_message("seed %u (replay with SEED=%u)\n", seed, seed);
	srandom(seed);
	start(&f, 4 + (unsigned)random() % 5, (struct segments_limits){0}, 0, false);
	for (int step = 0; step < 20000; step++) {
		if (random() % 3 && segments_room(&f.segments)) {
			memcpy(payload, &next_in, 4);
			next_in++;
			add(&f, 0, 4 + (uint32_t)random() % (SNAPLEN - 3));
		} else {
			struct segment *segment = segments_pop(&f.segments);
			size_t at = PACKET_FILE_HEADER;
			uint64_t packets = 0;

			if (!segment) {
				segments_seal(&f.segments);
				continue;
			}
			while (at < segment->used) {
				struct packet_header record;

				memcpy(&record, segment->data + at, sizeof(record));
				assert_memory_equal(segment->data + at + sizeof(record), &next_out, 4);
				assert_int_equal(record.length, record.caplen + 5);
				next_out++;
				packets++;
				at += sizeof(record) + record.caplen;
			}
			assert_int_equal(at, segment->used);
			assert_int_equal(packets, segment->packets);
			assert_true(segment->packets > 0);
			pool_give(&f.pool, segment);
		}
	}
	assert_true(next_out > 1000);
	pool_close(&f.pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_size_is_copied_whole),
		cmocka_unit_test(by_size),
		cmocka_unit_test(just_fits),
		cmocka_unit_test(full_and_back),
		cmocka_unit_test(count_limit),
		cmocka_unit_test(byte_limit),
		cmocka_unit_test(segment_limit),
		cmocka_unit_test(doubling_clock),
		cmocka_unit_test(packet_clock),
		cmocka_unit_test(packet_clock_room),
		cmocka_unit_test(random_traffic),
	};

	return cmocka_run_group_tests_name("segments", tests, NULL, NULL);
}
