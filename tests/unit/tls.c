/* TLS: records that are hostile, and which handshakes are said to fail. */
#include "unit.h"

#include "sightings.h"
#include "summary/tls.h"
#include "summary/tls_record.h"

enum { SYN = DISSECT_SYN, ACK = DISSECT_ACK, FIN = DISSECT_FIN, RST = DISSECT_RST };

static struct tls *tls;
static struct findings findings;

static int set_up(void **state)
{
	struct err err = {0};

	(void)state;
	memset(&findings, 0, sizeof(findings));
	return (tls = tls_open(&sightings_key, &err)) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	tls_close(tls);
	return 0;
}

static unsigned char *put_short(unsigned char *at, size_t value)
{
	at[0] = (unsigned char)(value >> 8);
	at[1] = (unsigned char)value;
	return at + 2;
}

/* A ClientHello of TLS 1.2 with one cipher, and name as the server's if it isn't NULL. */
static size_t hello(unsigned char *bytes, const char *name)
{
	size_t length = name ? strlen(name) : 0, extensions = name ? length + 9 : 0;
	size_t body = 2 + 32 + 1 + 4 + 2 + 2 + extensions;
	unsigned char *at = bytes + 9 + 2 + 32 + 1;

	memset(bytes, 0, 9 + body);
	memcpy(bytes, (unsigned char[]){22, 3, 1}, 3);
	put_short(bytes + 3, body + 4);
	bytes[5] = 1;
	put_short(bytes + 7, body);
	put_short(bytes + 9, 0x0303);
	memcpy(at, (unsigned char[]){0, 2, 0x13, 1, 1, 0}, 6);
	at = put_short(at + 6, extensions);
	if (name) {
		at = put_short(put_short(at, 0), length + 5);
		at = put_short(at, length + 3);
		*at = 0;
		memcpy(put_short(at + 1, length), name, length);
	}
	return 9 + body;
}

/* One byte longer than there is room for, and the longest that there is room for. */
static void long_names(void **state)
{
	unsigned char bytes[600];
	char name[TLS_NAME_SIZE + 1];
	struct tls_record record;

	(void)state;
	memset(name, 'x', sizeof(name));
	name[TLS_NAME_SIZE] = '\0';
	assert_int_equal(tls_record_read(&record, bytes, hello(bytes, name)), TLS_CLIENT_HELLO);
	assert_string_equal(record.name, "");
	name[TLS_NAME_SIZE - 1] = '\0';
	assert_int_equal(tls_record_read(&record, bytes, hello(bytes, name)), TLS_CLIENT_HELLO);
	assert_string_equal(record.name, name);
}

static void records(void **state)
{
	unsigned char bytes[400];
	struct tls_record record;
	size_t size = hello(bytes, "web.example");

	(void)state;
	assert_int_equal(tls_record_read(&record, bytes, size), TLS_CLIENT_HELLO);
	assert_string_equal(record.name, "web.example");
	for (size_t cut = 0; cut < size; cut++) {
		enum tls_content content = tls_record_read(&record, bytes, cut);

		assert_int_equal(content, cut < 9 ? TLS_NONE : TLS_PART);
		assert_true(!record.name[0] || strcmp(record.name, "web.example") == 0);
	}
	bytes[size - 1] = '\n';
	tls_record_read(&record, bytes, size);
	assert_string_equal(record.name, "web.exampl?");
	bytes[size - 12] = 255; /* a name that is longer than what has it */
	assert_int_equal(tls_record_read(&record, bytes, size), TLS_CLIENT_HELLO);
	assert_string_equal(record.name, "");
	assert_int_equal(tls_record_read(&record, bytes, hello(bytes, NULL)), TLS_CLIENT_HELLO);
	assert_int_equal(tls_record_read(&record, (unsigned char[]){21, 3, 3, 0, 2, 2, 48}, 7), TLS_ALERT);
	assert_true(record.fatal && record.alert == 48);
	assert_int_equal(tls_record_read(&record, (unsigned char[]){21, 3, 3, 0, 26, 2, 48}, 7), TLS_NONE);
	assert_int_equal(tls_record_read(&record, (unsigned char[]){21, 3, 3, 0, 2, 9, 48}, 7), TLS_NONE);
	assert_int_equal(tls_record_read(&record, (unsigned char[]){21, 1, 3, 0, 2, 2, 48}, 7), TLS_NONE);
	assert_int_equal(tls_record_read(&record, (unsigned char[]){22, 3, 3, 0, 90, 2, 0, 0, 86, 3}, 10),
			 TLS_SERVER_HELLO);
}

static void send_segment(bool by_server, uint16_t port, uint32_t sequence, uint32_t acknowledged, uint8_t flags,
			 const void *payload, size_t size, uint64_t time)
{
	struct packet_of of = {.version = 4,
			       .from = by_server ? 2 : 1,
			       .to = by_server ? 1 : 2,
			       .from_port = by_server ? 443 : port,
			       .to_port = by_server ? port : 443,
			       .protocol = PROTOCOL_TCP,
			       .sequence = sequence,
			       .acknowledged = acknowledged,
			       .flags = flags,
			       .payload = payload,
			       .size = size};
	struct sighting sighting = sighting_of(&of, time);

	tls_add(tls, &sighting);
}

/* Its sequence number after the hello. */
static uint32_t say_hello(uint16_t port, uint64_t time)
{
	unsigned char bytes[400];
	size_t size = hello(bytes, "web.example");

	send_segment(false, port, 100, 500, ACK, bytes, size, time);
	return 100 + (uint32_t)size;
}

