/* pairing.c and pairing_udp.c: the same packets in several archives are found, and what may be several is no pair. */
#include "unit.h"

#include <inttypes.h>

#include "sightings.h"
#include "summary/pairing.h"
#include "summary/pairing_udp.h"

#define DELAY UINT64_C(3000000) /* from archive 0 to 1, ns */

static struct pairing *pairing;

static int set_up(void **state)
{
	struct err err = {0};

	(void)state;
	pairing = pairing_open(3, &sightings_key, &err);
	return pairing ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	pairing_close(pairing);
	return 0;
}

/* --- TCP --- */

static void tcp(unsigned archive, uint32_t conversation, const struct packet_of *of, uint64_t time)
{
	struct sighting sighting = sighting_of(of, time);

	pairing_add(pairing, archive, conversation, &sighting);
}

/* A client's segment of 100 bytes; from: its address, as the archive has it. */
static struct packet_of segment_of(uint8_t from, uint16_t port, uint32_t sequence, uint32_t acknowledged)
{
	static const unsigned char payload[100];

	return (struct packet_of){
		4,	 from,		 2, PROTOCOL_TCP, port, 80, sequence, acknowledged, DISSECT_ACK | DISSECT_PSH,
		payload, sizeof(payload)};
}

/* So many segments, one after the other. */
static void talk(unsigned archive, uint32_t conversation, uint8_t from, uint32_t sequence, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct packet_of of = segment_of(from, (uint16_t)(4000 + conversation), sequence + 100 * i, 900);

		tcp(archive, conversation, &of, SECOND * (i + 1U) + archive * DELAY);
	}
}

static void test_a_connection_is_found_by_its_numbers_through_nat(void **state)
{
	const struct pairing_link *link;
	int64_t list[PAIRING_SAMPLES];

	(void)state;
	talk(0, 7, 1, 5000, 10);
	talk(1, 9, 77, 5000, 10);
	pairing_finish(pairing);
	assert_int_equal(pairing_link_count(pairing), 1);
	link = pairing_link_at(pairing, 0);
	assert_true(pairing_is_pair(pairing, link));
	assert_false(link->same);
	assert_int_equal(link->hits[0], 10);
	assert_int_equal(link->hits[1], 0);
	assert_int_equal(pairing_delays(pairing, link, 0, list), 10);
	for (int i = 0; i < 10; i++)
		assert_int_equal(list[i], DELAY);
}

/* The later archive comes first: a is still the one that was named first. */
static void test_archives_may_come_in_any_order(void **state)
{
	(void)state;
	talk(1, 9, 1, 5000, 3);
	talk(0, 9, 1, 5000, 3);
	assert_int_equal(pairing_link_count(pairing), 1);
	assert_int_equal(pairing_track_at(pairing, pairing_link_at(pairing, 0)->tracks[0])->archive, 0);
	assert_int_equal(pairing_link_at(pairing, 0)->least[0], DELAY);
	assert_true(pairing_link_at(pairing, 0)->same);
}

/* Two connections with the same numbers, at other addresses than in the first archive. */
static void test_what_may_be_two_connections_is_no_pair(void **state)
{
	(void)state;
	talk(0, 7, 1, 5000, 10);
	talk(1, 8, 77, 5000, 10);
	talk(1, 9, 78, 5000, 10);
	assert_int_equal(pairing_link_count(pairing), 2);
	assert_false(pairing_is_pair(pairing, pairing_link_at(pairing, 0)));
	assert_false(pairing_is_pair(pairing, pairing_link_at(pairing, 1)));
}

/* The same, but one of both has the same addresses: it is that one. */
static void test_the_same_addresses_decide(void **state)
{
	unsigned pairs = 0;

	(void)state;
	talk(0, 8, 1, 5000, 10);
	talk(1, 8, 1, 5000, 10);
	talk(1, 9, 78, 5000, 10);
	for (uint32_t i = 0; i < pairing_link_count(pairing); i++) {
		if (pairing_is_pair(pairing, pairing_link_at(pairing, i))) {
			assert_true(pairing_link_at(pairing, i)->same);
			pairs++;
		}
	}
	assert_int_equal(pairs, 1);
}

