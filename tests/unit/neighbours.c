/* ICMP's errors, and neighbours: what comes back for a packet, who is asked for in vain, who has an address twice. */
#include "unit.h"

#include "sightings.h"
#include "summary/icmp.h"
#include "summary/left_open.h"
#include "summary/neighbours.h"

static struct icmp *icmp;
static struct neighbours *neighbours;
static struct conversations *conversations;
static struct findings findings;

static int set_up(void **state)
{
	struct err err = {0};

	(void)state;
	memset(&findings, 0, sizeof(findings));
	icmp = icmp_open(&sightings_key, &err);
	neighbours = neighbours_open(&sightings_key, &err);
	conversations = conversations_open(&sightings_key, &err);
	return icmp && neighbours && conversations ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	icmp_close(icmp);
	neighbours_close(neighbours);
	conversations_close(conversations);
	return 0;
}

/* --- ICMP --- */

static uint32_t interface;

static bool send_error(uint8_t version, uint8_t by, uint8_t type, uint8_t code, const struct packet_of *quoted,
		       uint16_t mtu, uint64_t time)
{
	unsigned char bytes[600] = {type, code};
	struct packet_of of = {.version = version,
			       .from = by,
			       .to = quoted->from,
			       .protocol = version == 4 ? PROTOCOL_ICMP : PROTOCOL_ICMPV6,
			       .payload = bytes};
	struct dissected inner;
	struct sighting sighting;

	bytes[6] = (unsigned char)(mtu >> 8);
	bytes[7] = (unsigned char)mtu;
	of.size = 8 + sightings_packet(bytes + 8, quoted);
	sighting = sighting_of(&of, time);
	sighting.interface = interface;
	return icmp_add(icmp, &sighting, &inner);
}

static struct packet_of quoted_of(uint8_t version, uint8_t protocol, uint16_t from_port, uint16_t to_port)
{
	return (struct packet_of){.version = version,
				  .from = 1,
				  .to = 2,
				  .protocol = protocol,
				  .from_port = from_port,
				  .to_port = to_port,
				  .payload = "12345678",
				  .size = 8};
}

static void refused_by_udp(void **state)
{
	const struct finding *finding;

	(void)state;
	for (uint16_t port = 4000; port < 4006; port++) {
		struct packet_of quoted = quoted_of(4, PROTOCOL_UDP, port, 9999);

		assert_true(send_error(4, 2, 3, 3, &quoted, 0, port * SECOND));
	}
	icmp_finish(icmp, &findings);
	finding = finding_of(&findings, FINDING_REFUSED);
	assert_non_null(finding);
	assert_string_equal(finding->sentence,
			    "UDP to 10.0.0.2:9999 was refused 6 times (ICMP port unreachable): nothing listens there");
	assert_int_equal(finding->connection_count, ICMP_PORTS);
	assert_int_equal(finding->first.time, 4000 * SECOND);
}

static void a_firewall(void **state)
{
	struct packet_of quoted = quoted_of(6, PROTOCOL_TCP, 4000, 80);
	struct dissect_end from = {{0xfd, [15] = 1}, 4444}, to = {{0xfd, [15] = 2}, 80};
	const struct icmp_error *error;
	const struct finding *finding;

	(void)state;
	send_error(6, 9, 1, 1, &quoted, 0, SECOND);
	interface = 1;
	send_error(6, 9, 1, 1, &quoted, 0, SECOND + 9); /* the same, seen elsewhere too */
	interface = 0;
	send_error(6, 9, 1, 1, &quoted, 0, 2 * SECOND);
	error = icmp_quoting(icmp, 6, PROTOCOL_TCP, &from, &to);
	assert_non_null(error);
	assert_int_equal(error->count, 2);
	assert_int_equal(error->meaning, ICMP_PROHIBITED);
	to.port = 81;
	assert_null(icmp_quoting(icmp, 6, PROTOCOL_TCP, &from, &to));
	icmp_finish(icmp, &findings);
	finding = finding_of(&findings, FINDING_ICMP_ERROR);
	assert_non_null(finding);
	assert_int_equal(finding->severity, FINDING_ERROR);
	assert_non_null(strstr(finding->sentence,
			       "fd00::9 answered TCP to [fd00::2]:80 with ICMP communication prohibited, 2 times"));
}

