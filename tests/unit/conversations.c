#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "summary/conversations.h"
#include "summary/protocols.h"

static struct conversations *all;

static int set_up(void **state)
{
	struct siphash_key key = {1, 2};
	struct err err = {0};

	(void)state;
	all = conversations_open(&key, &err);
	assert_non_null(all);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	conversations_close(all);
	return 0;
}

static struct dissected packet(uint8_t from, uint16_t from_port, uint8_t to, uint16_t to_port, uint8_t flags)
{
	return (struct dissected){
		.ethertype = DISSECT_IPV4,
		.version = 4,
		.ports = true,
		.protocol = PROTOCOL_TCP,
		.flags = flags,
		.from = {{10, 0, 0, from}, from_port},
		.to = {{10, 0, 0, to}, to_port},
	};
}

static void add(struct dissected what, uint64_t seconds, uint64_t bytes)
{
	int side;

	conversations_add(all, conversations_chain(all, &what), &what, seconds * CLOCK_SECOND, bytes, &side);
}

enum { SYN = DISSECT_SYN, ACK = DISSECT_ACK, SYN_ACK = SYN | ACK, FIN = DISSECT_FIN | ACK, RST = DISSECT_RST };

static const struct conversation *only(uint8_t a)
{
	const struct conversation *one = conversations_at(all, 0);

	assert_int_equal(conversations_count(all), 1);
	assert_int_equal(one->ends[0].address[3], a);
	return one;
}

static size_t unanswered(void)
{
	const struct conversation *list[4];
	size_t total;

	conversations_rank(all, CONVERSATIONS_BY_UNANSWERED, list, 4, &total);
	return total;
}

static void a_connection(void **state)
{
	const struct conversation *one;

	(void)state;
	add(packet(1, 4000, 2, 80, SYN), 5, 60);
	add(packet(1, 4000, 2, 80, SYN), 6, 60);
	assert_int_equal(unanswered(), 1);
	add(packet(2, 80, 1, 4000, SYN_ACK), 7, 61);
	add(packet(1, 4000, 2, 80, ACK), 8, 54);
	add(packet(2, 80, 1, 4000, FIN), 9, 1000);
	add(packet(1, 4000, 2, 80, FIN), 4, 54);
	add(packet(2, 80, 1, 4000, RST), 8, 40);
	one = only(1);
	assert_int_equal(one->sent[0].packets, 4);
	assert_int_equal(one->sent[0].bytes, 228);
	assert_int_equal(one->sent[1].packets, 3);
	assert_int_equal(one->sent[1].bytes, 1101);
	assert_int_equal(one->flags[0].syn, 2);
	assert_int_equal(one->flags[1].syn_ack, 1);
	assert_int_equal(one->flags[0].syn_ack + one->flags[1].syn, 0);
	assert_int_equal(one->flags[0].fin, 1);
	assert_int_equal(one->flags[1].fin, 1);
	assert_int_equal(one->flags[0].rst, 0);
	assert_int_equal(one->flags[1].rst, 1);
	assert_int_equal(one->first, 4 * CLOCK_SECOND);
	assert_int_equal(one->last, 9 * CLOCK_SECOND);
	assert_int_equal(unanswered(), 0);
}

/* A is who sent the first SYN, also when another packet was seen before it; who is to get the SYN+ACK; else the first.
 */
static void which_is_a(void **state)
{
	static const struct {
		uint8_t from[4], flags[4], a;
	} cases[] = {
		{{1, 2}, {SYN, SYN_ACK}, 1}, {{2, 1}, {ACK, SYN}, 1},	      {{2, 1}, {SYN_ACK, ACK}, 1},
		{{2, 1}, {ACK, ACK}, 2},     {{1, 2, 2}, {SYN, ACK, SYN}, 1}, {{2, 1, 2}, {FIN, RST, SYN_ACK}, 1},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t packets[3] = {0};

		set_up(state);
		for (size_t n = 0; n < 4 && cases[i].from[n]; n++) {
			uint8_t from = cases[i].from[n];

			add(packet(from, 7, 3 - from, 7, cases[i].flags[n]), 1, 60);
			packets[from]++;
		}
		assert_int_equal(only(cases[i].a)->sent[0].packets, packets[cases[i].a]);
		assert_int_equal(only(cases[i].a)->sent[1].packets, packets[3 - cases[i].a]);
		tear_down(state);
	}
}

/* An answer is a SYN+ACK or a RST of the other side. */
static void answers(void **state)
{
	(void)state;
	add(packet(1, 1, 9, 80, SYN), 1, 60);
	add(packet(1, 2, 9, 80, SYN), 1, 60);
	add(packet(9, 80, 1, 2, RST | ACK), 1, 60);
	add(packet(1, 3, 9, 80, SYN), 1, 60);
	add(packet(1, 3, 9, 80, RST), 1, 60);
	add(packet(1, 4, 9, 80, ACK), 1, 60);
	assert_int_equal(unanswered(), 2);
}

