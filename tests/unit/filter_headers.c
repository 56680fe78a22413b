#include "unit.h"

#include <linux/filter.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "capture/filter_headers.h"
#include "dissector.h"

#define SNAPLEN 262144
#define PACKET_MAX 700
#define PAYLOAD 300
#define FILTER_MAX 4096

/* Headers as hexadecimal text. */
#define ETHER(type) "020000000002020000000001" type
#define IPV4_OF(first, fragment, protocol) first "00 0000 0000" fragment "40" protocol "0000 0a090001 0a090002"
#define IPV4(protocol) IPV4_OF("45", "0000", protocol)
#define IPV6_ADDRESSES "fd000000000000000000000000000001 fd000000000000000000000000000002"
#define IPV6(next) "60000000 0000" next "40" IPV6_ADDRESSES
#define TCP_OF(words) "0fa001bb 00000001 00000002" words "10ffff 00000000"
#define UDP "0fa00035 00080000"
#define TIMESTAMP "0101080a 00000001 00000002" /* 12 bytes of TCP options */
#define EXTENSION(next) next "00 0104 00000000"
#define EXTENSION_24(next) next "02 0114 00000000 00000000 00000000 00000000 00000000"
#define FRAGMENT(next, offset) next "00" offset "0000002a"
#define AH(next) next "04 0000 00000001 00000002 000000000000000000000000"
#define SLL(type) "0000 0001 0006 020000000001 0000" type
#define SLL2(type) type "0000 00000002 0001 00 06 0200000000010000"

