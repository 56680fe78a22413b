#include "record/layers.h"

#include "summary/dissect.h"

#define TAGS_MAX 16	  /* of VLANs */
#define EXTENSIONS_MAX 32 /* more than any packet has that somebody means */
#define FRAGMENT_OFFSET 0x1fff

struct layers_link layers_link(uint32_t link_type)
{
	switch (link_type) {
	case LINK_ETHERNET:
		return (struct layers_link){true, 14, 12};
	case LINK_LINUX_SLL:
		return (struct layers_link){true, 16, 14};
	case LINK_LINUX_SLL2:
		return (struct layers_link){true, 20, 0};
	case LINK_RAW:
	case LINK_RAW_HERE:
	case LINK_RAW_OPENBSD:
	case LINK_IPV4:
	case LINK_IPV6:
		return (struct layers_link){true, 0, LAYERS_NO_TYPE};
	case LINK_NULL:
	case LINK_LOOP:
		return (struct layers_link){true, 4, LAYERS_NO_TYPE};
	default:
		return (struct layers_link){0};
	}
}

/* What is left of a packet. */
struct rest {
	const unsigned char *at;
	uint32_t size;	 /* bytes that are there */
	uint32_t length; /* on the wire */
};

static bool go_past(struct rest *rest, uint32_t bytes)
{
	if (bytes >= rest->size)
		return false;
	rest->at += bytes;
	rest->size -= bytes;
	rest->length -= bytes;
	return true;
}

/* What is behind IP's own length is the link layer's. A length of 0 is that of a packet which the card was to cut. */
static void end_at(struct rest *rest, uint32_t length)
{
	if (length == 0 || length > rest->length)
		return;
	rest->length = length;
	if (rest->size > length)
		rest->size = length;
}

/* The length of an extension header, or of AH, which IPv4 has, too; 0: it is none. */
static uint32_t extension_length(uint8_t protocol, uint8_t version, const unsigned char *at)
{
	if (protocol == PROTOCOL_AH)
		return ((uint32_t)at[1] + 2) * 4;
	if (version == 4)
		return 0;
	if (protocol == PROTOCOL_FRAGMENT)
		return 8;
	if (protocol == PROTOCOL_HOP_BY_HOP || protocol == PROTOCOL_ROUTING || protocol == PROTOCOL_DESTINATION)
		return ((uint32_t)at[1] + 1) * 8;
	return 0;
}

static bool find_upper(struct layers *layers, struct rest rest)
{
	for (int i = 0; i < EXTENSIONS_MAX && rest.size >= 8; i++) {
		uint32_t length = extension_length(layers->protocol, layers->version, rest.at);

		if (length == 0)
			break;
		if (layers->protocol == PROTOCOL_FRAGMENT && layers_short(rest.at + 2) & 0xfff8)
			return false;
		layers->protocol = rest.at[0];
		if (!go_past(&rest, length))
			return false;
	}
	layers->upper = rest.at;
	layers->upper_size = rest.size;
	layers->upper_length = rest.length;
	return true;
}

static bool find_in_ipv4(struct layers *layers, struct rest rest)
{
	uint32_t header = (uint32_t)(rest.at[0] & 15) * 4, length;

	if (rest.size < 20 || header < 20 || layers_short(rest.at + 6) & FRAGMENT_OFFSET)
		return false;
	length = layers_short(rest.at + 2);
	if (length > 0 && length < header)
		return false;
	layers->version = 4;
	layers->protocol = rest.at[9];
	layers->addresses = rest.at + 12;
	end_at(&rest, length);
	return go_past(&rest, header) && find_upper(layers, rest);
}

static bool find_in_ipv6(struct layers *layers, struct rest rest)
{
	uint32_t length;

	if (rest.size < 40)
		return false;
	length = layers_short(rest.at + 4);
	layers->version = 6;
	layers->protocol = rest.at[6];
	layers->addresses = rest.at + 8;
	end_at(&rest, length ? length + 40 : 0);
	return go_past(&rest, 40) && find_upper(layers, rest);
}

/* Behind the link layer's header. */
static bool skip_tags(struct rest *rest, uint32_t type)
{
	for (int i = 0; i < TAGS_MAX && (type == 0x8100 || type == 0x88a8 || type == 0x9100); i++) {
		if (rest->size < 4)
			return false;
		type = layers_short(rest->at + 2);
		if (!go_past(rest, 4))
			return false;
	}
	return type == DISSECT_IPV4 || type == DISSECT_IPV6;
}

bool layers_find(struct layers *layers, const struct layers_link *link, const unsigned char *data, uint32_t caplen,
		 uint32_t length)
{
	struct rest rest = {data, caplen, length < caplen ? caplen : length};

	if (!link->known || !go_past(&rest, link->header))
		return false;
	if (link->type_at != LAYERS_NO_TYPE && !skip_tags(&rest, layers_short(data + link->type_at)))
		return false;
	switch (rest.at[0] >> 4) {
	case 4:
		return find_in_ipv4(layers, rest);
	case 6:
		return find_in_ipv6(layers, rest);
	default:
		return false;
	}
}

uint32_t layers_transport_header(const struct layers *layers)
{
	uint32_t header;

	if (layers->protocol == PROTOCOL_UDP)
		return layers->upper_size >= 8 ? 8 : 0;
	if (layers->protocol != PROTOCOL_TCP || layers->upper_size < 20)
		return 0;
	header = (uint32_t)(layers->upper[12] >> 4) * 4;
	return header >= 20 && header <= layers->upper_size ? header : 0;
}
