/*
 * A pcapng file's blocks, one at a time, into interfaces and packets: of either byte order, with any resolution, and of
 * several sections. Nothing in them is trusted. Sections are those of draft-ietf-opsawg-pcapng.
 */
#ifndef TARCAP_BLOCKS_H
#define TARCAP_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "packet.h"
#include "pcapng.h"

#define BLOCKS_HEAD 12		  /* bytes from which blocks_look() knows what comes; none is shorter */
#define BLOCKS_INTERFACES_MAX 256 /* of a section; more is damage */
#define BLOCKS_OPTIONS_MAX 65536  /* bytes of a block's options that are read; more is damage */
#define BLOCKS_CAPLEN_MAX 262144  /* libpcap's MAXIMUM_SNAPLEN; more is damage */

/* A block that is read whole has no more bytes. */
#define BLOCKS_LONGEST (PCAPNG_PACKET_HEAD + BLOCKS_CAPLEN_MAX + BLOCKS_OPTIONS_MAX + 4)

enum blocks_kind {
	BLOCKS_SKIP,	  /* nothing that is needed */
	BLOCKS_SECTION,	  /* a section began: its interfaces are numbered from 0 */
	BLOCKS_INTERFACE, /* see the latest */
	BLOCKS_PACKET,
	BLOCKS_DAMAGED,
};

struct blocks_clock {
	uint32_t snaplen;   /* 0: no limit */
	uint8_t resolution; /* if_tsresol */
	uint64_t offset;    /* s to add: two's complement */
};

struct blocks {
	bool begun, swapped;
	unsigned count;			/* of the section's interfaces */
	struct pcapng_section section;	/* the latest */
	struct pcapng_interface latest; /* its number is count - 1 */
	struct blocks_clock clocks[BLOCKS_INTERFACES_MAX];
};

/*
 * From a block's first BLOCKS_HEAD bytes: what it is, and how many bytes it has. A section sets the byte order. All but
 * BLOCKS_SKIP and BLOCKS_DAMAGED have at most BLOCKS_LONGEST.
 */
enum blocks_kind blocks_look(struct blocks *blocks, const unsigned char head[BLOCKS_HEAD], uint32_t *size);

/* The whole block: as blocks_look() said, or BLOCKS_DAMAGED. A packet's data points into it, its times are in ns. */
enum blocks_kind blocks_take(struct blocks *blocks, const unsigned char *block, uint32_t size, struct packet *packet);

#endif
