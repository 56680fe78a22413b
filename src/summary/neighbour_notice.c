#include "summary/neighbour_notice.h"

#include <string.h>

#define ARP_SIZE 28 /* of IPv4 over Ethernet */
#define ND_SIZE 24  /* ICMPv6's header, and the target */

enum {
	ARP_REQUEST = 1,
	ARP_REPLY = 2,
	ND_SOLICITATION = 135,
	ND_ADVERTISEMENT = 136,
	ND_OPTION_SOURCE = 1,
	ND_OPTION_TARGET = 2
};

bool neighbour_notice_is_none(const uint8_t *address, size_t size)
{
	static const uint8_t none[16];

	return memcmp(address, none, size) == 0;
}

static bool read_arp(struct neighbour_notice *notice, const struct dissected *headers)
{
	static const uint8_t begin[] = {0, 1, 8, 0, NEIGHBOURS_HARDWARE, 4, 0};
	const uint8_t *body = headers->upper;

	if (!body || headers->upper_size < ARP_SIZE || memcmp(body, begin, sizeof(begin)) != 0)
		return false;
	*notice = (struct neighbour_notice){.size = 4, .hardware = body + 8};
	if (body[7] == ARP_REPLY) {
		notice->claimed = body + 14;
		return true;
	}
	if (body[7] != ARP_REQUEST)
		return false;
	notice->asked = body + 24;
	if (!neighbour_notice_is_none(body + 14, 4))
		notice->by = notice->claimed = body + 14;
	return true;
}

/* A link-layer address among the options; each begins with its type, and its length in units of 8 bytes. */
static const uint8_t *find_option(const struct dissected *headers, uint8_t type)
{
	const uint8_t *at = headers->upper + ND_SIZE;
	size_t left = headers->upper_size - ND_SIZE;

	while (left >= 8 && at[1] > 0 && at[1] * (size_t)8 <= left) {
		if (at[0] == type)
			return at + 2;
		left -= at[1] * (size_t)8;
		at += at[1] * (size_t)8;
	}
	return NULL;
}

/* A hop limit of 255 says that it comes from here, and not from a router away (RFC 4861, section 3.1). */
static bool read_discovery(struct neighbour_notice *notice, const struct dissected *headers)
{
	const uint8_t *body = headers->upper;

	if (!body || headers->upper_size < ND_SIZE || headers->hops != 255 ||
	    (body[0] != ND_SOLICITATION && body[0] != ND_ADVERTISEMENT))
		return false;
	*notice = (struct neighbour_notice){.size = 16};
	if (body[0] == ND_ADVERTISEMENT) {
		notice->claimed = body + 8;
		notice->hardware = find_option(headers, ND_OPTION_TARGET);
		return true;
	}
	notice->asked = body + 8;
	notice->hardware = find_option(headers, ND_OPTION_SOURCE);
	if (!neighbour_notice_is_none(headers->from.address, 16))
		notice->by = notice->claimed = headers->from.address;
	return true;
}

bool neighbour_notice_read(struct neighbour_notice *notice, const struct dissected *headers)
{
	if (headers->ethertype == DISSECT_ARP)
		return read_arp(notice, headers);
	return headers->protocol == PROTOCOL_ICMPV6 && headers->version == 6 && read_discovery(notice, headers);
}