static const struct packet {
	const char *name;
	int link_type;
	const char *headers;
	unsigned more; /* what is kept of the payload behind them */
} packets[] = {
	{"TCP", DLT_EN10MB, ETHER("0800") IPV4("06") TCP_OF("50"), 0},
	{"TCP with time stamps", DLT_EN10MB, ETHER("0800") IPV4("06") TCP_OF("80") TIMESTAMP, 0},
	{"TCP with all the options there can be", DLT_EN10MB,
	 ETHER("0800") IPV4("06") TCP_OF("f0") TIMESTAMP TIMESTAMP TIMESTAMP "01010101", 0},
	{"TCP whose length is too small", DLT_EN10MB, ETHER("0800") IPV4("06") TCP_OF("40"), 0},
	{"TCP over IPv4 with options", DLT_EN10MB,
	 ETHER("0800") IPV4_OF("47", "4000", "06") "94040000 00000000" TCP_OF("50"), 0},
	{"UDP", DLT_EN10MB, ETHER("0800") IPV4("11") UDP, 0},
	{"UDP-Lite", DLT_EN10MB, ETHER("0800") IPV4("88") UDP, 0},
	{"SCTP with DATA", DLT_EN10MB,
	 ETHER("0800") IPV4("84") "0fa00035 00000001 00000000 00030100 00000001 00000000 00000000", 0},
	{"ESP", DLT_EN10MB, ETHER("0800") IPV4("32") "00000001 00000002", 0},
	{"AH and UDP", DLT_EN10MB, ETHER("0800") IPV4("33") AH("11") UDP, 0},
	{"GRE", DLT_EN10MB, ETHER("0800") IPV4("2f"), 128},
	{"IPv4 in IPv4", DLT_EN10MB, ETHER("0800") IPV4("04"), 128},
	{"IPv6 in IPv4", DLT_EN10MB, ETHER("0800") IPV4("29"), 128},
	{"OSPF", DLT_EN10MB, ETHER("0800") IPV4("59"), 128},
	{"ping", DLT_EN10MB, ETHER("0800") IPV4("01") "0800 0000 0001 0002", 0},
	{"its answer", DLT_EN10MB, ETHER("0800") IPV4("01") "0000 0000 0001 0002", 0},
	{"port unreachable", DLT_EN10MB, ETHER("0800") IPV4("01") "0303 0000 00000000" IPV4("11") UDP, 0},
	{"fragmentation needed, of a packet with options", DLT_EN10MB,
	 ETHER("0800") IPV4("01") "0304 0000 000005dc" IPV4_OF("47", "0000", "06") "94040000 00000000" UDP, 0},
	{"time exceeded", DLT_EN10MB, ETHER("0800") IPV4("01") "0b00 0000 00000000" IPV4("06") UDP, 0},
	{"router advertisement", DLT_EN10MB, ETHER("0800") IPV4("01") "09", 127},
	{"first fragment", DLT_EN10MB, ETHER("0800") IPV4_OF("45", "2000", "11") UDP, 0},
	{"last fragment", DLT_EN10MB, ETHER("0800") IPV4_OF("45", "00b9", "11"), 0},
	{"fragment in between, with options", DLT_EN10MB, ETHER("0800") IPV4_OF("46", "20b9", "06") "94040000", 0},
	{"IPv4 whose length is too small", DLT_EN10MB, ETHER("0800"), 128},
	{"IPv4 of length 16", DLT_EN10MB, ETHER("0800") "44", 127},
	{"IPv5", DLT_EN10MB, ETHER("0800") "55", 127},
	{"ARP", DLT_EN10MB, ETHER("0806") "0001 0800 06 04 0001", 120},
	{"an LLC frame", DLT_EN10MB, ETHER("0026"), 128},
	{"MPLS", DLT_EN10MB, ETHER("8847"), 128},
	{"IPv6 and TCP", DLT_EN10MB, ETHER("86dd") IPV6("06") TCP_OF("80") TIMESTAMP, 0},
	{"IPv6 and UDP", DLT_EN10MB, ETHER("86dd") IPV6("11") UDP, 0},
	{"IPv6, hop by hop, UDP", DLT_EN10MB, ETHER("86dd") IPV6("00") EXTENSION("11") UDP, 0},
	{"IPv6, all of RFC 8200's extensions, TCP", DLT_EN10MB,
	 ETHER("86dd") IPV6("00") EXTENSION("3c") EXTENSION_24("2b") EXTENSION_24("2c") FRAGMENT("33", "0001") AH("3c")
		 EXTENSION("06") TCP_OF("50"),
	 0},
	{"IPv6, one more", DLT_EN10MB,
	 ETHER("86dd") IPV6("00") EXTENSION("3c") EXTENSION("3c") EXTENSION("3c") EXTENSION("3c") EXTENSION("3c")
		 EXTENSION("3c"),
	 128},
	{"IPv6, first fragment", DLT_EN10MB, ETHER("86dd") IPV6("2c") FRAGMENT("06", "0001") TCP_OF("50"), 0},
	{"IPv6, later fragment", DLT_EN10MB, ETHER("86dd") IPV6("2c") FRAGMENT("06", "0009"), 0},
	{"IPv6, last fragment", DLT_EN10MB, ETHER("86dd") IPV6("00") EXTENSION("2c") FRAGMENT("11", "0008"), 0},
	{"IPv6, no next header", DLT_EN10MB, ETHER("86dd") IPV6("3b"), 0},
	{"IPv6, extension behind the end", DLT_EN10MB, ETHER("86dd") IPV6("3c") "11ff", PAYLOAD},
	{"IPv6 and ESP", DLT_EN10MB, ETHER("86dd") IPV6("32") "00000001 00000002", 0},
	{"IPv6 and Mobility", DLT_EN10MB, ETHER("86dd") IPV6("87"), 128},
	{"ping6", DLT_EN10MB, ETHER("86dd") IPV6("3a") "8000 0000 0001 0002", 0},
	{"its answer6", DLT_EN10MB, ETHER("86dd") IPV6("3a") "8100 0000 0001 0002", 0},
	{"packet too big", DLT_EN10MB, ETHER("86dd") IPV6("3a") "0200 0000 00000500" IPV6("11") UDP, 0},
	{"neighbour solicitation", DLT_EN10MB, ETHER("86dd") IPV6("3a") "8700 0000 00000000", 120},
	{"VLAN, TCP", DLT_EN10MB, ETHER("8100") "0005 0800" IPV4("06") TCP_OF("50"), 0},
	{"VLAN, ARP", DLT_EN10MB, ETHER("8100") "0005 0806", 128},
	{"QinQ, UDP", DLT_EN10MB, ETHER("88a8") "0005 8100 0006 86dd" IPV6("11") UDP, 0},
	{"three tags, UDP", DLT_EN10MB, ETHER("88a8") "0005 9100 0006 8100 0007 0800" IPV4("11") UDP, 0},
	{"four tags", DLT_EN10MB, ETHER("8100") "0005 8100 0006 8100 0007 8100", 128},
	{"experimental", DLT_EN10MB, ETHER("88b5"), 128},
	{"SLL, TCP", DLT_LINUX_SLL, SLL("0800") IPV4("06") TCP_OF("60") "01010101", 0},
	{"SLL, VLAN", DLT_LINUX_SLL, SLL("8100") "0005 86dd" IPV6("3c") EXTENSION("11") UDP, 0},
	{"SLL, ARP", DLT_LINUX_SLL, SLL("0806"), 128},
	{"SLL, later fragment", DLT_LINUX_SLL, SLL("0800") IPV4_OF("45", "00b9", "11"), 0},
	{"SLL2, TCP", DLT_LINUX_SLL2, SLL2("0800") IPV4("06") TCP_OF("60") "01010101", 0},
	{"SLL2, ping6", DLT_LINUX_SLL2, SLL2("86dd") IPV6("3a") "8000 0000 0001 0002", 0},
	{"SLL2, QinQ", DLT_LINUX_SLL2, SLL2("88a8") "0005 8100 0006 0800" IPV4("11") UDP, 0},
	{"SLL2, unknown", DLT_LINUX_SLL2, SLL2("88b5"), 128},
	{"raw IPv4", DLT_RAW, IPV4("06") TCP_OF("50"), 0},
	{"raw IPv6", DLT_RAW, IPV6("3c") EXTENSION("11") UDP, 0},
	{"raw nothing", DLT_RAW, "", 128},
	{"raw no next header", DLT_RAW, IPV6("3b"), 0},
	{"IPv4 link", DLT_IPV4, IPV4("11") UDP, 0},
	{"IPv6 link", DLT_IPV6, IPV6("11") UDP, 0},
	{"BSD loopback, little-endian", DLT_NULL, "02000000" IPV4("11") UDP, 0},
	{"BSD loopback, big-endian", DLT_NULL, "0000001e" IPV6("06") TCP_OF("50"), 0},
	{"BSD loopback, AppleTalk", DLT_NULL, "10000000", 128},
	{"OpenBSD loopback", DLT_LOOP, "00000002" IPV4("06") TCP_OF("50"), 0},
	{"802.11", DLT_IEEE802_11, "", 128},
	{"USB", DLT_USB_LINUX, "", 128},
};

