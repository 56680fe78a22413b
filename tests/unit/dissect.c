#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "summary/dissect.h"

/* Headers as hexadecimal text. */
#define ETHER(type) "020000000002020000000001" type
#define IPV4_OF(first, length, fragment, protocol) \
	first "00" length "0000" fragment "40" protocol "0000 0a090001 0a090002"
#define IPV4(protocol) IPV4_OF("45", "0000", "0000", protocol)
#define IPV6(next) "60000000 0000" next "40 fd000000000000000000000000000001 fd000000000000000000000000000002"
#define TCP(flags) "0fa001bb 00000001 00000002 50" flags "ffff 00000000"
#define UDP "0fa001bb 00080000"
#define EXTENSION(next) next "00 0104 00000000"
#define FRAGMENT(next, offset) next "00" offset "0000002a"
#define AH(next) next "04 0000 00000001 00000002 000000000000000000000000"
#define SLL(type) "0000 0001 0006 020000000001 0000" type
#define SLL2(type) type "0000 00000002 0001 00 06 0200000000010000"
#define PORTS true, 4000, 443

struct expected {
	uint16_t ethertype;
	uint8_t version, protocol;
	bool ports;
	uint16_t from, to;
	uint8_t flags;
	bool fragment, vlan;
};

static const struct packet {
	uint32_t link_type;
	const char *headers;
	struct expected expected;
} packets[] = {
	{LINK_ETHERNET, ETHER("0800") IPV4("06") TCP("02"), {0x0800, 4, 6, PORTS, 0x02}},
	{LINK_ETHERNET, ETHER("0800") IPV4("06") TCP("14"), {0x0800, 4, 6, PORTS, 0x14}},
	{LINK_ETHERNET, ETHER("0800") IPV4("11") UDP, {0x0800, 4, 17, PORTS}},
	{LINK_ETHERNET, ETHER("0800") IPV4("84") UDP, {0x0800, 4, 132, PORTS}},
	{LINK_ETHERNET, ETHER("0800") IPV4("88") UDP, {0x0800, 4, 136, PORTS}},
	{LINK_ETHERNET, ETHER("0800") IPV4("01") UDP, {0x0800, 4, 1}},
	{LINK_ETHERNET, ETHER("0800") IPV4("2f") UDP, {0x0800, 4, 47}},
	{LINK_ETHERNET, ETHER("0800") IPV4("33") AH("11") UDP, {0x0800, 4, 17, PORTS}},
	/* What IPv6 has as extensions is none in IPv4. */
	{LINK_ETHERNET, ETHER("0800") IPV4("3c") EXTENSION("11") UDP, {0x0800, 4, 60}},
	{LINK_ETHERNET,
	 ETHER("0800") IPV4_OF("47", "0000", "4000", "06") "94040000 00000000" TCP("02"),
	 {0x0800, 4, 6, PORTS, 0x02}},
	/* Fragments: the first has ports, a later one has data there. */
	{LINK_ETHERNET, ETHER("0800") IPV4_OF("45", "0000", "2000", "11") UDP, {0x0800, 4, 17, PORTS, 0, true}},
	{LINK_ETHERNET, ETHER("0800") IPV4_OF("45", "0000", "00b9", "11") UDP, {0x0800, 4, 17, false, 0, 0, 0, true}},
	{LINK_ETHERNET, ETHER("0800") IPV4_OF("45", "0000", "20b9", "06") UDP, {0x0800, 4, 6, false, 0, 0, 0, true}},
	/* Lengths: the link layer's filling is no header; shorter than its header it is malformed. */
	{LINK_ETHERNET, ETHER("0800") IPV4_OF("45", "0014", "0000", "11") UDP, {0x0800, 4, 17}},
	{LINK_ETHERNET, ETHER("0800") IPV4_OF("45", "001c", "0000", "11") UDP, {0x0800, 4, 17, PORTS}},
	{LINK_ETHERNET, ETHER("0800") IPV4_OF("45", "0013", "0000", "11") UDP, {0x0800}},
	{LINK_ETHERNET, ETHER("0800") IPV4_OF("44", "0000", "0000", "11") UDP, {0x0800}},
	{LINK_ETHERNET, ETHER("0800") "55" UDP, {0x0800}},
	{LINK_ETHERNET, ETHER("0806") "0001 0800 06 04 0001", {0x0806}},
	{LINK_ETHERNET, ETHER("0026") "424203", {DISSECT_LLC}},
	{LINK_ETHERNET, ETHER("88b5"), {0x88b5}},
	{LINK_ETHERNET, "0200000000020200000000010", {DISSECT_UNKNOWN}},
	{LINK_ETHERNET, ETHER("86dd") IPV6("06") TCP("12"), {0x86dd, 6, 6, PORTS, 0x12}},
	{LINK_ETHERNET, ETHER("86dd") IPV6("3a") UDP, {0x86dd, 6, 58}},
	{LINK_ETHERNET, ETHER("86dd") IPV6("32") UDP, {0x86dd, 6, 50}},
	{LINK_ETHERNET, ETHER("86dd") IPV6("3b") UDP, {0x86dd, 6, 59}},
	{LINK_ETHERNET,
	 ETHER("86dd") IPV6("00") EXTENSION("3c") EXTENSION("2b") EXTENSION("2c") FRAGMENT("33", "0001") AH("3c")
		 EXTENSION("06") TCP("01"),
	 {0x86dd, 6, 6, PORTS, 0x01, true}},
	{LINK_ETHERNET,
	 ETHER("86dd") IPV6("2c") FRAGMENT("06", "0009") TCP("01"),
	 {0x86dd, 6, 6, false, 0, 0, 0, true}},
	{LINK_ETHERNET, ETHER("86dd") IPV6("3c") "11ff" UDP UDP, {0x86dd, 6, 17}},
	/* The version decides, whatever the ethertype says. */
	{LINK_ETHERNET, ETHER("0800") IPV6("11") UDP, {0x86dd, 6, 17, PORTS}},
	{LINK_ETHERNET, ETHER("8100") "0005 0800" IPV4("11") UDP, {0x0800, 4, 17, PORTS, 0, false, true}},
	{LINK_ETHERNET, ETHER("88a8") "0005 8100 0006 86dd" IPV6("11") UDP, {0x86dd, 6, 17, PORTS, 0, false, true}},
	{LINK_ETHERNET, ETHER("8100") "0005 0806", {0x0806, 0, 0, false, 0, 0, 0, false, true}},
	{LINK_ETHERNET, ETHER("8100") "0005", {0x8100}},
	{LINK_LINUX_SLL, SLL("0800") IPV4("11") UDP, {0x0800, 4, 17, PORTS}},
	{LINK_LINUX_SLL, SLL("8100") "0005 86dd" IPV6("11") UDP, {0x86dd, 6, 17, PORTS, 0, false, true}},
	{LINK_LINUX_SLL2, SLL2("0800") IPV4("06") TCP("04"), {0x0800, 4, 6, PORTS, 0x04}},
	{LINK_LINUX_SLL2, SLL2("0806"), {0x0806}},
	{LINK_RAW, IPV4("11") UDP, {0x0800, 4, 17, PORTS}},
	{LINK_RAW, IPV6("11") UDP, {0x86dd, 6, 17, PORTS}},
	{LINK_RAW, "30" UDP, {DISSECT_UNKNOWN}},
	{LINK_IPV4, IPV4("11") UDP, {0x0800, 4, 17, PORTS}},
	{LINK_IPV6, IPV6("11") UDP, {0x86dd, 6, 17, PORTS}},
	{LINK_NULL, "02000000" IPV4("11") UDP, {0x0800, 4, 17, PORTS}},
	{LINK_NULL, "00000002" IPV4("11") UDP, {0x0800, 4, 17, PORTS}},
	{LINK_NULL, "0a000000" IPV6("11") UDP, {0x86dd, 6, 17, PORTS}},
	{LINK_NULL, "07000000" IPV4("11") UDP, {DISSECT_UNKNOWN}},
	{LINK_NULL, "02000100" IPV4("11") UDP, {DISSECT_UNKNOWN}},
	{LINK_LOOP, "0000001e" IPV6("11") UDP, {0x86dd, 6, 17, PORTS}},
	{147, ETHER("0800") IPV4("11") UDP, {DISSECT_UNKNOWN}},
};

