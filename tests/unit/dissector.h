/* A plain dissector, against which the program of src/capture/filter_headers.c is held. It knows nothing of BPF. */
#ifndef TARCAP_TESTS_DISSECTOR_H
#define TARCAP_TESTS_DISSECTOR_H

#include <pcap/dlt.h>
#include <stdbool.h>
#include <stdint.h>

struct dissector {
	const uint8_t *data;
	unsigned length; /* bytes that are there */
};

#define UNKNOWN 128

/* 0 where there is nothing: what is read there decides nothing any more. */
static unsigned byte_at(const struct dissector *d, unsigned at)
{
	return at < d->length ? d->data[at] : 0;
}

static unsigned short_at(const struct dissector *d, unsigned at)
{
	return byte_at(d, at) << 8 | byte_at(d, at + 1);
}

static unsigned dissect_icmp(const struct dissector *d, unsigned at)
{
	switch (byte_at(d, at)) {
	case 0:
	case 8:
		return at + 8;
	case 3:
	case 4:
	case 5:
	case 11:
	case 12:
		return at + 8 + (byte_at(d, at + 8) & 15) * 4 + 8;
	default:
		return at + UNKNOWN;
	}
}

static unsigned dissect_icmpv6(const struct dissector *d, unsigned at)
{
	unsigned type = byte_at(d, at);

	if (type < 128)
		return at + 8 + 40 + 8;
	return at + (type <= 129 ? 8 : UNKNOWN);
}

static unsigned dissect_transport(const struct dissector *d, unsigned protocol, unsigned at)
{
	unsigned words = byte_at(d, at + 12) >> 4;

	if (at >= d->length)
		return d->length;
	switch (protocol) {
	case 6:
		return at + (words < 5 ? 20 : words * 4);
	case 17:
	case 50:
	case 136:
		return at + 8;
	case 132:
		return at + 28;
	case 1:
		return dissect_icmp(d, at);
	case 58:
		return dissect_icmpv6(d, at);
	case 59:
		return at;
	default:
		return at + UNKNOWN;
	}
}

/* What is behind the IP header: extension headers, then the transport layer's. */
static unsigned dissect_upper(const struct dissector *d, unsigned protocol, unsigned at)
{
	for (int extensions = 0; extensions < 6; extensions++) {
		unsigned length = (byte_at(d, at + 1) + 1) * 8;

		if (protocol == 51)
			length = (byte_at(d, at + 1) + 2) * 4;
		else if (protocol == 44)
			length = 8;
		else if (protocol != 0 && protocol != 43 && protocol != 60)
			break;
		if (at + 8 > d->length)
			return d->length;
		if (protocol == 44 && short_at(d, at + 2) >> 3)
			return at + 8;
		protocol = byte_at(d, at);
		at += length;
	}
	return dissect_transport(d, protocol, at);
}

static unsigned dissect_ip(const struct dissector *d, unsigned at)
{
	unsigned header = (byte_at(d, at) & 15) * 4;

	if (at + 20 > d->length)
		return d->length;
	if (byte_at(d, at) >> 4 == 6)
		return at + 40 > d->length ? d->length : dissect_upper(d, byte_at(d, at + 6), at + 40);
	if (byte_at(d, at) >> 4 != 4 || header < 20)
		return at + UNKNOWN;
	if (short_at(d, at + 6) & 0x1fff)
		return at + header;
	return dissect_upper(d, byte_at(d, at + 9), at + header);
}

static unsigned dissect_ethertype(const struct dissector *d, unsigned type, unsigned at)
{
	for (int tags = 0; tags <= 3; tags++) {
		if (at > d->length)
			return d->length;
		if (type == 0x0800 || type == 0x86dd)
			return dissect_ip(d, at);
		if (type != 0x8100 && type != 0x88a8 && type != 0x9100)
			break;
		if (tags == 3)
			break;
		type = short_at(d, at + 2);
		at += 4;
	}
	return at + UNKNOWN;
}

static unsigned dissect_link(const struct dissector *d, int link_type)
{
	switch (link_type) {
	case DLT_EN10MB:
		return dissect_ethertype(d, short_at(d, 12), 14);
	case DLT_LINUX_SLL:
		return dissect_ethertype(d, short_at(d, 14), 16);
	case DLT_LINUX_SLL2:
		return dissect_ethertype(d, short_at(d, 0), 20);
	case DLT_RAW:
	case DLT_IPV4:
	case DLT_IPV6:
		return dissect_ip(d, 0);
	case DLT_NULL:
	case DLT_LOOP:
		return dissect_ip(d, 4);
	default:
		return UNKNOWN;
	}
}

/* How many of length bytes are headers. */
static inline unsigned dissect(int link_type, const uint8_t *data, unsigned length)
{
	struct dissector d = {data, length};
	unsigned kept = dissect_link(&d, link_type);

	return kept < length ? kept : length;
}

#endif
