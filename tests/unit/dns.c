/* DNS: messages that are hostile, queries and answers by server and name, and what is found in them. */
#include "unit.h"

#include "sightings.h"
#include "summary/dns.h"

static struct dns *dns;
static struct findings findings;
static uint64_t last;

static int set_up(void **state)
{
	struct err err = {0};

	(void)state;
	memset(&findings, 0, sizeof(findings));
	last = 0;
	return (dns = dns_open(&sightings_key, &err)) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	dns_close(dns);
	return 0;
}

static size_t message(unsigned char *bytes, uint16_t id, uint16_t flags, const char *name, uint16_t type)
{
	size_t at = 12;

	memset(bytes, 0, 12);
	bytes[0] = (unsigned char)(id >> 8);
	bytes[1] = (unsigned char)id;
	bytes[2] = (unsigned char)(flags >> 8);
	bytes[3] = (unsigned char)flags;
	bytes[5] = 1;
	while (*name) {
		size_t length = strcspn(name, ".");

		bytes[at++] = (unsigned char)length;
		memcpy(bytes + at, name, length);
		at += length;
		name += length + (name[length] == '.');
	}
	bytes[at++] = 0;
	bytes[at++] = (unsigned char)(type >> 8);
	bytes[at++] = (unsigned char)type;
	bytes[at++] = 0;
	bytes[at++] = 1;
	return at;
}

static void send_message(bool answer, uint16_t id, uint16_t flags, const char *name, uint64_t time)
{
	unsigned char bytes[512];
	struct packet_of of = {.version = 4,
			       .from = answer ? 2 : 1,
			       .to = answer ? 1 : 2,
			       .from_port = answer ? 53 : 4000,
			       .to_port = answer ? 4000 : 53,
			       .protocol = PROTOCOL_UDP,
			       .payload = bytes};
	struct sighting sighting;

	of.size = message(bytes, id, flags, name, 1);
	sighting = sighting_of(&of, time);
	dns_add(dns, &sighting);
	last = time > last ? time : last;
}

static void ask(uint16_t id, const char *name, uint64_t time)
{
	send_message(false, id, 0x0100, name, time);
}

static void reply(uint16_t id, uint8_t code, const char *name, uint64_t time)
{
	send_message(true, id, 0x8180 | code, name, time);
}

static bool filtered;

static void finish(void)
{
	struct circumstances circumstances = {.loss_known = true, .filtered = filtered, .last = last};

	dns_finish(dns, last);
	dns_findings(dns, &circumstances, &findings);
}

static void messages(void **state)
{
	unsigned char bytes[512];
	struct dns_message read;
	size_t size = message(bytes, 7, 0x8183, "a-b.Example", 28);

	(void)state;
	assert_true(dns_message_read(&read, bytes, size));
	assert_string_equal(read.name, "a-b.Example");
	assert_true(read.answer && !read.truncated && read.id == 7 && read.code == DNS_NXDOMAIN && read.type == 28);
	for (size_t cut = 0; cut < size - 2; cut++)
		assert_false(dns_message_read(&read, bytes, cut));
	bytes[13] = '\x1b';
	bytes[14] = '.';
	assert_true(dns_message_read(&read, bytes, size));
	assert_string_equal(read.name, "??b.Example");
	bytes[12] = 0xc0; /* a pointer */
	assert_false(dns_message_read(&read, bytes, size));
	assert_true(dns_message_read(&read, bytes, message(bytes, 7, 0x0100, "", 1)));
	assert_string_equal(read.name, ".");
	message(bytes, 7, 0x0103, "x", 1); /* a query with a code */
	assert_false(dns_message_read(&read, bytes, sizeof(bytes)));
	message(bytes, 7, 0x2800, "x", 1); /* an update */
	assert_false(dns_message_read(&read, bytes, sizeof(bytes)));
}

/* The longest name that there may be, and one that is longer. */
static void long_names(void **state)
{
	unsigned char bytes[512] = {0};
	struct dns_message read;
	size_t at = 12;

	(void)state;
	bytes[5] = 1;
	for (int i = 0; i < 3; i++, at += 64) {
		bytes[at] = 63;
		memset(bytes + at + 1, 'x', 63);
	}
	bytes[at] = 61;
	memset(bytes + at + 1, 'y', 61);
	assert_true(dns_message_read(&read, bytes, sizeof(bytes)));
	assert_int_equal(strlen(read.name), 253);
	bytes[at] = 63;
	memset(bytes + at + 1, 'y', 63);
	assert_false(dns_message_read(&read, bytes, sizeof(bytes)));
	memset(bytes + 12, 1, sizeof(bytes) - 12); /* labels of a byte until the end */
	assert_false(dns_message_read(&read, bytes, sizeof(bytes)));
}

