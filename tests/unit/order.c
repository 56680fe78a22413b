#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "format/pcap_read.h"
#include "read/order.h"

#define MOST 60000

static unsigned seed;

/* The numbers of the packets as they came out. */
static struct {
	uint32_t number[MOST];
	size_t count;
	size_t fails_after;
} out;

static uint64_t times[MOST]; /* of packet n */
static unsigned char data[PCAP_READ_CAPLEN_MAX];

static int collect(void *context, const struct packet *packet, struct err *err)
{
	uint32_t number = packet->header.length;

	assert_ptr_equal(context, &out);
	if (out.fails_after && out.count >= out.fails_after)
		return err_set(err, STATUS_READER, "gone");
	for (uint32_t i = 0; i < packet->header.caplen; i += 97)
		assert_true(packet->data[i] == (number & 255));
	assert_true(packet->origin.interface == number % 7 && packet->origin.flags == number);
	assert_true(out.count < MOST);
	out.number[out.count++] = number;
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

	out.count = out.fails_after = 0;
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_within_the_window),
		cmocka_unit_test(random_through_the_window),
		cmocka_unit_test(late),
		cmocka_unit_test(sizes),
		cmocka_unit_test(nanoseconds),
		cmocka_unit_test(failing_output),
	};

	seed = unit_seed((unsigned)time(NULL));
	print_message("order: seed %u (SEED=%u repeats it)\n", seed, seed);
	return cmocka_run_group_tests_name("order", tests, NULL, NULL);
}
