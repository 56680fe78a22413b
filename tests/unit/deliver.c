#include "unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "archive/deliver.h"

#define SEGMENT ((size_t)4 << 20)
#define SEGMENTS 4
#define CAPLEN 60000

static struct options options = {.name = "pod", .filter = "", .compression = COMPRESSION_ZSTD};
static struct interface interface = {
	.capture = {.fd = -1, .interface = "eth0", .link_type = "EN10MB", .link_type_number = 1, .snaplen = 65535},
	.ledger = {.capture = &interface.capture},
};
static struct capture_set captures = {.list = &interface, .count = 1};

/* A delivery of what compresses to half, into a pipe that holds less than that. */
struct parts {
	struct delivery delivery;
	struct segments segments;
	struct pool pool;
	struct sink sink;
	int reader, writer;
	uint64_t packets; /* in each segment */
};

static void fill(struct parts *parts)
{
	static unsigned char data[CAPLEN];
	const struct packet_header header = {1, 0, CAPLEN, CAPLEN};
	uint64_t sealed = interface.series.sealed_count;

	for (size_t i = 0; i < CAPLEN / 2; i++)
		data[i] = (unsigned char)random();
	parts->packets = 0;
	while (interface.series.sealed_count == sealed && parts->packets < SEGMENT / (CAPLEN + 16)) {
		segments_add(&interface.series, header, data);
		for (size_t i = 0; i < CAPLEN / 2; i++)
			data[i] = (unsigned char)random();
		parts->packets++;
	}
	segments_seal(&parts->segments);
}

static struct parts *begin(void)
{
	static const struct segments_limits limits;
	static const unsigned char header[PACKET_FILE_HEADER];
	const struct segments_format format = {
		.front = header, .front_size = sizeof(header), .snaplen = 65535, .tick = PACKET_TICK_MICRO};
	struct parts *parts = calloc(1, sizeof(*parts));
	struct delivery *delivery = &parts->delivery;
	struct manifest_setup setup = {&options, &captures, &parts->pool};
	struct err err = {0};
	int pipes[2];

	assert_int_equal(pipe2(pipes, O_NONBLOCK), 0);
	parts->reader = pipes[0];
	parts->writer = pipes[1];
	assert_int_equal(sink_init(&parts->sink, pipes[1], &err), 0);
	assert_int_equal(pool_open(&parts->pool, SEGMENTS * SEGMENT, SEGMENT, SEGMENT, &err), 0);
	segments_init(&parts->segments, &parts->pool, &limits);
	interface.series = (struct series){.interface = "eth0", .name = "eth0"};
	segments_add_series(&parts->segments, &interface.series, &format);
	outbox_init(&delivery->outbox);
	delivery->compress = compress_open(SEGMENT, &err);
	assert_int_equal(deliver_start(delivery, &parts->segments, &parts->sink,
				       tar_open(&delivery->outbox, options.name, &err), manifest_open(&setup, &err), 1,
				       &err),
			 0);
	assert_int_equal(deliver_advance(delivery, 1, &err), DELIVER_IDLE);
	return parts;
}

static void end(struct parts *parts)
{
	tar_close(parts->delivery.tar);
	manifest_close(parts->delivery.manifest);
	compress_close(parts->delivery.compress);
	pool_close(&parts->pool);
	close(parts->reader);
	close(parts->writer);
	free(parts);
}

static void finish(struct parts *parts, enum deliver_result result)
{
	char bytes[65536];
	struct err err = {0};

	deliver_finish(&parts->delivery, CAUSE_SIGNAL, NULL);
	for (int turn = 0; result != DELIVER_DONE && turn < 10000; turn++) {
		(void)!read(parts->reader, bytes, sizeof(bytes));
		result = deliver_advance(&parts->delivery, 2, &err);
		assert_true(result == DELIVER_WAITING || result == DELIVER_BUSY || result == DELIVER_DONE);
	}
	assert_int_equal(result, DELIVER_DONE);
	assert_int_equal(parts->pool.free_count, SEGMENTS);
}

/* Others have their turn after each MiB; the segment's memory is free before the reader has taken it. */
static void in_turns(void **state)
{
	struct parts *parts = begin();
	struct err err = {0};

	(void)state;
	fill(parts);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(deliver_advance(&parts->delivery, 1, &err), DELIVER_BUSY);
		assert_int_equal(parts->pool.free_count, SEGMENTS - 1);
		assert_true(outbox_empty(&parts->delivery.outbox));
	}
	assert_int_equal(deliver_advance(&parts->delivery, 1, &err), DELIVER_WAITING);
	assert_int_equal(parts->pool.free_count, SEGMENTS);
	assert_true(parts->delivery.outbox.pending > 0 && parts->delivery.outbox.started);
	deliver_drop(&parts->delivery); /* it has begun to leave */
	assert_int_equal(interface.series.given_up, 0);
	finish(parts, DELIVER_WAITING);
	assert_int_equal(parts->delivery.packets, parts->packets);
	assert_int_equal(parts->delivery.files, 1);
	end(parts);
}

/* What is half compressed has not begun to leave. */
static void dropped_meanwhile(void **state)
{
	struct parts *parts = begin();
	struct err err = {0};

	(void)state;
	fill(parts);
	fill(parts);
	assert_int_equal(deliver_advance(&parts->delivery, 1, &err), DELIVER_BUSY);
	deliver_drop(&parts->delivery);
	assert_int_equal(interface.series.given_up, 2 * parts->packets);
	assert_int_equal(parts->pool.free_count, SEGMENTS);
	assert_int_equal(deliver_advance(&parts->delivery, 1, &err), DELIVER_IDLE);
	fill(parts);
	finish(parts, DELIVER_IDLE);
	assert_int_equal(parts->delivery.packets, parts->packets);
	assert_int_equal(parts->delivery.files, 1);
	end(parts);
}

/* One that is all in the outbox, none of it sent: its memory is not given back twice. */
static void dropped_before_it_leaves(void **state)
{
	struct parts *parts = begin();
	struct err err = {0};
	char bytes[65536] = {0};

	(void)state;
	while (write(parts->writer, bytes, sizeof(bytes)) > 0)
		;
	fill(parts);
	while (deliver_advance(&parts->delivery, 1, &err) == DELIVER_BUSY)
		;
	assert_false(parts->delivery.outbox.started);
	assert_int_equal(parts->pool.free_count, SEGMENTS);
	deliver_drop(&parts->delivery);
	assert_int_equal(interface.series.given_up, parts->packets);
	assert_int_equal(parts->pool.free_count, SEGMENTS);
	finish(parts, DELIVER_IDLE);
	assert_int_equal(parts->delivery.files, 0);
	end(parts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_turns),
		cmocka_unit_test(dropped_meanwhile),
		cmocka_unit_test(dropped_before_it_leaves),
	};

	return cmocka_run_group_tests_name("deliver", tests, NULL, NULL);
}
