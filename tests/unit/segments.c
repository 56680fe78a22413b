#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture/segments.h"
#include "format/pcap_read.h"

#define SEGMENT 4096
#define SNAPLEN 1000
#define SECOND CLOCK_SECOND

static unsigned char header[PACKET_FILE_HEADER] = "this stands in a header";
static unsigned char payload[SNAPLEN];

static const struct segments_format pcap = {
	.front = header, .front_size = sizeof(header), .snaplen = SNAPLEN, .tick = PACKET_TICK_MICRO};

struct fixture {
	struct pool pool;
	struct segments segments;
	struct series series;
};

static void start(struct fixture *f, unsigned count, struct segments_limits limits, uint64_t interval,
		  bool packet_clock)
{
	struct err err = {0};

	assert_int_equal(pool_open(&f->pool, (size_t)count * SEGMENT, SEGMENT, SEGMENT, &err), 0);
	segments_init(&f->segments, &f->pool, &limits);
	f->series = (struct series){.name = "eth0"};
	segments_add_series(&f->segments, &f->series, &pcap);
	segments_start_clock(&f->segments, 100 * SECOND, interval, packet_clock);
}

static enum verdict add(struct fixture *f, uint64_t time, uint32_t caplen)
{
	struct packet_header record = {(uint32_t)(time / SECOND), (uint32_t)(time % SECOND / 1000), caplen, caplen + 5};