static void notes(void **state)
{
	struct packet_of quoted = quoted_of(4, PROTOCOL_TCP, 4000, 80);
	struct packet_of late = quoted_of(4, PROTOCOL_UDP, 53, 40000), trace = quoted_of(4, PROTOCOL_UDP, 4000, 33440);
	struct dissect_end from = {{10, 0, 0, 1}, 0}, to = {{10, 0, 0, 2}, 80};

	(void)state;
	send_error(4, 9, 3, 4, &quoted, 1400, SECOND);
	send_error(4, 9, 3, 4, &quoted, 1300, 2 * SECOND);
	send_error(4, 2, 3, 3, &late, 0, SECOND);
	send_error(4, 9, 11, 0, &trace, 0, SECOND);
	send_error(4, 2, 3, 3, &trace, 0, SECOND);
	assert_int_equal(icmp_quoting(icmp, 4, PROTOCOL_TCP, &from, &to)->mtu, 1300);
	icmp_finish(icmp, &findings);
	assert_int_equal(findings.count, 4);
	assert_int_equal(findings_count(&findings, FINDING_NOTE), 4);
}

/* A message that ends anywhere, and a table that is full. */
static void hostile_errors(void **state)
{
	struct packet_of quoted = quoted_of(4, PROTOCOL_TCP, 4000, 80), answer = quoted_of(4, PROTOCOL_ICMP, 0, 0);
	struct dissected inner;
	struct sighting sighting;

	(void)state;
	send_error(4, 9, 3, 1, &quoted, 0, SECOND);
	for (size_t size = 20; size < 60; size++) {
		sightings_bytes[2] = sightings_bytes[3] = 0;
		sighting = sightings_raw(LINK_RAW, size, SECOND);
		assert_int_equal(icmp_add(icmp, &sighting, &inner), size >= 20 + 8 + 20);
	}
	answer.payload = "\0\0\0\0\0\0\0\0\0\0";
	sighting = sighting_of(&answer, SECOND);
	assert_false(icmp_add(icmp, &sighting, &inner));
	for (unsigned port = 1; port < ICMP_ERRORS_MAX + 100; port++) {
		quoted.to_port = (uint16_t)(1000 + port);
		send_error(4, 9, 3, 1, &quoted, 0, SECOND);
	}
	assert_true(icmp_left_out(icmp) > 0);
	assert_int_equal(icmp_count(icmp), ICMP_ERRORS_MAX);
	icmp_finish(icmp, &findings);
	assert_int_equal(findings.count, 1);
}

/* --- ARP --- */

static void arp(uint8_t operation, uint8_t sender, uint8_t hardware, uint8_t target, uint64_t time)
{
	unsigned char frame[60] = {[12] = 8, 6, 0, 1, 8, 0, 6, 4, 0, operation, 2, 0, 0, 0, 0, hardware};
	struct sighting sighting;

	if (sender)
		memcpy(frame + 28, (unsigned char[]){10, 0, 0, sender}, 4);
	memcpy(frame + 38, (unsigned char[]){10, 0, 0, target}, 4);
	memcpy(sightings_bytes, frame, sizeof(frame));
	sighting = sightings_raw(LINK_ETHERNET, sizeof(frame), time);
	neighbours_add(neighbours, &sighting);
}

static uint64_t lost;

static void finish(void)
{
	struct circumstances circumstances = {.loss_known = true, .lost = lost};

	neighbours_finish(neighbours, conversations, &findings);
	left_open_say(&findings, conversations, &circumstances, &(struct left_open_cut){0});
}

