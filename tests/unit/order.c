#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "format/pcap_read.h"
#include "read/order.h"

#define MOST 60000
#define MEMBER(number) (1 + (number) / 5000) /* of those that come in runs */

static unsigned seed;

/* The numbers of the packets as they came out. */
static struct {
	uint32_t number[MOST];
	size_t count;
	size_t runs; /* in so many calls */
	size_t fails_after;
} out;

static uint64_t times[MOST]; /* of packet n */
static unsigned char data[PCAP_READ_CAPLEN_MAX];

static void collect_one(const struct packet *packet)
{
	uint32_t number = packet->header.length;

	for (uint32_t i = 0; i < packet->header.caplen; i += 97)
		assert_true(packet->data[i] == (number & 255));
	if (packet->origin.member)
		assert_true(packet->origin.member == MEMBER(number) && packet->origin.number == number + 1);
	else
		assert_true(packet->origin.interface == number % 7 && packet->origin.flags == number);
	assert_true(out.count < MOST);
	out.number[out.count++] = number;
}

/* No packet is earlier than the one before it, within what is given at once. */
static int collect(void *context, const struct packet_run *run, struct err *err)
{
	struct packet_run rest = *run;
	uint64_t time = 0;

	assert_ptr_equal(context, &out);
	if (out.fails_after && out.count >= out.fails_after)
		return err_set(err, STATUS_READER, "gone");
	assert_true(rest.count > 0);
	out.runs++;
	while (rest.count > 0) {
		struct packet packet;

		packet_run_take(&rest, &packet);
		assert_true(packet_time(&packet.header, packet.origin.tick) >= time);
		time = packet_time(&packet.header, packet.origin.tick);
		collect_one(&packet);
	}
	assert_true(rest.size == 0 && time == run->last);
	return 0;
}

static int add(struct order *order, uint32_t number, uint64_t microseconds, uint32_t caplen)
{
	struct err err = {0};
	struct packet packet = {
		.header = {(uint32_t)(microseconds / 1000000), (uint32_t)(microseconds % 1000000), caplen, number},
		.origin = {PACKET_TICK_MICRO, number % 7, number},
		.data = data};

	times[number] = microseconds;
	memset(data, (int)(number & 255), caplen);
	return order_add(order, &packet, &err);
}

static void open_order(struct order *order, size_t memory)
{
	struct err err = {0};

	out.count = out.runs = out.fails_after = 0;
	assert_int_equal(order_open(order, memory, collect, &out, &err), 0);
}

static void flush(struct order *order)
{
	struct err err = {0};

	assert_int_equal(order_flush(order, &err), 0);
}

static uint32_t random_below(uint32_t n)
{
	return (uint32_t)rand_r(&seed) % n;
}

/* All that fits into the window comes out as a stable sort has it: here insertion's result is checked, not made. */
static void check_stable(size_t count)
{
	static bool seen[MOST];

	memset(seen, 0, sizeof(seen));
	assert_int_equal(out.count, count);
	for (size_t i = 0; i < count; i++) {
		uint32_t now = out.number[i];

		assert_false(seen[now]);
		seen[now] = true;
		if (i > 0) {
			uint32_t before = out.number[i - 1];

			assert_true(times[before] < times[now] || (times[before] == times[now] && before < now));
		}
	}
}

static void random_within_the_window(void **state)
{
	struct order order;

	(void)state;
	for (int round = 0; round < 20; round++) {
		size_t count = random_below(8000);

		open_order(&order, ORDER_MEMORY_MIN);
		for (uint32_t n = 0; n < count; n++)
			assert_int_equal(add(&order, n, random_below(500), random_below(100)), 0);
		flush(&order);
		check_stable(count);
		assert_int_equal(order.late, 0);
		assert_int_equal(order.packets, count);
		order_close(&order);
	}
}