#define PACKETS (sizeof(packets) / sizeof(packets[0]))

struct bytes {
	uint8_t data[PACKET_MAX];
	unsigned length;
};

/* The packet with its payload; returns how long the headers are. */
static unsigned build(const struct packet *packet, struct bytes *bytes)
{
	unsigned headers;

	bytes->length = 0;
	for (const char *p = packet->headers; *p; p++) {
		char digits[3] = {p[0], p[1], '\0'};

		if (*p == ' ')
			continue;
		assert_true(p[1] && bytes->length < PACKET_MAX - PAYLOAD);
		bytes->data[bytes->length++] = (uint8_t)strtoul(digits, NULL, 16);
		p++;
	}
	headers = bytes->length;
	memset(bytes->data + headers, 0, PAYLOAD);
	bytes->length += PAYLOAD;
	return headers;
}

/* What program says of the first length bytes, in memory of their own. */
static unsigned run(const struct sock_filter *program, const uint8_t *data, unsigned length)
{
	uint8_t *copy = malloc(length ? length : 1);
	unsigned result;

	memcpy(copy, data, length);
	result = bpf_filter((const struct bpf_insn *)program, copy, length, length);
	free(copy);
	return result;
}

static unsigned smaller(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static unsigned make(struct sock_filter *program, int link_type, uint32_t snaplen)
{
	struct filter_headers headers = {link_type, false, snaplen};
	unsigned count = filter_headers_program(program, &headers);

	assert_in_range(count, 1, FILTER_HEADERS_INSTRUCTIONS_MAX);
	assert_true(bpf_validate((const struct bpf_insn *)program, (int)count));
	return count;
}

static void each_packet_at_each_length(void **state)
{
	static const uint32_t snaplens[] = {SNAPLEN, 100, 60, 1};
	struct sock_filter program[FILTER_HEADERS_INSTRUCTIONS_MAX];
	struct bytes bytes;

	(void)state;
	for (unsigned i = 0; i < PACKETS * 4; i++) {
		const struct packet *packet = &packets[i / 4];
		uint32_t snaplen = snaplens[i % 4];
		unsigned kept = build(packet, &bytes) + packet->more;

		make(program, packet->link_type, snaplen);
		for (unsigned length = 0; length <= bytes.length; length++) {
			unsigned expected = smaller(smaller(kept, length), snaplen);
			unsigned result = run(program, bytes.data, length);

			if (result == 0 || result > snaplen || smaller(result, length) != expected ||
			    smaller(dissect(packet->link_type, bytes.data, length), snaplen) != expected)
				fail_msg("%s, %u bytes, snaplen %u: %u, not %u (dissector: %u)", packet->name, length,
					 snaplen, result, expected, dissect(packet->link_type, bytes.data, length));
		}
	}
}

/* Bytes that mean something, where a header may have them. */
static uint8_t odd_byte(unsigned *seed)
{
	static const uint8_t odd[] = {0,  1,  4,  6,	8,    17,   43,	  44,	45,   50,  51,	58,  59, 60,
				      69, 79, 80, 0x60, 0x81, 0x86, 0x88, 0xa8, 0xdd, 132, 136, 240, 255};
	int choice = rand_r(seed);

	return choice % 3 ? odd[choice / 3 % (int)sizeof(odd)] : (uint8_t)(choice / 3);
}

static void mutated(void **state)
{
	const char *given = getenv("SEED");
	unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);
	struct sock_filter program[FILTER_HEADERS_INSTRUCTIONS_MAX];
	struct bytes bytes;

	(void)state;
	print_message("headers: seed %u (SEED=%u repeats it)\n", seed, seed);
	for (unsigned i = 0; i < 300000; i++) {
		const struct packet *packet = &packets[i % PACKETS];
		unsigned headers = build(packet, &bytes), length, result, expected;

		for (int changes = rand_r(&seed) % 6; changes >= 0; changes--)
			bytes.data[(unsigned)rand_r(&seed) % (headers + 40)] = odd_byte(&seed);
		length = (unsigned)rand_r(&seed) % 4 ? bytes.length : (unsigned)rand_r(&seed) % bytes.length;
		if (i < PACKETS || packet->link_type != packets[(i - 1) % PACKETS].link_type)
			make(program, packet->link_type, SNAPLEN);
		result = run(program, bytes.data, length);
		expected = dissect(packet->link_type, bytes.data, length);
		if (result == 0 || smaller(result, length) != expected)
			fail_msg("a kind of %s, %u bytes: %u, not %u", packet->name, length, result, expected);
	}
}