static void healthy(void **state)
{
	(void)state;
	for (uint16_t id = 1; id < 100; id++) {
		ask(id, "web.example", id * SECOND);
		reply(id, 0, "web.example", id * SECOND + 3000000);
	}
	ask(100, "web.example", 100 * SECOND); /* its answer may come later */
	finish();
	assert_int_equal(findings.count, 0);
	assert_int_equal(dns_server_count(dns), 1);
	assert_int_equal(dns_server_at(dns, 0)->counts.asked, 100);
	assert_int_equal(dns_server_at(dns, 0)->open, 1);
	assert_in_range(durations_percentile(&dns_server_at(dns, 0)->times, 50), 2600000, 3400000);
}

static void unanswered(void **state)
{
	const struct finding *finding;

	(void)state;
	ask(1, "web.example", SECOND);
	ask(1, "web.example", 6 * SECOND);
	ask(2, "db.example", 7 * SECOND);
	ask(3, "web.example", 20 * SECOND);
	reply(3, 0, "web.example", 20 * SECOND + 1);
	finish();
	finding = finding_of(&findings, FINDING_DNS_UNANSWERED);
	assert_non_null(finding);
	assert_int_equal(finding->count, 2);
	assert_int_equal(finding->severity, FINDING_ERROR);
	assert_int_equal(finding->first.time, SECOND);
	assert_string_equal(finding->sentence, "10.0.0.2 did not answer 2 of 3 DNS queries: web.example and 1 more "
					       "name; sent again 1 time");
	assert_int_equal(findings.count, 1);
}

/* Of a capture that may have left out the answers. */
static void filtered_out(void **state)
{
	(void)state;
	filtered = true;
	ask(1, "web.example", SECOND);
	ask(1, "web.example", 6 * SECOND);
	finish();
	filtered = false;
	assert_non_null(strstr(findings.list[0].sentence, "(or the capture's filter left the answers out)"));
}

/* One that is seen at two interfaces, and one whose answer stands in an earlier file, are asked once and answered. */
static void copies(void **state)
{
	(void)state;
	ask(1, "web.example", SECOND);
	reply(1, 0, "web.example", SECOND + 20000000);
	ask(1, "web.example", SECOND + 2000);
	reply(1, 0, "web.example", SECOND + 20002000);
	reply(2, 3, "no.example", 2 * SECOND + 9);
	ask(2, "no.example", 2 * SECOND);
	ask(9, "end.example", 60 * SECOND);
	finish();
	assert_int_equal(dns_server_at(dns, 0)->counts.asked, 3);
	assert_int_equal(dns_server_at(dns, 0)->counts.answered, 2);
	assert_int_equal(dns_server_at(dns, 0)->counts.codes[3], 1);
	assert_null(finding_of(&findings, FINDING_DNS_UNANSWERED));
}

static void failures(void **state)
{
	const struct finding *finding;

	(void)state;
	ask(1, "web.example", SECOND);
	reply(1, 2, "web.example", SECOND + 5);
	ask(2, "WEB.example", 2 * SECOND);
	reply(2, 2, "WEB.example", 2 * SECOND + 5);
	finish();
	finding = finding_of(&findings, FINDING_DNS_FAILURE);
	assert_non_null(finding);
	assert_string_equal(finding->sentence, "10.0.0.2 answered 2 of 2 DNS queries with SERVFAIL: web.example");
	assert_string_equal(finding->display_filter, "dns.flags.rcode == 2 && ip.addr == 10.0.0.2");
	assert_int_equal(dns_name_count(dns), 1);
}

static void slow(void **state)
{
	const struct finding *finding;

	(void)state;
	for (uint16_t id = 1; id <= 10; id++) {
		ask(id, "web.example", 10 * SECOND * id);
		reply(id, 0, "web.example", 10 * SECOND * id + (id > 5 ? SECOND : SECOND / 100));
	}
	finish();
	finding = finding_of(&findings, FINDING_DNS_SLOW);
	assert_non_null(finding);
	assert_int_equal(finding->count, 5);
	assert_int_equal(finding->severity, FINDING_WARNING);
	assert_non_null(strstr(finding->sentence, "5 of 10 DNS answers (p50 1"));
	assert_int_equal(findings.count, 1);
}