/* Many windows full, where no packet is further from its place than the window allows: sorted, none late. */
static void random_through_the_window(void **state)
{
	struct order order;
	uint32_t count = MOST;

	(void)state;
	open_order(&order, ORDER_MEMORY_MIN);
	for (uint32_t n = 0; n < count; n++)
		assert_int_equal(add(&order, n, n + random_below(1000), random_below(200)), 0);
	assert_true(out.count > 0);
	flush(&order);
	check_stable(count);
	assert_int_equal(order.late, 0);
	order_close(&order);
}

/* What comes too late is all there, in the order in which it came, and counted; the rest is sorted. */
static void late(void **state)
{
	static bool is_late[MOST];
	struct order order;
	uint64_t latest = 0, expected = 0;
	uint32_t last_late = 0;

	(void)state;
	memset(is_late, 0, sizeof(is_late));
	open_order(&order, ORDER_MEMORY_MIN);
	for (uint32_t n = 0; n < MOST; n++) {
		bool back = n % 100 == 99;
		uint64_t before = order.late;

		assert_int_equal(add(&order, n, back ? 1000 - n / 100 : 1000000 + n, 100), 0);
		is_late[n] = order.late > before;
		/* Late is what is earlier than something that is out already. */
		assert_int_equal(is_late[n], back && out.count > 0);
		expected += is_late[n];
	}
	flush(&order);
	assert_true(expected > 100);
	assert_int_equal(order.late, expected);
	assert_int_equal(out.count, MOST);
	for (size_t i = 0; i < out.count; i++) {
		uint32_t n = out.number[i];

		if (is_late[n]) {
			assert_true(last_late < n);
			last_late = n;
		} else {
			assert_true(times[n] >= latest);
			latest = times[n];
		}
	}
	order_close(&order);
}

static void sizes(void **state)
{
	struct order order;

	(void)state;
	/* The longest records there are, and so many without data that the index is full. */
	open_order(&order, ORDER_MEMORY_MIN);
	for (uint32_t n = 0; n < 50; n++)
		assert_int_equal(add(&order, n, 50 - n % 2, PCAP_READ_CAPLEN_MAX - n), 0);
	flush(&order);
	assert_int_equal(out.count, 50);
	order_close(&order);

	open_order(&order, 3 * ORDER_MEMORY_MIN);
	for (uint32_t n = 0; n < MOST; n++)
		assert_int_equal(add(&order, n, n, 0), 0);
	assert_int_equal(out.count, 0);
	flush(&order);
	check_stable(MOST);
	order_close(&order);
}

static void nanoseconds(void **state)
{
	struct order order;

	(void)state;
	/* 1500000 of them after 0 s: is that before 1 s, or behind it? */
	for (uint32_t tick = 1; tick <= 1000; tick += 999) {
		struct packet packets[2] = {
			{.header = {1, 0, 0, 0}, .origin = {tick, 0, 0}, .data = data},
			{.header = {0, 1500000, 0, 1}, .origin = {tick, 1, 1}, .data = data},
		};
		struct err err = {0};

		open_order(&order, ORDER_MEMORY_MIN);
		assert_int_equal(order_add(&order, &packets[0], &err), 0);
		assert_int_equal(order_add(&order, &packets[1], &err), 0);
		flush(&order);
		assert_int_equal(out.number[0], tick == 1);
		order_close(&order);
	}
}

/* An output that fails is asked no more for what it has, and nothing is read that is not there. */
static void failing_output(void **state)
{
	struct order order;
	struct err err = {0};
	uint32_t n = 0;

	(void)state;
	open_order(&order, ORDER_MEMORY_MIN);
	out.fails_after = 3000;
	while (n < MOST && add(&order, n, MOST - n, random_below(200)) == 0)
		n++;
	assert_true(n < MOST);
	assert_int_equal(order_flush(&order, &err), -1);
	assert_int_equal(out.count, 3000);
	out.fails_after = 0;
	flush(&order);
	check_stable(n);
	order_close(&order);
}

static unsigned char records[1 << 19];