static size_t bytes_of(const char *text, unsigned char bytes[300])
{
	size_t count = 0;
	unsigned byte;

	for (; *text; text++) {
		if (*text == ' ' || sscanf(text, "%2x", &byte) != 1 || !text[1])
			continue;
		bytes[count++] = (unsigned char)byte;
		text++;
	}
	return count;
}

static void check(const struct packet *packet, const struct dissected *found)
{
	static const unsigned char from4[16] = {10, 9, 0, 1}, to4[16] = {10, 9, 0, 2};
	static const unsigned char from6[16] = {0xfd, [15] = 1}, to6[16] = {0xfd, [15] = 2};
	const struct expected *expected = &packet->expected;
	const unsigned char none[16] = {0};

	assert_int_equal(found->ethertype, expected->ethertype);
	assert_int_equal(found->version, expected->version);
	assert_int_equal(found->protocol, expected->protocol);
	assert_int_equal(found->ports, expected->ports);
	assert_int_equal(found->from.port, expected->from);
	assert_int_equal(found->to.port, expected->to);
	assert_int_equal(found->flags, expected->flags);
	assert_int_equal(found->fragment, expected->fragment);
	assert_int_equal(found->vlan, expected->vlan);
	assert_memory_equal(found->from.address, found->version == 4 ? from4 : found->version ? from6 : none, 16);
	assert_memory_equal(found->to.address, found->version == 4 ? to4 : found->version ? to6 : none, 16);
}