static void test_one_packet_in_common_is_no_pair_through_nat(void **state)
{
	(void)state;
	talk(0, 7, 1, 5000, 1);
	talk(1, 9, 77, 5000, 1);
	assert_int_equal(pairing_link_count(pairing), 1);
	assert_false(pairing_is_pair(pairing, pairing_link_at(pairing, 0)));
}

/* It begins in mid-stream: the positions of both have a constant distance. */
static void test_a_capture_that_begins_later_is_paired_all_the_same(void **state)
{
	const struct pairing_link *link;
	const struct pairing_side *a, *b;

	(void)state;
	talk(0, 7, 1, 5000, 30);
	for (unsigned i = 10; i < 30; i++) {
		struct packet_of of = segment_of(1, 4007, 5000 + 100 * i, 900);

		tcp(1, 7, &of, SECOND * (i + 1U) + DELAY);
	}
	assert_int_equal(pairing_link_count(pairing), 1);
	link = pairing_link_at(pairing, 0);
	a = &pairing_track_at(pairing, link->tracks[0])->sides[0];
	b = &pairing_track_at(pairing, link->tracks[1])->sides[0];
	assert_int_equal(b->start + link->shift[0], a->start + 1000);
	assert_int_equal(b->high + link->shift[0], a->high);
	assert_int_equal(link->least[0], DELAY);
	assert_int_equal(link->most[0], DELAY);
}

static void test_three_archives_have_three_links(void **state)
{
	(void)state;
	for (unsigned archive = 0; archive < 3; archive++)
		talk(archive, 7, 1, UINT32_MAX - 450, 10);
	assert_int_equal(pairing_link_count(pairing), 3);
	for (uint32_t i = 0; i < 3; i++) {
		const struct pairing_link *link = pairing_link_at(pairing, i);

		assert_true(pairing_is_pair(pairing, link));
		assert_int_equal(link->hits[0], 10);
		assert_int_equal(link->shift[0], 0);
	}
}

/* --- UDP --- */

/* id: of IP, 0: none; text: the payload. */
static void udp(unsigned archive, uint8_t from, uint16_t id, const char *text, uint64_t time)
{
	struct packet_of of = {4, from, 2, PROTOCOL_UDP, 4000, 53, 0, 0, 0, text, strlen(text)};
	size_t size = sightings_packet(sightings_bytes, &of);
	struct sighting sighting;

	sightings_bytes[4] = (unsigned char)(id >> 8);
	sightings_bytes[5] = (unsigned char)id;
	sighting = sightings_raw(LINK_RAW, size, time);
	pairing_udp_add(pairing, archive, from, &sighting);
}

/* How many are only in that archive. */
static unsigned lone(unsigned archive, unsigned other)
{
	const struct pairing_udp *all = pairing_udp(pairing);
	unsigned count = 0;

	for (uint32_t i = 0; i < pairing_udp_count(all); i++) {
		const struct pairing_datagram *one = pairing_udp_at(all, i);

		count += pairing_track_at(pairing, one->track)->archive == archive && !(one->met >> other & 1);
	}
	return count;
}

static void test_datagrams_are_found_by_their_id_and_the_lost_one_is_left(void **state)
{
	const struct pairing_link *link;

	(void)state;
	for (uint16_t i = 0; i < 10; i++) {
		udp(0, 1, (uint16_t)(i + 1), "the same for all of them", SECOND * (i + 1U));
		if (i != 4)
			udp(1, 1, (uint16_t)(i + 1), "the same for all of them", SECOND * (i + 1U) + DELAY);
	}
	pairing_finish(pairing);
	assert_int_equal(pairing_link_count(pairing), 1);
	link = pairing_link_at(pairing, 0);
	assert_true(pairing_is_pair(pairing, link) && link->same);
	assert_int_equal(link->hits[0], 9);
	assert_int_equal(link->least[0], DELAY);
	assert_int_equal(link->most[0], DELAY);
	assert_int_equal(lone(0, 1), 1);
	assert_int_equal(lone(1, 0), 0);
}