/*
 * The packets from there on as a run: until a time is earlier than the one before it, a member ends, or the buffer is
 * full. Each time is in times already.
 */
static struct packet_run make_run(uint32_t from, uint32_t count, uint32_t caplen)
{
	struct packet_run run = {.records = records, .origin = {PACKET_TICK_MICRO, 0, 0, MEMBER(from), from + 1}};

	for (uint32_t n = from; n < count && MEMBER(n) == MEMBER(from); n++) {
		struct packet_header header = {(uint32_t)(times[n] / 1000000), (uint32_t)(times[n] % 1000000), caplen,
					       n};

		if (run.count > 0 && (times[n] < times[n - 1] || sizeof(records) - run.size < sizeof(header) + caplen))
			break;
		memcpy(records + run.size, &header, sizeof(header));
		memset(records + run.size + sizeof(header), (int)(n & 255), caplen);
		run.size += sizeof(header) + caplen;
		run.last = packet_time(&header, PACKET_TICK_MICRO);
		run.count++;
	}
	return run;
}

/* What comes out of packets with such times, in runs or one by one. */
static void put_all(struct order *order, uint32_t count, uint32_t caplen, bool in_runs)
{
	struct err err = {0};

	open_order(order, ORDER_MEMORY_MIN);
	for (uint32_t n = 0; n < count;) {
		struct packet_run run = make_run(n, count, caplen);

		n += run.count;
		if (in_runs)
			assert_int_equal(order_add_run(order, &run, &err), 0);
		while (!in_runs && run.count > 0) {
			struct packet packet;

			packet_run_take(&run, &packet);
			assert_int_equal(order_add(order, &packet, &err), 0);
		}
	}
	flush(order);
	assert_int_equal(out.count, count);
	assert_int_equal(order->packets, count);
	order_close(order);
}

/* Runs are no more than a quicker way to say it: the same packets come in the same order, and as many are late. */
static void runs_are_as_their_packets(void **state)
{
	static uint32_t one_by_one[MOST];
	struct order order;
	uint64_t late = 0, late_in_all = 0;

	(void)state;
	for (uint32_t round = 0; round < 24; round++) {
		uint32_t count = 1000 + random_below(MOST - 1000), caplen = random_below(200);
		uint32_t back = random_below(3) ? random_below(5000) : random_below(60000),
			 seldom = 1 + random_below(300);

		for (uint32_t n = 0; n < count; n++)
			times[n] = (1000000 + n - (random_below(seldom) ? 0 : random_below(back + 1)) - n % 4999 / 3) /
				   (1 + round % 4);
		put_all(&order, count, caplen, false);
		memcpy(one_by_one, out.number, count * sizeof(out.number[0]));
		late = order.late;
		put_all(&order, count, caplen, true);
		assert_memory_equal(one_by_one, out.number, count * sizeof(out.number[0]));
		assert_int_equal(order.late, late);
		if (late == 0)
			check_stable(count);
		late_in_all += late;
	}
	assert_true(late_in_all > 0);
}

/* What is in order already is given on as it came: a window of packets in a few calls. */
static void in_order_means_few_calls(void **state)
{
	struct order order;

	(void)state;
	for (uint32_t n = 0; n < MOST; n++)
		times[n] = n / 3;
	put_all(&order, MOST, 60, true);
	check_stable(MOST);
	assert_true(out.runs < 40);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_within_the_window),
		cmocka_unit_test(random_through_the_window),
		cmocka_unit_test(late),
		cmocka_unit_test(sizes),
		cmocka_unit_test(nanoseconds),
		cmocka_unit_test(failing_output),
		cmocka_unit_test(runs_are_as_their_packets),
		cmocka_unit_test(in_order_means_few_calls),
	};

	seed = unit_seed((unsigned)time(NULL));
	print_message("order: seed %u (SEED=%u repeats it)\n", seed, seed);
	return cmocka_run_group_tests_name("order", tests, NULL, NULL);
}