/* In the kernel, a cooked packet begins behind its link header, and its ethertype is asked for by a place of its own.
 */
static void cooked_in_the_kernel(void **state)
{
	struct sock_filter program[FILTER_HEADERS_INSTRUCTIONS_MAX];
	struct bytes bytes;
	unsigned cooked = 0;

	(void)state;
	for (unsigned i = 0; i < PACKETS; i++) {
		struct filter_headers headers = {packets[i].link_type, true, SNAPLEN};
		unsigned link = packets[i].link_type == DLT_LINUX_SLL ? 16 : 20, asked = 0;
		unsigned kept = build(&packets[i], &bytes) + packets[i].more, count;

		if (packets[i].link_type != DLT_LINUX_SLL && packets[i].link_type != DLT_LINUX_SLL2)
			continue;
		cooked++;
		count = filter_headers_program(program, &headers);
		for (unsigned n = 0; n < count; n++) {
			unsigned at = packets[i].link_type == DLT_LINUX_SLL ? 14 : 0;

			if (program[n].k != (uint32_t)(SKF_AD_OFF + SKF_AD_PROTOCOL))
				continue;
			assert_int_equal(program[n].code, BPF_LD | BPF_H | BPF_ABS);
			program[n] = (struct sock_filter){.code = BPF_LD | BPF_IMM,
							  .k = (uint32_t)(bytes.data[at] << 8 | bytes.data[at + 1])};
			asked++;
		}
		assert_int_equal(asked, 1);
		for (unsigned length = 0; length <= bytes.length - link; length++)
			assert_int_equal(smaller(run(program, bytes.data + link, length), length),
					 smaller(kept - link, length));
	}
	assert_int_equal(cooked, 8);
}