/* As a pod with ndots:5 asks; what was only tried is no name that fails. */
static void search_list(void **state)
{
	static const char *const endings[] = {".shop.svc.cluster.local", ".svc.cluster.local", ".cluster.local", ""};
	const struct finding *finding;
	char name[64];

	(void)state;
	for (uint16_t i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "api.example.com%s", endings[i]);
		ask(i, name, i * SECOND);
		reply(i, i < 3 ? 3 : 0, name, i * SECOND + 5);
	}
	/* One that is found with the second ending. */
	ask(8, "db.shop.shop.svc.cluster.local", 8 * SECOND);
	reply(8, 3, "db.shop.shop.svc.cluster.local", 8 * SECOND + 5);
	ask(9, "db.shop.svc.cluster.local", 9 * SECOND);
	reply(9, 0, "db.shop.svc.cluster.local", 9 * SECOND + 5);
	finish();
	finding = finding_of(&findings, FINDING_DNS_SEARCH);
	assert_non_null(finding);
	assert_int_equal(finding->count, 4);
	assert_non_null(strstr(finding->sentence, "api.example.com was asked for with 3 other endings first"));
	assert_null(finding_of(&findings, FINDING_DNS_FAILURE));
}

/* Names that are in no search list do not exist. */
static void missing(void **state)
{
	const struct finding *finding;

	(void)state;
	ask(1, "web.exmaple", SECOND);
	reply(1, 3, "web.exmaple", SECOND + 5);
	ask(2, "web.example", 2 * SECOND);
	reply(2, 0, "web.example", 2 * SECOND + 5);
	finish();
	finding = finding_of(&findings, FINDING_DNS_FAILURE);
	assert_non_null(finding);
	assert_int_equal(finding->severity, FINDING_WARNING);
	assert_non_null(strstr(finding->sentence, "web.exmaple does not exist (NXDOMAIN), 1 time"));
}

static void refused(void **state)
{
	unsigned char bytes[512], datagram[600];
	struct packet_of of = {.version = 4,
			       .from = 1,
			       .to = 2,
			       .from_port = 4000,
			       .to_port = 53,
			       .protocol = PROTOCOL_UDP,
			       .payload = bytes};
	struct dissected quoted;
	size_t size;

	(void)state;
	ask(1, "web.example", SECOND);
	ask(2, "web.example", 2 * SECOND);
	of.size = message(bytes, 1, 0x0100, "web.example", 1);
	size = sightings_packet(datagram, &of);
	dissect(&quoted, LINK_RAW, datagram, size, size);
	dns_refused(dns, &quoted);
	ask(9, "web.example", 20 * SECOND);
	finish();
	assert_int_equal(dns_server_at(dns, 0)->counts.refused, 1);
	assert_int_equal(dns_server_at(dns, 0)->counts.unanswered, 1);
}

/* More queries, names and servers than there is room for: all are counted, or left out. */
static void too_much(void **state)
{
	char name[32];
	uint64_t sum = 0;

	(void)state;
	for (unsigned n = 0; n < 60000; n++) {
		snprintf(name, sizeof(name), "n%u.example", n);
		ask((uint16_t)n, name, n * SECOND);
	}
	finish();
	assert_int_equal(dns_name_count(dns), DNS_NAMES_MAX);
	assert_int_equal(dns_left_out(dns), 60000 - DNS_NAMES_MAX);
	for (size_t i = 0; i < dns_name_count(dns); i++)
		sum += dns_name_at(dns, i)->counts.unanswered;
	assert_int_equal(sum, DNS_NAMES_MAX);
	assert_int_equal(dns_server_at(dns, 0)->counts.unanswered + dns_server_at(dns, 0)->open, 60000);
}

static void over_tcp(void **state)
{
	unsigned char bytes[512];
	struct packet_of of = {.version = 6,
			       .from = 1,
			       .to = 2,
			       .from_port = 4000,
			       .to_port = 53,
			       .protocol = PROTOCOL_TCP,
			       .payload = bytes};
	struct sighting sighting;

	(void)state;
	send_message(false, 1, 0x0100, "big.example", SECOND);
	send_message(true, 1, 0x8380, "big.example", SECOND + 5);
	finish();
	assert_non_null(finding_of(&findings, FINDING_DNS_FAILURE)); /* a note: no TCP followed */
	assert_int_equal(findings.list[0].severity, FINDING_NOTE);
	of.size = 2 + message(bytes + 2, 2, 0x0100, "big.example", 1);
	sighting = sighting_of(&of, SECOND);
	dns_add(dns, &sighting);
	assert_int_equal(dns_server_count(dns), 2);
	assert_int_equal(dns_server_at(dns, 1)->over_tcp, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages),
		cmocka_unit_test(long_names),
		TEST(healthy),
		TEST(unanswered),
		TEST(copies),
		TEST(filtered_out),
		TEST(failures),
		TEST(slow),
		TEST(search_list),
		TEST(missing),
		TEST(refused),
		TEST(too_much),
		TEST(over_tcp),
	};

	return cmocka_run_group_tests_name("dns", tests, NULL, NULL);
}
