/* Packets of raw IP and ARP, built by hand and dissected, as the analysers of summary/ get them. */
#ifndef TARCAP_TESTS_SIGHTINGS_H
#define TARCAP_TESTS_SIGHTINGS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/siphash.h"
#include "summary/dissect.h"
#include "summary/findings.h"
#include "summary/sighting.h"

#define SECOND UINT64_C(1000000000)

static const struct siphash_key sightings_key = {5, 6};

struct packet_of {
	uint8_t version; /* 4: 10.0.0.FROM and 10.0.0.TO; 6: fd00::FROM and fd00::TO */
	uint8_t from, to, protocol;
	uint16_t from_port, to_port;
	uint32_t sequence, acknowledged;
	uint8_t flags;
	const void *payload; /* or what stands behind ICMP's IP header */
	size_t size;
};

/* Bytes of a packet into bytes, which is large enough; how many. */
static inline size_t sightings_packet(unsigned char *bytes, const struct packet_of *of)
{
	size_t header = of->version == 4 ? 20 : 40;
	size_t transport = of->protocol == PROTOCOL_TCP ? 20 : of->protocol == PROTOCOL_UDP ? 8 : 0;
	size_t length = header + transport + of->size;
	unsigned char *upper = bytes + header;

	memset(bytes, 0, header + transport);
	if (of->version == 4) {
		memcpy(bytes, (unsigned char[]){0x45, 0, (unsigned char)(length >> 8), (unsigned char)length}, 4);
		bytes[8] = 64;
		bytes[9] = of->protocol;
		memcpy(bytes + 12, (unsigned char[]){10, 0, 0, of->from, 10, 0, 0, of->to}, 8);
	} else {
		bytes[0] = 0x60;
		bytes[4] = (unsigned char)((length - 40) >> 8);
		bytes[5] = (unsigned char)(length - 40);
		bytes[6] = of->protocol;
		bytes[7] = 255;
		bytes[8] = bytes[24] = 0xfd;
		bytes[23] = of->from;
		bytes[39] = of->to;
	}
	if (transport)
		memcpy(upper,
		       (unsigned char[]){(unsigned char)(of->from_port >> 8), (unsigned char)of->from_port,
					 (unsigned char)(of->to_port >> 8), (unsigned char)of->to_port},
		       4);
	for (int i = 0; i < 4 && of->protocol == PROTOCOL_TCP; i++) {
		upper[4 + i] = (unsigned char)(of->sequence >> (24 - 8 * i));
		upper[8 + i] = (unsigned char)(of->acknowledged >> (24 - 8 * i));
		upper[12] = 0x50;
		upper[13] = of->flags;
	}
	if (of->size)
		memcpy(bytes + header + transport, of->payload, of->size);
	return length;
}

static struct dissected sightings_headers;
static unsigned char sightings_bytes[4096];

/* Valid until the next one. number: of the packet. */
static inline struct sighting sightings_raw(uint32_t link_type, size_t size, uint64_t time)
{
	static uint64_t number;

	dissect(&sightings_headers, link_type, sightings_bytes, size, size);
	return (struct sighting){.headers = &sightings_headers,
				 .place = {.member = 1, .packet = ++number, .time = time},
				 .timed = true,
				 .length = (uint32_t)size};
}

static inline struct sighting sighting_of(const struct packet_of *of, uint64_t time)
{
	return sightings_raw(LINK_RAW, sightings_packet(sightings_bytes, of), time);
}

/* The only one of a kind; NULL: there is none. */
static inline const struct finding *finding_of(const struct findings *findings, enum finding_kind kind)
{
	const struct finding *found = NULL;

	for (size_t i = 0; i < findings->count; i++) {
		if (findings->list[i].kind == kind) {
			assert_null(found);
			found = &findings->list[i];
		}
	}
	return found;
}

#endif