	assert_true(segments_room(&f->series));
	return segments_add(&f->series, record, payload);
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
		segments_add(&f.series, record, exact);
		copied = f.series.open->data + PACKET_FILE_HEADER;
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
	assert_int_equal(f.series.open->used, SEGMENT);
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
	while (segments_room(&f.series)) {
		add(&f, 0, SNAPLEN);
		taken++;
	}
	assert_int_equal(taken, 16);
	assert_int_equal(f.pool.free_count, 0);
	segment = segments_pop(&f.segments);
	pool_give(&f.pool, segment);
	assert_true(segments_room(&f.series));
	add(&f, 0, SNAPLEN);
	assert_ptr_equal(f.series.open, segment); /* last in, first out */
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
	assert_null(f.series.open);
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
	while (segments_room(&f.series))
		add(&f, time += SECOND, 1);
	assert_int_equal(f.pool.free_count, 0);
	assert_int_equal(f.series.sealed_count, 3);
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
		if (random() % 3 && segments_room(&f.series)) {
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

/* As many series as the tests of several have. */
#define MANY 20

struct many {
	struct pool pool;
	struct segments segments;
	struct series series[MANY];
};

static void start_many(struct many *m, unsigned count, struct segments_limits limits)
{
	struct err err = {0};

	memset(m->series, 0, sizeof(m->series));
	assert_int_equal(pool_open(&m->pool, (size_t)count * SEGMENT, SEGMENT, SEGMENT, &err), 0);
	segments_init(&m->segments, &m->pool, &limits);
	for (int i = 0; i < MANY; i++)
		segments_add_series(&m->segments, &m->series[i], &pcap);
	segments_start_clock(&m->segments, 100 * SECOND, SECOND, false);
}

static enum verdict add_one(struct series *series)
{
	return segments_add(series, (struct packet_header){1, 2, 100, 100}, payload);
}

/* All are open and none waits: the one that was opened first makes room, also when it is not the first in the list. */
static void oldest_makes_room(void **state)
{
	struct segment *segment;
	struct many m;

	(void)state;
	start_many(&m, 4, (struct segments_limits){0});
	for (int i = 0; i < 4; i++)
		add_one(&m.series[(i + 2) % 4]);
	assert_true(segments_all_open(&m.segments));
	assert_false(segments_room(&m.series[9]));
	assert_true(segments_room(&m.series[0])); /* in what it has */
	segments_make_room(&m.segments);
	assert_false(segments_all_open(&m.segments)); /* one is about to be free */
	assert_false(segments_room(&m.series[9]));
	segment = segments_pop(&m.segments);
	assert_ptr_equal(segment->series, &m.series[2]);
	pool_give(&m.pool, segment);
	assert_true(segments_room(&m.series[9]));
	add_one(&m.series[9]);
	segments_make_room(&m.segments);
	assert_ptr_equal(segments_pop(&m.segments)->series, &m.series[3]);
	pool_close(&m.pool);
}

static void fill_large(unsigned char *large, size_t size)
{
	for (size_t i = 0; i < size; i++)
		large[i] = (unsigned char)(i * 13);
}

/* Those that grow are few, within the memory; while no more can there is no room, and they are the first to make it. */
static void some_grow_for_a_large_packet(void **state)
{
	static unsigned char large[9000];
	const struct packet_header record = {1, 2, sizeof(large), sizeof(large)};
	struct segments_format format = pcap;
	struct segment *segment;
	struct err err = {0};
	struct many m = {0};

	(void)state;
	format.snaplen = 10000;
	fill_large(large, sizeof(large));
	assert_int_equal(pool_open(&m.pool, (size_t)12 * SEGMENT, SEGMENT, (size_t)3 * SEGMENT, &err), 0);
	assert_int_equal(m.pool.count, 8);
	assert_int_equal(pool_memory(&m.pool), 12 * SEGMENT);
	segments_init(&m.segments, &m.pool, &(struct segments_limits){0});
	for (int i = 0; i < 4; i++)
		segments_add_series(&m.segments, &m.series[i], &format);
	segments_start_clock(&m.segments, 100 * SECOND, SECOND, false);
	add_one(&m.series[3]);
	for (int round = 0; round < 20; round++) {
		assert_int_equal(segments_add(&m.series[0], record, large), VERDICT_GO);
		assert_int_equal(segments_add(&m.series[1], record, large), VERDICT_FULL);
		for (int i = 0; i < 4; i++)
			assert_false(segments_room(&m.series[i]));
		assert_true(segments_all_open(&m.segments));
		segments_make_room(&m.segments); /* not the oldest, which would be no help */
		assert_false(segments_all_open(&m.segments));
		segment = segments_pop(&m.segments);
		assert_ptr_equal(segment->series, &m.series[0]);
		assert_int_equal(segment->used, PACKET_FILE_HEADER + sizeof(record) + sizeof(large));
		assert_memory_equal(segment->data + segment->used - sizeof(large), large, sizeof(large));
		pool_give(&m.pool, segment);
		assert_true(segments_room(&m.series[3]));
		/* What follows does not go behind the large one. */
		assert_int_equal(add_one(&m.series[1]), VERDICT_SEALED);
		segment = segments_pop(&m.segments);
		assert_int_equal(segment->packets, 1);
		pool_give(&m.pool, segment);
		segments_seal(&m.segments);
		while ((segment = segments_pop(&m.segments)))
			pool_give(&m.pool, segment);
		add_one(&m.series[3]);
	}
	assert_int_equal(m.pool.free_count, 7);
	pool_close(&m.pool);
}

/* On the clock all are sealed together, in the series' order; each has its own numbers. */
static void cut_together(void **state)
{
	struct many m;

	(void)state;
	start_many(&m, 8, (struct segments_limits){0});
	for (int round = 1; round <= 2; round++) {
		for (int i = 2; i >= 0; i--)
			add_one(&m.series[i]);
		assert_true(segments_tick(&m.segments, (100 + (uint64_t)round) * SECOND));
		for (int i = 0; i < 3; i++) {
			struct segment *segment = segments_pop(&m.segments);

			assert_ptr_equal(segment->series, &m.series[i]);
			assert_int_equal(segment->number, round);
			pool_give(&m.pool, segment);
		}
	}
	assert_int_equal(m.segments.packets, 6);
	assert_int_equal(m.series[0].packets, 2);
	assert_int_equal(m.series[5].packets, 0);
	pool_close(&m.pool);
}

/* The limit on segments is each series' own; packets and bytes are counted over all. */
static void limits_of_many(void **state)
{
	struct many m;

	(void)state;
	start_many(&m, 8, (struct segments_limits){.segments = 2, .packets = 5});
	for (int i = 0; i < 3; i++)
		assert_int_equal(add_one(&m.series[i]), VERDICT_GO);
	segments_seal(&m.segments);
	assert_false(segments_complete(&m.segments));
	assert_int_equal(add_one(&m.series[1]), VERDICT_GO);
	segments_seal(&m.segments);
	assert_true(segments_complete(&m.segments));
	assert_int_equal(add_one(&m.series[1]), VERDICT_SEGMENTS);
	assert_int_equal(add_one(&m.series[2]), VERDICT_COUNT);
	pool_close(&m.pool);
}

/* Many series over few segments, one behind the other at random: no packet is lost, none waits for ever. */
static void many_over_few(void **state)
{
	unsigned seed = unit_seed((unsigned)clock_real());
	uint64_t sent[MANY] = {0}, come[MANY] = {0};
	struct segment *segment;
	struct many m;

	(void)state;
	print_message("seed %u (replay with SEED=%u)\n", seed, seed);
	srandom(seed);
	start_many(&m, 4, (struct segments_limits){0});
	for (int step = 0; step < 20000; step++) {
		int i = (int)(random() % MANY);

		if (!segments_room(&m.series[i])) {
			if (segments_all_open(&m.segments))
				segments_make_room(&m.segments);
			segment = segments_pop(&m.segments);
			assert_non_null(segment);
			come[segment->series - m.series] += segment->packets;
			pool_give(&m.pool, segment);
		}
		assert_true(segments_room(&m.series[i]));
		add_one(&m.series[i]);
		sent[i]++;
	}
	segments_seal(&m.segments);
	while ((segment = segments_pop(&m.segments)))
		come[segment->series - m.series] += segment->packets;
	assert_memory_equal(sent, come, sizeof(sent));
	pool_close(&m.pool);
}

/* A segment as a pcapng file: the packets from first on, and then the counters. Returns the packets. */
static uint32_t check_blocks(const struct segment *segment, uint32_t first)
{
	static struct pcap_read records;
	struct packet packet = {.data = NULL};
	uint32_t n = first, type;

	assert_in_range(segment->used, 0, SEGMENT);
	memcpy(&type, segment->data + segment->used - PCAPNG_STATISTICS_SIZE, sizeof(type));
	assert_int_equal(type, PCAPNG_STATISTICS);
	pcap_read_begin(&records, PCAP_READ_OURS);
	pcap_read_feed(&records, segment->data, segment->used);
	assert_int_equal(pcap_read_next(&records, &packet), PCAP_READ_HEADER);
	while (pcap_read_next(&records, &packet) == PCAP_READ_PACKET) {
		uint32_t caplen = packet.header.caplen;

		assert_int_equal(packet.header.length, caplen + 5);
		assert_int_equal(packet.header.seconds, 1700000000);
		assert_int_equal(packet.header.fraction, n);
		assert_int_equal(packet.origin.flags, n % 3);
		for (uint32_t i = 0; i < caplen; i++)
			assert_true(packet.data[i] == (n * 3 & 255));
		n++;
	}
	assert_true(pcap_read_complete(&records));
	assert_int_equal(n - first, segment->packets);
	return n - first;
}

/* pcapng to the last byte of a segment, whatever the sizes, and the counters still fit. */
static void blocks(void **state)
{
	static unsigned char front[PCAPNG_FRONT_MAX];
	struct segments_format format = {.pcapng = true, .front = front, .snaplen = SNAPLEN, .tick = 1};
	struct pcapng_statistics statistics = {1, 2, 3, 4, 5};
	uint32_t in = 0, out = 0, full = 0;
	struct err err = {0};
	struct fixture f;

	(void)state;
	format.front_size = pcapng_put_section(front, &(struct pcapng_section){.comment = "x"});
	format.front_size += pcapng_put_interface(front + format.front_size, &(struct pcapng_interface){.name = "y"});
	assert_int_equal(pool_open(&f.pool, (size_t)2 * SEGMENT, SEGMENT, SEGMENT, &err), 0);
	segments_init(&f.segments, &f.pool, &(struct segments_limits){0});
	f.series = (struct series){.name = "eth0"};
	segments_add_series(&f.segments, &f.series, &format);
	segments_start_clock(&f.segments, 0, 0, false);
	while (in < 20000) {
		uint32_t caplen = random() % 4 ? (uint32_t)random() % 70 : SNAPLEN - (uint32_t)random() % 9;
		uint64_t bytes = f.segments.bytes;
		struct segment *segment;
		enum verdict verdict;

		memset(payload, (int)(in * 3 & 255), caplen);
		verdict = segments_add_block(&f.series, 1700000000 * SECOND + in, caplen, caplen + 5, in % 3, payload);
		in++;
		assert_int_equal(f.segments.bytes - bytes, pcapng_packet_size(caplen, (in - 1) % 3));
		if (verdict == VERDICT_GO)
			continue;
		if (!f.segments.sealed)
			segments_seal(&f.segments);
		segments_put_statistics(&f.series, &statistics);
		segment = segments_pop(&f.segments);
		full += SEGMENT - segment->used < SNAPLEN + 60;
		out += check_blocks(segment, out);
		pool_give(&f.pool, segment);
	}
	assert_true(out > 19000 && full > 1000);
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
		cmocka_unit_test(oldest_makes_room),
		cmocka_unit_test(some_grow_for_a_large_packet),
		cmocka_unit_test(cut_together),
		cmocka_unit_test(limits_of_many),
		cmocka_unit_test(many_over_few),
		cmocka_unit_test(blocks),
	};

	return cmocka_run_group_tests_name("segments", tests, NULL, NULL);
}
