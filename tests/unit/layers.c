#include "unit.h"

#include <string.h>

#include "record/layers.h"
#include "summary/dissect.h"

/* Random packets, of whose bytes each decides something: what the one finds, the other finds in the same place. */

static const uint32_t links[] = {LINK_ETHERNET, LINK_LINUX_SLL, LINK_LINUX_SLL2, LINK_RAW,
				 LINK_IPV4,	LINK_IPV6,	LINK_NULL,	 LINK_LOOP};
static const uint16_t types[] = {0x0800, 0x0800, 0x86dd, 0x86dd, 0x8100, 0x88a8, 0x9100, 0x0806, 0x0026};
static const unsigned char protocols[] = {6, 6, 17, 17, 1, 58, 0, 43, 44, 51, 60, 132, 47, 59};

static unsigned below(size_t n)
{
	return n ? (unsigned)((size_t)random() % n) : 0;
}

#define PICK(list) ((list)[below(sizeof(list) / sizeof((list)[0]))])

static void put_short(unsigned char *at, unsigned value)
{
	at[0] = (unsigned char)(value >> 8);
	at[1] = (unsigned char)value;
}

static size_t put_link(unsigned char *at, uint32_t link)
{
	unsigned type = PICK(types);
	size_t size = link == LINK_ETHERNET ? 14 : link == LINK_LINUX_SLL ? 16 : 20;

	if (link == LINK_NULL || link == LINK_LOOP) {
		memset(at, 0, 4);
		at[link == LINK_NULL ? 0 : 3] = 2;
		return 4;
	}
	if (link != LINK_ETHERNET && link != LINK_LINUX_SLL && link != LINK_LINUX_SLL2)
		return 0;
	put_short(at + (link == LINK_LINUX_SLL2 ? 0 : size - 2), type);
	while (type >= 0x8100 && type != 0x86dd) {
		type = PICK(types);
		put_short(at + size + 2, type);
		size += 4;
	}
	return size;
}

static size_t put_ip(unsigned char *at, size_t left)
{
	bool four = below(2);

	at[0] = four ? (unsigned char)(0x40 | (below(8) ? 5 : below(16))) : 0x60;
	if (below(16) == 0)
		at[0] = (unsigned char)below(256);
	at[four ? 9 : 6] = PICK(protocols);
	if (four)
		put_short(at + 6, below(4) ? 0x4000 : below(65536));
	put_short(at + (four ? 2 : 4), below(3) == 0 ? 0 : below(left + 20));
	return four ? 20 : 40;
}

static void put_packet(unsigned char *at, size_t size, uint32_t link)
{
	size_t where;

	for (size_t i = 0; i < size; i++)
		at[i] = (unsigned char)(below(4) ? PICK(protocols) : below(256));
	where = put_link(at, link);
	put_ip(at + where, size - where);
}

static void compare(uint32_t link_type, const unsigned char *data, uint32_t caplen, uint32_t length)
{
	const struct layers_link link = layers_link(link_type);
	struct dissected dissected;
	struct layers layers;
	bool found = layers_find(&layers, &link, data, caplen, length);

	dissect(&dissected, link_type, data, caplen, length);
	assert_int_equal(found, dissected.version && dissected.upper && dissected.upper_size > 0);
	if (!found)
		return;
	assert_ptr_equal(layers.upper, dissected.upper);
	assert_int_equal(layers.upper_size, dissected.upper_size);
	assert_int_equal(layers.upper_length, dissected.upper_length);
	assert_int_equal(layers.version, dissected.version);
	assert_int_equal(layers.protocol, dissected.protocol);
	assert_memory_equal(layers.addresses, dissected.from.address, layers.version == 4 ? 4 : 16);
	if (layers.protocol == PROTOCOL_TCP && layers_transport_header(&layers))
		assert_int_equal(layers_transport_header(&layers), dissected.tcp_header);
}

static void it_finds_what_the_dissector_finds(void **state)
{
	unsigned found = 0;

	(void)state;
	srandom(unit_seed(1));
	for (unsigned i = 0; i < 300000; i++) {
		uint32_t link = PICK(links), size = 120 + below(80), caplen = below(size + 1);
		unsigned char *exact, data[200] = {0};

		put_packet(data, size, link);
		exact = malloc(caplen ? caplen : 1); /* as large as it says: nothing behind it is read */
		assert_non_null(exact);
		memcpy(exact, data, caplen);
		compare(link, exact, caplen, below(2) ? caplen : size);
		free(exact);
		found++;
	}
	assert_int_equal(found, 300000);
}

static void unknown_link_types_have_none(void **state)
{
	const struct layers_link link = layers_link(105);
	unsigned char data[100] = {0x45};
	struct layers layers;

	(void)state;
	assert_false(link.known);
	assert_false(layers_find(&layers, &link, data, sizeof(data), sizeof(data)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_finds_what_the_dissector_finds),
		cmocka_unit_test(unknown_link_types_have_none),
	};

	return cmocka_run_group_tests_name("layers", tests, NULL, NULL);
}