static void add_conversation(const struct dissected *headers, uint64_t time)
{
	int side;

	conversations_add(conversations, conversations_chain(conversations, headers), headers, time, 60, &side);
}

/* What was sent to an address alone is seen here. */
static void talk(uint8_t from, uint8_t to, uint64_t time)
{
	struct packet_of of = quoted_of(4, PROTOCOL_UDP, 1, 2);
	struct sighting sighting;

	of.from = from;
	of.to = to;
	sighting = sighting_of(&of, time);
	add_conversation(sighting.headers, time);
}

static void nobody_answers(void **state)
{
	const struct finding *finding;

	(void)state;
	talk(9, 1, SECOND);
	talk(1, 10, SECOND);
	for (unsigned n = 1; n <= 3; n++) {
		arp(1, 1, 1, 7, n * SECOND);
		arp(1, 1, 1, 8, n * SECOND);
	}
	finish();
	finding = finding_of(&findings, FINDING_ARP_UNANSWERED);
	assert_non_null(finding);
	assert_int_equal(finding->severity, FINDING_ERROR);
	assert_int_equal(finding->count, 6);
	assert_int_equal(finding->connection_count, 2);
	assert_non_null(strstr(finding->sentence, "10.0.0.1 asked 3 times by ARP who has 10.0.0.7, and nobody "
						  "answered; so for 1 more address: no such host"));
}

/* Answered, once only, by one who speaks all the same, a probe, and an announcement. */
static void not_in_vain(void **state)
{
	(void)state;
	talk(9, 1, SECOND);
	for (unsigned n = 1; n <= 3; n++) {
		arp(1, 1, 1, 2, n * SECOND);
		arp(1, 1, 1, 4, n * SECOND);
		arp(1, 0, 1, 5, n * SECOND);
		arp(1, 1, 1, 1, n * SECOND);
	}
	arp(2, 2, 2, 1, 4 * SECOND);
	arp(1, 1, 1, 3, 4 * SECOND);
	talk(4, 1, 5 * SECOND);
	finish();
	assert_int_equal(findings.count, 0);
}

/* Others ask, and where their answers go is not seen. */
static void others_ask(void **state)
{
	(void)state;
	for (unsigned n = 1; n <= 3; n++) {
		arp(1, 1, 1, 7, 20 * SECOND * n);
		arp(1, 2, 2, 8, 20 * SECOND * n);
		arp(1, (uint8_t)n, (uint8_t)n, 9, SECOND * n); /* one behind the other, but each by another one */
	}
	finish();
	assert_int_equal(findings.count, 1);
	assert_int_equal(findings.list[0].severity, FINDING_NOTE);
}

/* Of a pair it is not known which of them was captured; who asks so often got no answer, wherever that is. */
static void one_insists(void **state)
{
	(void)state;
	talk(1, 2, SECOND);
	arp(1, 1, 1, 7, SECOND);
	arp(1, 1, 1, 7, 2 * SECOND);
	finish();
	assert_int_equal(findings.count, 1);
	assert_int_equal(findings.list[0].severity, FINDING_NOTE);
	memset(&findings, 0, sizeof(findings));
	arp(1, 1, 1, 7, 3 * SECOND);
	lost = 5;
	finish();
	lost = 0;
	assert_non_null(strstr(findings.list[0].sentence, "(the capture lost 5 packets, maybe answers)"));
	assert_int_equal(findings.list[0].severity, FINDING_WARNING);
}

