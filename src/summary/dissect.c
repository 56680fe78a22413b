#include "summary/dissect.h"

#include <string.h>

/* More of them than any packet has that somebody means; each takes at least 4 or 8 bytes. */
#define TAGS_MAX 16
#define EXTENSIONS_MAX 32

struct cursor {
	const unsigned char *at;
	size_t left;   /* bytes that are there */
	size_t length; /* on the wire; not less than those */
};

static bool pass(struct cursor *cursor, size_t size)
{
	if (size > cursor->left)
		return false;
	cursor->at += size;
	cursor->left -= size;
	cursor->length -= size;
	return true;
}

static uint16_t short_at(const struct cursor *cursor, size_t at)
{
	return (uint16_t)(cursor->at[at] << 8 | cursor->at[at + 1]);
}

static uint32_t long_at(const struct cursor *cursor, size_t at)
{
	return (uint32_t)short_at(cursor, at) << 16 | short_at(cursor, at + 2);
}

/* --- transport --- */

static bool has_ports(uint8_t protocol)
{
	return protocol == PROTOCOL_TCP || protocol == PROTOCOL_UDP || protocol == PROTOCOL_SCTP ||
	       protocol == PROTOCOL_UDP_LITE;
}

static void take_payload(struct dissected *dissected, struct cursor cursor, size_t header)
{
	if (header > cursor.length)
		return;
	dissected->payload_length = (uint32_t)(cursor.length - header);
	if (!pass(&cursor, header))
		return;
	dissected->payload = cursor.at;
	dissected->payload_size = (uint32_t)cursor.left;
}

static void dissect_tcp(struct dissected *dissected, const struct cursor *cursor)
{
	size_t header;

	if (cursor->left > 13)
		dissected->flags = cursor->at[13];
	if (cursor->left < 20)
		return;
	header = (size_t)(cursor->at[12] >> 4) * 4;
	if (header < 20 || header > cursor->length)
		return;
	dissected->tcp_header = (uint8_t)header;
	dissected->sequence = long_at(cursor, 4);
	dissected->acknowledged = long_at(cursor, 8);
	dissected->window = short_at(cursor, 14);
	take_payload(dissected, *cursor, header);
}

static void dissect_transport(struct dissected *dissected, const struct cursor *cursor)
{
	dissected->upper = cursor->at;
	dissected->upper_size = (uint32_t)cursor->left;
	dissected->upper_length = (uint32_t)cursor->length;
	if (!has_ports(dissected->protocol) || cursor->left < 4)
		return;
	dissected->ports = true;
	dissected->from.port = short_at(cursor, 0);
	dissected->to.port = short_at(cursor, 2);
	if (dissected->protocol == PROTOCOL_TCP)
		dissect_tcp(dissected, cursor);
	else if (dissected->protocol == PROTOCOL_UDP)
		take_payload(dissected, *cursor, 8);
}

/* --- TCP's options --- */

/* The cursor is behind an option's kind and length, and left is the length of what follows. */
static void take_option(struct dissect_options *options, uint8_t kind, const struct cursor *cursor)
{
	if (kind == 2 && cursor->left == 2) {
		options->mss_known = true;
		options->mss = short_at(cursor, 0);
	} else if (kind == 3 && cursor->left == 1) {
		options->scale_known = true;
		options->scale = cursor->at[0] < 14 ? cursor->at[0] : 14; /* RFC 7323, section 2.3 */
	} else if (kind == 4 && cursor->left == 0) {
		options->sack_permitted = true;
	} else if (kind == 8 && cursor->left == 8) {
		options->timestamps = true;
		options->stamp = long_at(cursor, 0);
		options->echo = long_at(cursor, 4);
	} else if (kind == 5) {
		for (size_t at = 0; at + 8 <= cursor->left && options->sacks < 4; at += 8, options->sacks++) {
			options->sack[options->sacks][0] = long_at(cursor, at);
			options->sack[options->sacks][1] = long_at(cursor, at + 4);
		}
	}
}

