/* A packet as capture hands it to segments: a pcap record's header, and where the bytes lie. */
#ifndef TARCAP_PACKET_H
#define TARCAP_PACKET_H

#include <stdint.h>

#include "base/clock.h"

#define PACKET_FILE_HEADER 24 /* bytes in front of a pcap file's records */

/* The record header of a pcap file, in host byte order (draft-ietf-opsawg-pcap, section 5). */
struct packet_header {
	uint32_t seconds;
	uint32_t fraction; /* of a second, in ticks: see packet_time() */
	uint32_t caplen;   /* bytes kept */
	uint32_t length;   /* bytes on the wire */
};

/* Beside its record: what pcap has no place for. */
struct packet_origin {
	uint32_t tick;	    /* ns that the fraction counts in: see packet_time() */
	uint32_t interface; /* a number; whose, says who gives it */
	uint32_t flags;	    /* pcapng's, or 0: nothing is known */
	uint32_t member;    /* of an archive, as numbering_member() has it; */
	uint32_t number;    /* and in it, from 1 */
};

struct packet {
	struct packet_header header;
	struct packet_origin origin;
	const unsigned char *data;
};

/* ns that a fraction counts in */
#define PACKET_TICK_MICRO 1000
#define PACKET_TICK_NANO 1

/* A packet's time in ns since the epoch. */
static inline uint64_t packet_time(const struct packet_header *header, uint32_t tick)
{
	return header->seconds * CLOCK_SECOND + (uint64_t)header->fraction * tick;
}

#endif