/* What differs in anything is another conversation. */
static void what_tells_them_apart(void **state)
{
	struct dissected base = packet(1, 4000, 2, 80, 0), other = base;

	(void)state;
	add(base, 1, 1);
	other.protocol = PROTOCOL_UDP;
	add(other, 1, 1);
	other = base;
	other.version = 6;
	add(other, 1, 1);
	other = base;
	other.ports = false;
	add(other, 1, 1);
	add(packet(1, 80, 2, 4000, 0), 1, 1);
	add(packet(1, 4000, 3, 80, 0), 1, 1);
	add(packet(2, 80, 1, 4000, 0), 1, 1); /* the first one */
	assert_int_equal(conversations_count(all), 6);
}

static struct dissected numbered(uint32_t number)
{
	struct dissected one = packet(1, 4000, 2, 80, SYN);

	memcpy(one.from.address + 4, &number, sizeof(number));
	one.version = 6;
	return one;
}

static void a_full_table(void **state)
{
	const struct conversation *top[3];
	size_t total;

	(void)state;
	for (uint32_t n = 0; n < CONVERSATIONS_MAX + 1000; n++)
		add(numbered(n), 1, n == 77 ? 500 : 60);
	assert_int_equal(conversations_count(all), CONVERSATIONS_MAX);
	assert_int_equal(conversations_left_out(all), 1000);
	/* Those that are known are still counted. */
	add(numbered(CONVERSATIONS_MAX - 1), 1, 600);
	assert_int_equal(conversations_left_out(all), 1000);
	assert_int_equal(conversations_rank(all, CONVERSATIONS_BY_BYTES, top, 3, &total), 3);
	assert_int_equal(total, CONVERSATIONS_MAX);
	assert_int_equal(top[0]->sent[0].bytes, 660);
	assert_int_equal(top[1]->sent[0].bytes, 500);
	assert_ptr_equal(top[2], conversations_at(all, 0));
}

/* Against sorting all of them by hand. */
static void ranks(void **state)
{
	unsigned seed = unit_seed(7);

	(void)state;
	print_message("seed %u\n", seed);
	srandom(seed);
	for (int n = 0; n < 3000; n++)
		add(numbered((uint32_t)random() % 300), 1, (uint64_t)random() % 50);
	for (size_t max = 1; max < 400; max += 57) {
		const struct conversation *list[400];
		size_t total, count = conversations_rank(all, CONVERSATIONS_BY_BYTES, list, max, &total);

		assert_int_equal(total, conversations_count(all));
		assert_int_equal(count, max < total ? max : total);
		for (size_t i = 0; i < count; i++) {
			size_t before = 0;

			for (size_t j = 0; j < total; j++) {
				const struct conversation *other = conversations_at(all, j);

				before += other->sent[0].bytes > list[i]->sent[0].bytes ||
					  (other->sent[0].bytes == list[i]->sent[0].bytes && other < list[i]);
			}
			assert_int_equal(before, i);
		}
	}
}

/* The vectors of the paper's reference code: key 00 01 .. 0f, the first bytes of 00 01 02 ... */
static void hash(void **state)
{
	const struct siphash_key key = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};
	unsigned char text[15];

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (unsigned char)i;
	assert_true(siphash(&key, text, 0) == UINT64_C(0x726fdb47dd0e0e31));
	assert_true(siphash(&key, text, 1) == UINT64_C(0x74f839c593dc67fd));
	assert_true(siphash(&key, text, 8) == UINT64_C(0x93f5f5799a932462));
	assert_true(siphash(&key, text, 15) == UINT64_C(0xa129ca6149be45e5));
}

/* More ethertypes than the table has: none is lost. */
static void protocols(void **state)
{
	static struct protocols counts;
	static struct protocols_row rows[PROTOCOLS_MAX];
	struct dissected tcp = packet(1, 1, 2, 2, 0), odd = {.ethertype = DISSECT_ARP};
	uint64_t packets = 0;
	size_t count;

	(void)state;
	protocols_add(&counts, &odd, 1);
	for (unsigned type = 0x9200; type < 0x9200 + 100; type++) {
		odd.ethertype = (uint16_t)type;
		protocols_add(&counts, &odd, 60);
	}
	protocols_add(&counts, &tcp, 1000000);
	tcp.protocol = 200;
	tcp.vlan = tcp.fragment = true;
	protocols_add(&counts, &tcp, 9000);
	count = protocols_rows(&counts, rows);
	assert_int_equal(count, 2 + PROTOCOLS_TYPES + 1);
	for (size_t i = 0; i < count; i++)
		packets += rows[i].count.packets;
	assert_int_equal(packets, 103);
	assert_string_equal(rows[0].name, "TCP");
	assert_string_equal(rows[1].name, "IP protocol 200");
	assert_string_equal(rows[2].name, "other ethertypes");
	assert_int_equal(rows[2].count.packets, 101 - PROTOCOLS_TYPES);
	assert_string_equal(rows[3].name, "ethertype 0x9200");
	assert_string_equal(rows[count - 1].name, "ARP");
	assert_int_equal(counts.version4.packets, 2);
	assert_int_equal(counts.tagged.bytes, 9000);
	assert_int_equal(counts.fragments.packets, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_connection, set_up, tear_down),
		cmocka_unit_test(which_is_a),
		cmocka_unit_test_setup_teardown(answers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_tells_them_apart, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_full_table, set_up, tear_down),
		cmocka_unit_test_setup_teardown(ranks, set_up, tear_down),
		cmocka_unit_test(hash),
		cmocka_unit_test(protocols),
	};

	return cmocka_run_group_tests_name("conversations", tests, NULL, NULL);
}