void dissect_options(struct dissect_options *options, const struct dissected *dissected)
{
	size_t header = dissected->tcp_header;
	struct cursor cursor = {dissected->upper, 0, 0};

	*options = (struct dissect_options){0};
	cursor.left = cursor.length = header < dissected->upper_size ? header : dissected->upper_size;
	if (!pass(&cursor, 20))
		return;
	while (cursor.left > 0 && cursor.at[0] != 0) {
		uint8_t kind = cursor.at[0];
		size_t length = kind == 1 ? 1 : cursor.left > 1 ? cursor.at[1] : 0;
		struct cursor option;

		if (length > cursor.left || length < (kind == 1 ? 1 : 2))
			return;
		option = (struct cursor){cursor.at, length, length};
		if (pass(&option, 2))
			take_option(options, kind, &option);
		pass(&cursor, length);
	}
}

/* --- IP --- */

/* The length of an extension header, or of AH, which IPv4 has too; 0: it is none. */
static size_t extension_length(uint8_t protocol, const struct cursor *cursor)
{
	switch (protocol) {
	case PROTOCOL_HOP_BY_HOP:
	case PROTOCOL_ROUTING:
	case PROTOCOL_DESTINATION:
		return ((size_t)cursor->at[1] + 1) * 8;
	case PROTOCOL_AH:
		return ((size_t)cursor->at[1] + 2) * 4;
	case PROTOCOL_FRAGMENT:
		return 8;
	default:
		return 0;
	}
}

/* Is this a fragment that is not the first? Then what follows is data. */
static bool later_fragment(struct dissected *dissected, const struct cursor *cursor)
{
	uint16_t offset = short_at(cursor, 2);

	dissected->fragment |= offset & 0xfff9;
	return offset & 0xfff8;
}

/* IPv4's protocol 0 is no extension header, and neither are the others of IPv6's but AH. */
static void dissect_upper(struct dissected *dissected, struct cursor cursor)
{
	for (int i = 0; i < EXTENSIONS_MAX && cursor.left >= 8; i++) {
		uint8_t protocol = dissected->protocol;
		size_t length = extension_length(protocol, &cursor);

		if (length == 0 || (dissected->version == 4 && protocol != PROTOCOL_AH))
			break;
		dissected->protocol = cursor.at[0];
		if ((protocol == PROTOCOL_FRAGMENT && later_fragment(dissected, &cursor)) || !pass(&cursor, length))
			return;
	}
	dissect_transport(dissected, &cursor);
}

/* What is behind the packet is the link layer's filling. A length of 0 is that of a packet which the card was to cut.
 */
static void forget_filling(struct cursor *cursor, size_t length)
{
	if (length == 0)
		return;
	if (length < cursor->left)
		cursor->left = length;
	if (length < cursor->length)
		cursor->length = length;
}

static void dissect_ipv4(struct dissected *dissected, struct cursor cursor)
{
	size_t header = (size_t)(cursor.at[0] & 15) * 4;
	uint16_t length, fragment;

	dissected->ethertype = DISSECT_IPV4;
	if (cursor.left < 20 || header < 20)
		return;
	length = short_at(&cursor, 2);
	if (length > 0 && length < header)
		return;
	dissected->version = 4;
	dissected->protocol = cursor.at[9];
	dissected->hops = cursor.at[8];
	dissected->id = short_at(&cursor, 4);
	memcpy(dissected->from.address, cursor.at + 12, 4);
	memcpy(dissected->to.address, cursor.at + 16, 4);
	fragment = short_at(&cursor, 6) & 0x3fff;
	dissected->fragment = fragment;
	forget_filling(&cursor, length);
	if (!(fragment & 0x1fff) && pass(&cursor, header))
		dissect_upper(dissected, cursor);
}

static void dissect_ipv6(struct dissected *dissected, struct cursor cursor)
{
	uint16_t length;

	dissected->ethertype = DISSECT_IPV6;
	if (cursor.left < 40)
		return;
	dissected->version = 6;
	dissected->protocol = cursor.at[6];
	dissected->hops = cursor.at[7];
	memcpy(dissected->from.address, cursor.at + 8, 16);
	memcpy(dissected->to.address, cursor.at + 24, 16);
	length = short_at(&cursor, 4);
	pass(&cursor, 40);
	forget_filling(&cursor, length);
	dissect_upper(dissected, cursor);
}

