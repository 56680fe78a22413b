/*
 * Which way a packet went, and to whom: what libpcap does not tell, but the kernel's ring does, in the header that it
 * puts in front of each packet (linux/if_packet.h, TPACKET_V3).
 */
#ifndef TARCAP_PACKET_DIRECTION_H
#define TARCAP_PACKET_DIRECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <linux/if_packet.h>

#include "format/pcapng.h"

/* Of a sockaddr_ll behind the header, which needs no padding to TPACKET_ALIGNMENT. */
#define PACKET_DIRECTION_ADDRESS sizeof(struct tpacket3_hdr)
#define PACKET_DIRECTION_TRIES 64 /* packets without a header that we can find, until we stop to look for it */

struct packet_direction {
	uint32_t offset;    /* bytes from the latest packet's header to its data; 0: do not look */
	uint32_t mac;	    /* the latest header's tp_mac; libpcap has moved the data by what it is more than offset */
	uint32_t otherwise; /* flags where the header is not found */
	uint32_t tries;
};

/*
 * otherwise: what is known of all packets; pcapng's flags, or 0. fd: the packet socket; one without such a ring, or
 * none (-1), is not looked at.
 */
void packet_direction_init(struct packet_direction *direction, int fd, uint32_t otherwise);

/*
 * pcapng's flags of a packet that libpcap has just handed over, with its time in ns, from the ring that direction was
 * made for. Reads at most 116 bytes in front of the data, which are the ring's: a packet's data lies at least 68
 * behind its header, and that at least 48 behind its block's.
 */
uint32_t packet_direction_flags(struct packet_direction *direction, const unsigned char *data, uint32_t seconds,
				uint32_t nanoseconds, uint32_t length);

/* The header's fields of 32 bits; where none is, the address may be no multiple of 4. */
static inline uint32_t packet_direction_field(const unsigned char *header, size_t at)
{
	uint32_t value;

	memcpy(&value, header + at, sizeof(value));
	return value;
}

static inline uint32_t packet_direction_mac(const unsigned char *header)
{
	uint16_t value;

	memcpy(&value, header + offsetof(struct tpacket3_hdr, tp_mac), sizeof(value));
	return value;
}

/* Does the packet's header lie where the latest was? Then packet_direction_flags_there() says the same as
 * packet_direction_flags(). */
static inline bool packet_direction_is_there(const struct packet_direction *direction, const unsigned char *data,
					     uint32_t seconds, uint32_t nanoseconds, uint32_t length)
{
	const unsigned char *header = data - direction->offset;

	return direction->offset && packet_direction_field(header, offsetof(struct tpacket3_hdr, tp_sec)) == seconds &&
	       packet_direction_field(header, offsetof(struct tpacket3_hdr, tp_nsec)) == nanoseconds &&
	       packet_direction_mac(header) == direction->mac &&
	       packet_direction_field(header, offsetof(struct tpacket3_hdr, tp_len)) + direction->mac -
			       direction->offset ==
		       length;
}

static inline uint32_t packet_direction_flags_there(const struct packet_direction *direction, const unsigned char *data)
{
	static const unsigned char flags[8] = {
		[PACKET_HOST] = PCAPNG_INBOUND | PCAPNG_UNICAST,
		[PACKET_BROADCAST] = PCAPNG_INBOUND | PCAPNG_BROADCAST,
		[PACKET_MULTICAST] = PCAPNG_INBOUND | PCAPNG_MULTICAST,
		[PACKET_OTHERHOST] = PCAPNG_INBOUND | PCAPNG_PROMISCUOUS,
		[PACKET_OUTGOING] = PCAPNG_OUTBOUND,
	};
	const unsigned char *header = data - direction->offset;

	return flags[header[PACKET_DIRECTION_ADDRESS + offsetof(struct sockaddr_ll, sll_pkttype)] & 7];
}

#endif