static void each_kind(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(packets) / sizeof(packets[0]); i++) {
		unsigned char bytes[300];
		struct dissected found;
		size_t size = bytes_of(packets[i].headers, bytes);

		print_message("%zu: %s\n", i, packets[i].headers);
		dissect(&found, packets[i].link_type, bytes, size, size);
		check(&packets[i], &found);
	}
}

/* Cut anywhere: nothing behind the end is read (AddressSanitizer sees), and what is found there is right or not there.
 */
static void each_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(packets) / sizeof(packets[0]); i++) {
		unsigned char bytes[300];
		size_t length = bytes_of(packets[i].headers, bytes);

		for (size_t cut = 0; cut < length; cut++) {
			unsigned char *exact = malloc(cut ? cut : 1);
			struct dissected found;

			memcpy(exact, bytes, cut);
			dissect(&found, packets[i].link_type, exact, cut, length);
			free(exact);
			assert_true(found.version == 0 || found.version == packets[i].expected.version);
			assert_true(!found.ports || (found.from.port == 4000 && found.to.port == 443));
			assert_true(found.flags == 0 || found.flags == packets[i].expected.flags);
		}
	}
}

/* Each bit turned: nothing but what the types can hold comes out. */
static void each_flip(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(packets) / sizeof(packets[0]); i++) {
		unsigned char bytes[300];
		size_t size = bytes_of(packets[i].headers, bytes);
		unsigned char *exact = malloc(size + 1); /* clang-tidy knows no size */

		for (size_t bit = 0; bit < size * 8; bit++) {
			struct dissected found;

			memcpy(exact, bytes, size);
			exact[bit / 8] ^= (unsigned char)(1u << bit % 8);
			dissect(&found, packets[i].link_type, exact, size, size);
			assert_true(found.version == 0 || found.version == 4 || found.version == 6);
			assert_true(found.version || (!found.ports && !found.fragment && !found.flags));
		}
		free(exact);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind),
		cmocka_unit_test(each_cut),
		cmocka_unit_test(each_flip),
	};

	return cmocka_run_group_tests_name("dissect", tests, NULL, NULL);
}