static void dissect_ip(struct dissected *dissected, const struct cursor *cursor)
{
	if (cursor->left > 0 && cursor->at[0] >> 4 == 4)
		dissect_ipv4(dissected, *cursor);
	else if (cursor->left > 0 && cursor->at[0] >> 4 == 6)
		dissect_ipv6(dissected, *cursor);
}

/* --- the link layer --- */

static bool is_tag(uint16_t type)
{
	return type == 0x8100 || type == 0x88a8 || type == 0x9100;
}

static void take_arp(struct dissected *dissected, const struct cursor *cursor)
{
	dissected->upper = cursor->at;
	dissected->upper_size = (uint32_t)cursor->left;
	dissected->upper_length = (uint32_t)cursor->length;
}

/* The cursor is behind the type. */
static void dissect_type(struct dissected *dissected, uint16_t type, struct cursor cursor)
{
	for (int i = 0; i < TAGS_MAX && is_tag(type) && cursor.left >= 4; i++) {
		dissected->vlan = true;
		type = short_at(&cursor, 2);
		pass(&cursor, 4);
	}
	dissected->ethertype = type < 0x0600 ? DISSECT_LLC : type;
	if (type == DISSECT_IPV4 || type == DISSECT_IPV6)
		dissect_ip(dissected, &cursor);
	else if (type == DISSECT_ARP)
		take_arp(dissected, &cursor);
}

static void dissect_typed(struct dissected *dissected, struct cursor cursor, size_t header, size_t type_at)
{
	uint16_t type;

	if (cursor.left < header)
		return;
	type = short_at(&cursor, type_at);
	pass(&cursor, header);
	dissect_type(dissected, type, cursor);
}

/* Four bytes with the number of IP in the writer's system and byte order: AF_INET 2, AF_INET6 10, 24, 28 or 30. */
static void dissect_loopback(struct dissected *dissected, struct cursor cursor)
{
	int family;

	if (cursor.left < 4 || cursor.at[1] || cursor.at[2] || (cursor.at[0] && cursor.at[3]))
		return;
	family = cursor.at[0] | cursor.at[3];
	pass(&cursor, 4);
	if (family == 2 || family == 10 || family == 24 || family == 28 || family == 30)
		dissect_ip(dissected, &cursor);
}

void dissect(struct dissected *dissected, uint32_t link_type, const unsigned char *data, size_t size, size_t length)
{
	struct cursor cursor = {data, size, length > size ? length : size};

	*dissected = (struct dissected){.ethertype = DISSECT_UNKNOWN};
	switch (link_type) {
	case LINK_ETHERNET:
		dissect_typed(dissected, cursor, 14, 12);
		break;
	case LINK_LINUX_SLL:
		dissect_typed(dissected, cursor, 16, 14);
		break;
	case LINK_LINUX_SLL2:
		if (size >= 20)
			dissected->device = short_at(&cursor, 6);
		dissect_typed(dissected, cursor, 20, 0);
		break;
	case LINK_RAW:
	case LINK_RAW_HERE:
	case LINK_RAW_OPENBSD:
	case LINK_IPV4:
	case LINK_IPV6:
		dissect_ip(dissected, &cursor);
		break;
	case LINK_NULL:
	case LINK_LOOP:
		dissect_loopback(dissected, cursor);
		break;
	default:
		break;
	}
}

const char *dissect_link_name(uint32_t link_type)
{
	switch (link_type) {
	case LINK_ETHERNET:
		return "Ethernet";
	case LINK_LINUX_SLL:
		return "Linux cooked v1";
	case LINK_LINUX_SLL2:
		return "Linux cooked v2";
	case LINK_RAW:
	case LINK_RAW_HERE:
	case LINK_RAW_OPENBSD:
	case LINK_IPV4:
	case LINK_IPV6:
		return "raw IP";
	case LINK_NULL:
	case LINK_LOOP:
		return "BSD loopback";
	default:
		return NULL;
	}
}