static const struct finding *finish(uint64_t last)
{
	struct circumstances circumstances = {.loss_known = true, .last = last};

	tls_finish(tls, &circumstances, &findings);
	return finding_of(&findings, FINDING_TLS_FAILURE);
}

static void silent(void **state)
{
	uint32_t end = say_hello(4000, SECOND);
	const struct finding *finding;

	(void)state;
	send_segment(true, 4000, 500, end, ACK, NULL, 0, SECOND + 5);
	finding = finish(9 * SECOND);
	assert_non_null(finding);
	assert_string_equal(finding->sentence, "10.0.0.2:443 got a TLS hello and did not answer it, 1 time; server "
					       "name asked for: web.example");
	assert_int_equal(finding->first.time, SECOND);
}

/* What has not been received, had no time, or is only a part of a hello, is no claim. */
static void no_claim(void **state)
{
	unsigned char bytes[400];
	size_t size = hello(bytes, "web.example");
	uint32_t end;

	(void)state;
	say_hello(4000, SECOND);
	send_segment(true, 4000, 500, 100, ACK, NULL, 0, SECOND + 5);
	end = say_hello(4001, 8 * SECOND);
	send_segment(true, 4001, 500, end, ACK, NULL, 0, 8 * SECOND + 5);
	end = say_hello(4003, SECOND);
	send_segment(true, 4003, 500, end, ACK, NULL, 0, SECOND + 5);
	send_segment(false, 4003, end, 500, ACK | FIN, NULL, 0, SECOND + 9); /* it did not wait */
	send_segment(false, 4002, 100, 500, ACK, bytes, size - 9, SECOND);
	send_segment(true, 4002, 500, end, ACK, NULL, 0, SECOND + 5);
	assert_null(finish(9 * SECOND));
}

static void answered(void **state)
{
	static const unsigned char server_hello[] = {22, 3, 3, 0, 90, 2, 0, 0, 86, 3};
	uint32_t end = say_hello(4000, SECOND);

	(void)state;
	send_segment(true, 4000, 500, end, ACK, server_hello, sizeof(server_hello), SECOND + 5);
	send_segment(true, 4000, 510, end, ACK | FIN, NULL, 0, SECOND + 9);
	assert_null(finish(9 * SECOND));
}

static void alerts(void **state)
{
	static const unsigned char unknown_ca[] = {21, 3, 3, 0, 2, 2, 48}, close_notify[] = {21, 3, 3, 0, 2, 1, 0};
	const struct finding *finding;

	(void)state;
	send_segment(true, 3999, 500, 600, ACK, unknown_ca, sizeof(unknown_ca), SECOND); /* without a hello: none */
	say_hello(4001, SECOND);
	send_segment(true, 4001, 500, 600, ACK, close_notify, sizeof(close_notify), SECOND + 4);
	for (uint16_t port = 4010; port < 4013; port++) {
		say_hello(port, 2 * SECOND);
		send_segment(true, port, 500, 600, ACK, "\x16\x03\x03\x00\x5a\x02", 6, 2 * SECOND + 4);
		send_segment(false, port, 600, 900, ACK, unknown_ca, sizeof(unknown_ca), 3 * SECOND);
		send_segment(false, port, 600, 900, ACK, unknown_ca, sizeof(unknown_ca), 4 * SECOND);
	}
	finding = finish(9 * SECOND);
	assert_non_null(finding);
	assert_int_equal(finding->count, 3);
	assert_int_equal(finding->first.time, 3 * SECOND);
	assert_non_null(strstr(finding->sentence, "the client ended the TLS handshake with 10.0.0.2:443 by the alert "
						  "unknown_ca, 3 times"));
}

static void closed_and_reset(void **state)
{
	uint32_t end = say_hello(4000, SECOND);

	(void)state;
	send_segment(true, 4000, 500, end, ACK | FIN, NULL, 0, SECOND + 5);
	say_hello(4001, SECOND);
	send_segment(true, 4001, 500, 0, RST, NULL, 0, SECOND + 5);
	say_hello(4002, SECOND);
	send_segment(true, 4002, 500, end, ACK, "HTTP/1.1 400 Bad Request", 24, SECOND + 5);
	tls_finish(tls, &(struct circumstances){.last = 2 * SECOND}, &findings);
	assert_int_equal(findings.count, 3);
	assert_non_null(strstr(findings.list[0].sentence, "answered a TLS hello with a reset"));
	assert_non_null(strstr(findings.list[1].sentence, "answered a TLS hello with plain HTTP"));
	assert_non_null(strstr(findings.list[2].sentence, "closed the connection without an answer"));
}

/* More handshakes at once than there is room for: none is said to have failed that has not. */
static void too_many(void **state)
{
	const struct finding *finding;

	(void)state;
	for (unsigned n = 0; n < 60000; n++) {
		uint32_t end = say_hello((uint16_t)(n + 1), SECOND + n);

		send_segment(true, (uint16_t)(n + 1), 500, end, ACK, NULL, 0, SECOND + n + 1);
	}
	finding = finish(9 * SECOND);
	assert_non_null(finding);
	assert_in_range(finding->count, 1, 8192);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records),
		cmocka_unit_test(long_names),
		TEST(silent),
		TEST(no_claim),
		TEST(answered),
		TEST(alerts),
		TEST(closed_and_reset),
		TEST(too_many),
	};

	return cmocka_run_group_tests_name("tls", tests, NULL, NULL);
}