static unsigned compile(int link_type, const char *text, struct sock_filter *filter)
{
	struct pcap *dead = pcap_open_dead(link_type, SNAPLEN);
	struct bpf_program program;
	unsigned length = 0;

	if (pcap_compile(dead, &program, text, 1, PCAP_NETMASK_UNKNOWN) == 0) {
		length = program.bf_len;
		memcpy(filter, program.bf_insns, length * sizeof(*filter));
		pcap_freecode(&program);
	}
	pcap_close(dead);
	return length;
}

/* The filter alone, the cut alone, and both in one. */
static void hold_together(const char *text, const struct packet *packet, unsigned *accepted, unsigned *refused)
{
	struct sock_filter filter[FILTER_MAX], both[FILTER_MAX], program[FILTER_HEADERS_INSTRUCTIONS_MAX];
	struct filter_headers headers = {packet->link_type, false, SNAPLEN};
	unsigned count = compile(packet->link_type, text, filter), count_of_both;
	struct bytes bytes;

	if (count == 0)
		return; /* not for this link type */
	memcpy(both, filter, count * sizeof(*filter));
	count_of_both = filter_headers_append(both, count, FILTER_MAX, &headers);
	assert_int_equal(count_of_both, count + make(program, packet->link_type, SNAPLEN));
	assert_true(bpf_validate((const struct bpf_insn *)both, (int)count_of_both));
	build(packet, &bytes);
	for (unsigned length = 0; length <= bytes.length; length += length < 150 ? 1 : 50) {
		bool accept = run(filter, bytes.data, length) > 0;
		unsigned expected = accept ? run(program, bytes.data, length) : 0;

		if (run(both, bytes.data, length) != expected)
			fail_msg("'%s' of %s, %u bytes: %u, not %u", text, packet->name, length,
				 run(both, bytes.data, length), expected);
		++*(accept ? accepted : refused);
	}
}

static void behind_filters(void **state)
{
	static const char *const filters[] = {
		"",
		"tcp",
		"not tcp",
		"tcp port 443",
		"udp port 53 or icmp",
		"ip6 and not icmp6",
		"vlan and tcp",
		"vlan 5 and vlan 6",
		"greater 300",
		"less 60",
		"ip[2:2] = 0 and (host 10.9.0.1 or tcp[tcpflags] & tcp-syn != 0)",
		"not (tcp port 10250 or 6443 or 22 or 2376) and (udp or tcp)",
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
		unsigned accepted = 0, refused = 0;

		for (unsigned n = 0; n < PACKETS; n++)
			hold_together(filters[i], &packets[n], &accepted, &refused);
		if (accepted < 10 || (refused < 10 && *filters[i]))
			fail_msg("'%s' shows nothing: %u accepted, %u refused", filters[i], accepted, refused);
	}
}

static void what_cannot_be_joined(void **state)
{
	struct filter_headers headers = {DLT_EN10MB, false, SNAPLEN};
	struct sock_filter filter[FILTER_MAX] = {{BPF_LD | BPF_IMM, 0, 0, 5}, {BPF_RET | BPF_A, 0, 0, 0}};
	struct sock_filter program[FILTER_HEADERS_INSTRUCTIONS_MAX];
	unsigned added = make(program, DLT_EN10MB, SNAPLEN);

	(void)state;
	assert_int_equal(filter_headers_append(filter, 2, FILTER_MAX, &headers), 0);
	assert_int_equal(filter[1].code, BPF_RET | BPF_A);
	filter[1] = (struct sock_filter){BPF_RET | BPF_K, 0, 0, 1};
	assert_int_equal(filter_headers_append(filter, 2, added + 1, &headers), 0);
	assert_int_equal(filter[1].code, BPF_RET | BPF_K);
	assert_int_equal(filter_headers_append(filter, 2, added + 2, &headers), added + 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_packet_at_each_length), cmocka_unit_test(mutated),
		cmocka_unit_test(cooked_in_the_kernel),	      cmocka_unit_test(behind_filters),
		cmocka_unit_test(what_cannot_be_joined),
	};

	return cmocka_run_group_tests_name("headers", tests, NULL, NULL);
}
