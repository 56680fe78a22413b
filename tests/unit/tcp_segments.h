/* Segments of TCP's analysis by numbers alone, and what it finds. */
#ifndef TARCAP_TESTS_TCP_SEGMENTS_H
#define TARCAP_TESTS_TCP_SEGMENTS_H

#include "unit.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "summary/left_open.h"
#include "summary/tcp.h"

static struct conversations *conversations;
static struct tcp *tcp;
static struct findings findings;
static struct circumstances circumstances;

/* What the next segments have. */
static uint64_t now;
static uint32_t interface;
static uint16_t port, id[2], window;
static uint8_t hops[2], version;
static uint32_t sack[2][2]; /* blocks, in the order in which they stand; zeros: none */
static uint64_t number;

enum { CLIENT, SERVER };
enum { SYN = DISSECT_SYN, ACK = DISSECT_ACK, FIN = DISSECT_FIN | DISSECT_ACK, RST = DISSECT_RST, PSH = 0x18 };

static inline int set_up(void **state)
{
	const struct siphash_key key = {1, 2};
	struct err err = {0};

	(void)state;
	conversations = conversations_open(&key, &err);
	tcp = tcp_open(&key, &err);
	assert_true(conversations && tcp);
	findings = (struct findings){0};
	circumstances = (struct circumstances){.loss_known = true};
	now = 1000 * CLOCK_SECOND;
	interface = 0;
	port = 4000;
	id[0] = id[1] = 0;
	window = 500;
	hops[CLIENT] = hops[SERVER] = 64;
	version = 4;
	number = 0;
	memset(sack, 0, sizeof(sack));
	return 0;
}

static inline int tear_down(void **state)
{
	(void)state;
	tcp_close(tcp);
	conversations_close(conversations);
	return 0;
}

static inline uint8_t put_sack(unsigned char *header)
{
	uint8_t blocks = sack[1][1] ? 2 : 1;

	memcpy(header + 20, (unsigned char[]){1, 1, 5, (unsigned char)(2 + 8 * blocks)}, 4);
	for (uint8_t i = 0; i < 2 * blocks; i++)
		memcpy(header + 24 + (size_t)4 * i, &(uint32_t){htonl(sack[i / 2][i % 2])}, 4);
	return (uint8_t)(24 + 8 * blocks);
}

/* A millisecond after the one before; numbers are IP's where id is not 0, one more each time. */
static inline unsigned segment(int side, uint8_t flags, uint32_t sequence, uint32_t acknowledged, uint32_t size)
{
	/* A SYN has a window scale of 7. */
	unsigned char header[40] = {[12] = 0x60, [20] = 3, 3, 7, 0};
	uint8_t length = flags & SYN ? 24 : sack[0][1] ? put_sack(header) : 20;
	struct dissect_end client = {{10, 0, 0, 1}, port}, server = {{10, 0, 0, 2}, 80};
	struct dissected headers = {
		.upper = header,
		.upper_size = length,
		.upper_length = 32 + size,
		.payload_length = size,
		.sequence = sequence,
		.acknowledged = acknowledged,
		.window = window,
		.tcp_header = length,
		.hops = hops[side],
		.id = id[side] ? id[side]++ : 0,
		.ethertype = DISSECT_IPV4,
		.version = version,
		.ports = true,
		.protocol = PROTOCOL_TCP,
		.flags = flags,
		.from = side == CLIENT ? client : server,
		.to = side == CLIENT ? server : client,
	};
	struct sighting sighting = {&headers,  {.packet = ++number, .time = now += CLOCK_SECOND / 1000},
				    true,      66 + size,
				    interface, conversations_chain(conversations, &headers)};
	int from;
	struct conversation *conversation =
		conversations_add(conversations, sighting.chain, &headers, now, 66 + size, &from);

	circumstances.last = now;
	circumstances.packets = number;
	return tcp_add(tcp, conversation, (uint32_t)conversations_index(conversations, conversation), from, &sighting);
}

/* The client's first number is 101 then, the server's 501. */
static inline void handshake(void)
{
	assert_int_equal(segment(CLIENT, SYN, 100, 0, 0), 0);
	assert_int_equal(segment(SERVER, SYN | ACK, 500, 101, 0), 0);
	assert_int_equal(segment(CLIENT, ACK, 101, 501, 0), 0);
}

static inline void wait_for(double seconds)
{
	now += (uint64_t)(seconds * 1e9);
}

static inline void finish(void)
{
	tcp_finish(tcp, conversations, &circumstances, &findings);
	left_open_say(&findings, conversations, &circumstances, &(struct left_open_cut){.sack = tcp_cut(tcp)});
	findings_rank(&findings);
	for (size_t i = 0; i < findings.count; i++)
		print_message("%s %s: %s\n", finding_severity_name(findings.list[i].severity),
			      finding_kind_name(findings.list[i].kind), findings.list[i].sentence);
}

static inline const struct conversation *only(void)
{
	assert_int_equal(conversations_count(conversations), 1);
	return conversations_at(conversations, 0);
}

/* The first finding says this, at that packet. */
static inline void first_is(enum finding_kind kind, enum finding_severity severity, uint64_t packet, const char *words)
{
	finish();
	assert_true(findings.count > 0);
	assert_string_equal(finding_kind_name(findings.list[0].kind), finding_kind_name(kind));
	assert_int_equal(findings.list[0].severity, severity);
	assert_int_equal(findings.list[0].first.packet, packet);
	assert_non_null(strstr(findings.list[0].sentence, words));
}

static inline void nothing_is_wrong(void)
{
	finish();
	assert_int_equal(findings_count(&findings, FINDING_ERROR) + findings_count(&findings, FINDING_WARNING), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
