#include "unit.h"

#include <string.h>

#include "base/clock.h"
#include "record/first.h"
#include "summary/dissect.h"

#define PAYLOAD 100
#define WHOLE (54 + PAYLOAD)
#define START (1800000000 * CLOCK_SECOND)

static unsigned char packet[WHOLE];

/* A segment of plain TCP over Ethernet and IPv4, of connection and direction as its addresses and ports say. */
static uint32_t keep(struct first *first, uint32_t connection, uint32_t interface, uint32_t sequence, uint64_t time)
{
	const struct layers_link link = layers_link(LINK_ETHERNET);
	struct layers layers;

	memset(packet, 0, 54);
	packet[12] = 8;
	packet[14] = 0x45;
	packet[17] = WHOLE - 14;
	packet[23] = PROTOCOL_TCP;
	memcpy(packet + 26, &connection, sizeof(connection));
	packet[38] = (unsigned char)(sequence >> 24);
	packet[39] = (unsigned char)(sequence >> 16);
	packet[40] = (unsigned char)(sequence >> 8);
	packet[41] = (unsigned char)sequence;
	packet[46] = 0x50;
	assert_true(layers_find(&layers, &link, packet, sizeof(packet), sizeof(packet)));
	return first_keep(first, &layers, packet, sizeof(packet), interface, START + time);
}

static struct first *open_first(uint64_t bytes)
{
	const struct siphash_key key = {unit_seed(1), 2};
	struct err err = {0};
	struct first *first = first_open(bytes, &key, &err);

	assert_non_null(first);
	return first;
}

/* So many that nothing has to give way. */
static void ten_thousand_connections_are_known_at_once(void **state)
{
	struct first *first = open_first(PAYLOAD);
	unsigned whole = 0;

	(void)state;
	for (uint32_t i = 0; i < 20000; i++)
		assert_int_equal(keep(first, i, 0, 1, i), WHOLE);
	for (uint32_t i = 0; i < 20000; i++)
		whole += keep(first, i, 0, 1 + PAYLOAD, CLOCK_SECOND) == WHOLE;
	assert_true(whole < 200); /* of places with nine of them: 64, more or less */
	first_close(first);
}

/* With more than it has room for none is cut too early, and those that are alive are cut as before. */
static void a_full_table_forgets_those_that_are_idle(void **state)
{
	struct first *first = open_first(PAYLOAD);
	unsigned whole = 0;

	(void)state;
	for (uint32_t i = 0; i < 4 * FIRST_FLOWS; i++) {
		uint64_t time = i * (CLOCK_SECOND / 1000);

		assert_int_equal(keep(first, 1000 + i, 0, 1, time), WHOLE);
		if (i % 500 == 0) /* one that lives through it all */
			whole += keep(first, 0, 0, 1 + i / 500 * PAYLOAD, time) == WHOLE;
	}
	assert_int_equal(whole, 1);
	/* The oldest are long forgotten: they count as new. */
	for (uint32_t i = 0; i < 100; i++)
		assert_int_equal(keep(first, 1000 + i, 0, 1 + PAYLOAD, 500 * CLOCK_SECOND), WHOLE);
	first_close(first);
}

static void interfaces_count_by_themselves(void **state)
{
	struct first *first = open_first(PAYLOAD);

	(void)state;
	for (uint32_t interface = 0; interface < 256; interface++) {
		assert_int_equal(keep(first, 7, interface, 1, 0), WHOLE);
		assert_int_equal(keep(first, 7, interface, 1 + PAYLOAD, 0), 54);
	}
	first_close(first);
}

/* A clock that is set back makes nobody idle, and nobody new. */
static void time_may_go_back(void **state)
{
	struct first *first = open_first(PAYLOAD);

	(void)state;
	assert_int_equal(keep(first, 7, 0, 1, 1000 * CLOCK_SECOND), WHOLE);
	assert_int_equal(keep(first, 7, 0, 1 + PAYLOAD, 0), 54);
	assert_int_equal(keep(first, 7, 0, 1 + 70000 + PAYLOAD, 0), 54);
	first_close(first);
}

/* Of the bytes 0 to 6, and 0 to 14: as "openssl mac" has it, with c-rounds:1 and d-rounds:3. */
static void the_hash_is_siphash_1_3(void **state)
{
	const struct siphash_key key = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};
	const uint64_t seven[] = {UINT64_C(0x0706050403020100)};
	const uint64_t fifteen[] = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};

	(void)state;
	assert_true(siphash_words(&key, seven, 1) == UINT64_C(0xd3927d989bb11140));
	assert_true(siphash_words(&key, fifteen, 2) == UINT64_C(0xd320d86d2a519956));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ten_thousand_connections_are_known_at_once),
		cmocka_unit_test(a_full_table_forgets_those_that_are_idle),
		cmocka_unit_test(interfaces_count_by_themselves),
		cmocka_unit_test(time_may_go_back),
		cmocka_unit_test(the_hash_is_siphash_1_3),
	};

	return cmocka_run_group_tests_name("first", tests, NULL, NULL);
}