static void two_have_it(void **state)
{
	const struct finding *finding;

	(void)state;
	arp(2, 7, 0x11, 1, SECOND);
	arp(2, 7, 0x22, 1, SECOND + 5);
	arp(2, 8, 0x33, 1, SECOND); /* moves */
	arp(2, 8, 0x44, 1, 60 * SECOND);
	finish();
	assert_int_equal(findings.count, 2);
	findings_rank(&findings);
	finding = &findings.list[0];
	assert_int_equal(finding->severity, FINDING_ERROR);
	assert_string_equal(finding->sentence, "two hardware addresses claim 10.0.0.7: 02:00:00:00:00:11 and "
					       "02:00:00:00:00:22: two hosts have this address");
	assert_int_equal(findings.list[1].severity, FINDING_NOTE);
}

static void a_probe_that_is_answered(void **state)
{
	(void)state;
	arp(1, 0, 0x11, 7, SECOND);
	arp(2, 7, 0x22, 0, SECOND + 5);
	finish();
	assert_int_equal(findings.count, 1);
	assert_int_equal(findings.list[0].severity, FINDING_ERROR);
}

/* --- neighbour discovery --- */

static void discovery(uint8_t type, uint8_t from, uint8_t to, uint8_t target, uint8_t hardware, uint64_t time)
{
	unsigned char body[32] = {[0] = type, [8] = 0xfd, [23] = target,  [24] = type == 135 ? 1 : 2,
				  1,	      2,	  [31] = hardware};
	struct packet_of of = {.version = 6,
			       .from = from,
			       .to = to,
			       .protocol = PROTOCOL_ICMPV6,
			       .payload = body,
			       .size = sizeof(body)};
	size_t size = sightings_packet(sightings_bytes, &of);
	struct sighting sighting;

	if (to == 0) {
		memset(sightings_bytes + 24, 0, 16);
		sightings_bytes[24] = 0xff;
		sightings_bytes[25] = 2;
	}
	if (from == 0)
		memset(sightings_bytes + 8, 0, 16);
	sighting = sightings_raw(LINK_RAW, size, time);
	neighbours_add(neighbours, &sighting);
	add_conversation(sighting.headers, time);
}

static void discovered(void **state)
{
	const struct finding *finding;

	(void)state;
	for (unsigned n = 1; n <= 3; n++) {
		discovery(135, 1, 0, 7, 1, n * SECOND);
		discovery(135, 1, 0, 2, 1, n * SECOND);
		discovery(135, 0, 0, 3, 1, n * SECOND);
	}
	discovery(136, 2, 1, 2, 2, 4 * SECOND);
	discovery(136, 2, 1, 2, 9, 4 * SECOND + 5);
	finish();
	assert_int_equal(findings.count, 2);
	finding = finding_of(&findings, FINDING_ARP_UNANSWERED);
	assert_non_null(finding);
	assert_int_equal(finding->severity, FINDING_WARNING);
	assert_non_null(strstr(finding->sentence, "fd00::1 asked 3 times by neighbour discovery who has fd00::7"));
	assert_non_null(finding_of(&findings, FINDING_ADDRESS_CONFLICT));
}

static void hostile_neighbours(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 20000; n++) {
		unsigned char frame[60] = {[12] = 8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2};

		memcpy(frame + 28, (unsigned char[]){10, 1, 1, 1}, 4);
		memcpy(frame + 38, &n, sizeof(n));
		memcpy(sightings_bytes, frame, sizeof(frame));
		for (size_t size = 40; size <= 42; size++) {
			struct sighting sighting = sightings_raw(LINK_ETHERNET, size, n * SECOND);

			neighbours_add(neighbours, &sighting);
		}
	}
	assert_true(neighbours_left_out(neighbours) > 20000 - NEIGHBOURS_MAX - 2);
	finish();
	assert_int_equal(findings.count, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(refused_by_udp), TEST(a_firewall),		TEST(notes),
		TEST(hostile_errors), TEST(nobody_answers),	TEST(not_in_vain),
		TEST(others_ask),     TEST(one_insists),	TEST(two_have_it),
		TEST(discovered),     TEST(hostile_neighbours), TEST(a_probe_that_is_answered),
	};

	return cmocka_run_group_tests_name("neighbours", tests, NULL, NULL);
}