/* One is missing here, and the next one there: by their times they would be a pair of a wrong delay. */
static void test_datagrams_that_nothing_tells_apart_have_no_delay(void **state)
{
	(void)state;
	udp(0, 1, 0, "alive", SECOND);
	udp(1, 1, 0, "alive", 60 * SECOND);
	pairing_finish(pairing);
	assert_int_equal(pairing_link_count(pairing), 1);
	assert_int_equal(pairing_link_at(pairing, 0)->hits[0], 0);
}

static void test_datagrams_through_nat_are_found_by_their_payload(void **state)
{
	(void)state;
	udp(0, 1, 1, "a first one of some length", SECOND);
	udp(0, 1, 2, "and a second one of a length", 2 * SECOND);
	udp(0, 1, 3, "short", 3 * SECOND);
	udp(1, 77, 1, "a first one of some length", SECOND + DELAY);
	udp(1, 77, 2, "and a second one of a length", 2 * SECOND + DELAY);
	udp(1, 77, 3, "short", 3 * SECOND + DELAY);
	pairing_finish(pairing);
	assert_int_equal(pairing_link_count(pairing), 1);
	assert_true(pairing_is_pair(pairing, pairing_link_at(pairing, 0)));
	assert_int_equal(pairing_link_at(pairing, 0)->hits[0], 2);
	assert_int_equal(lone(0, 1), 1);
	for (uint32_t i = 0; i < pairing_udp_count(pairing_udp(pairing)); i++) {
		const struct pairing_datagram *one = pairing_udp_at(pairing_udp(pairing), i);

		assert_int_equal(one->unsure, one->length < 16);
	}
}

/* Two behind NAT that send just the same: whose is it? */
static void test_datagrams_of_two_senders_with_the_same_payload_are_no_pair(void **state)
{
	(void)state;
	udp(0, 1, 1, "a first one of some length", SECOND);
	udp(0, 3, 1, "a first one of some length", SECOND);
	udp(1, 77, 1, "a first one of some length", SECOND + DELAY);
	pairing_finish(pairing);
	assert_int_equal(pairing_link_count(pairing), 0);
}

/* More than there is room for: what both have makes room for others. */
static void test_what_both_have_makes_room(void **state)
{
	char text[40];

	(void)state;
	for (uint64_t i = 0; i < PAIRING_DATAGRAMS + PAIRING_DATAGRAMS / 2; i++) {
		snprintf(text, sizeof(text), "number %" PRIu64, i);
		udp(0, 1, 0, text, i * 1000);
		if (i != 5)
			udp(1, 1, 0, text, i * 1000 + DELAY);
	}
	assert_int_equal(pairing_udp_left_out(pairing_udp(pairing)), 0);
	pairing_finish(pairing);
	assert_int_equal(lone(0, 1), 1);
	assert_int_equal(pairing_link_at(pairing, 0)->hits[0], PAIRING_DATAGRAMS + PAIRING_DATAGRAMS / 2 - 1);
	assert_int_equal(pairing_link_at(pairing, 0)->most[0], DELAY);
}

/* Nobody else has them: then it is said that not all could be kept. */
static void test_too_many_that_wait_are_counted(void **state)
{
	char text[40];

	(void)state;
	for (uint64_t i = 0; i < PAIRING_DATAGRAMS + 10; i++) {
		snprintf(text, sizeof(text), "number %" PRIu64, i);
		udp(0, 1, 0, text, i * 1000);
	}
	assert_int_equal(pairing_udp_left_out(pairing_udp(pairing)), 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_connection_is_found_by_its_numbers_through_nat, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_archives_may_come_in_any_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_may_be_two_connections_is_no_pair, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_the_same_addresses_decide, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_one_packet_in_common_is_no_pair_through_nat, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_capture_that_begins_later_is_paired_all_the_same, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_three_archives_have_three_links, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_datagrams_are_found_by_their_id_and_the_lost_one_is_left, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_datagrams_that_nothing_tells_apart_have_no_delay, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_datagrams_through_nat_are_found_by_their_payload, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_datagrams_of_two_senders_with_the_same_payload_are_no_pair, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_what_both_have_makes_room, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_too_many_that_wait_are_counted, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
