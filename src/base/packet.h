/* A packet as capture hands it to segments: a pcap record's header, and where the bytes lie. And several in a row. */
#ifndef TARCAP_PACKET_H
#define TARCAP_PACKET_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

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
	uint32_t number;    /* and in it, from 1; 0: nobody asks for it */
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

/* Bytes that it had and are not there. */
static inline uint32_t packet_cut(const struct packet_header *header)
{
	return header->length > header->caplen ? header->length - header->caplen : 0;
}

/* Records one behind the other, as a pcap file has them, none earlier than the one before it, and of one origin. */
struct packet_run {
	const unsigned char *records;
	size_t size;
	uint32_t count;
	struct packet_origin origin; /* of the first; where it has a number, each has the next one */
	uint64_t last;		     /* time of the last, in ns since the epoch */
};

/* The number of the packet that comes so many behind it. */
static inline uint32_t packet_number_after(const struct packet_origin *origin, uint32_t count)
{
	return origin->number ? origin->number + count : 0;
}

/* The first of a run that is not empty. */
static inline void packet_run_first(const struct packet_run *run, struct packet *packet)
{
	memcpy(&packet->header, run->records, sizeof(packet->header));
	packet->origin = run->origin;
	packet->data = run->records + sizeof(packet->header);
}

/* The time of its first packet. */
static inline uint64_t packet_run_time(const struct packet_run *run)
{
	struct packet_header header;

	memcpy(&header, run->records, sizeof(header));
	return packet_time(&header, run->origin.tick);
}

/* Without its first ones, of so many bytes. */
static inline void packet_run_drop(struct packet_run *run, uint32_t count, size_t size)
{
	run->records += size;
	run->size -= size;
	run->count -= count;
	run->origin.number = packet_number_after(&run->origin, count);
}

/* The first, which is in the run no more. */
static inline void packet_run_take(struct packet_run *run, struct packet *packet)
{
	packet_run_first(run, packet);
	packet_run_drop(run, 1, sizeof(packet->header) + packet->header.caplen);
}

#endif
