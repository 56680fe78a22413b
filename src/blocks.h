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

#define BLOCKS_HEAD 12		   /* bytes from which blocks_look() knows what comes; none is shorter */
#define BLOCKS_INTERFACES_MAX 4096 /* of a section; packets of more are passed over */
#define BLOCKS_OPTIONS_MAX 65536   /* bytes of a block's options that are read */
#define BLOCKS_CAPLEN_MAX 262144   /* libpcap's MAXIMUM_SNAPLEN; longer packets, which few link types have, likewise */

/* A block that is read whole has no more bytes. */
#define BLOCKS_LONGEST (PCAPNG_PACKET_HEAD + BLOCKS_CAPLEN_MAX + BLOCKS_OPTIONS_MAX + 4)

enum blocks_kind {
	BLOCKS_SKIP,	   /* nothing that is needed, or passed over and counted */
	BLOCKS_SECTION,	   /* a section began: its interfaces are numbered from 0 */
	BLOCKS_INTERFACE,  /* see the latest */
	BLOCKS_STATISTICS, /* counters, which are added up */
	BLOCKS_PACKET,
	BLOCKS_DAMAGED,
};

/* What a packet's block needs to know of its interface. */
struct blocks_interface {
	uint32_t snaplen;   /* 0: no limit */
	uint8_t resolution; /* if_tsresol */
	bool counted;	    /* something says what it lost */
	uint64_t offset;    /* s to add: two's complement */
	uint64_t dropped;   /* packets, as its latest statistics have them */
	uint64_t between;   /* and as its packets have them, each since the one before */
};

/* What may hold packets, and has been passed over: then nobody can say that they are all there. */
struct blocks_passed {
	uint64_t blocks;  /* of a type that is not known here */
	uint32_t type;	  /* of the first of them */
	uint64_t packets; /* that are too long, or of an interface above BLOCKS_INTERFACES_MAX */
};

/* Packets that are said to be lost, in all sections. */
struct blocks_loss {
	uint64_t packets;
	uint64_t interfaces, counted; /* how many there are, and of how many something is said */
};

struct blocks {
	bool foreign; /* set by the caller: see records_begin() */
	bool begun, swapped;
	bool timed;	/* the latest packet has a time, */
	uint64_t time;	/* in ns since the epoch */
	unsigned count; /* of the section's interfaces, also of those that are too many */
	struct blocks_passed passed;
	struct blocks_loss loss;
	struct pcapng_section section;	/* the latest */
	struct pcapng_interface latest; /* its number is count - 1 */
	struct blocks_interface interfaces[BLOCKS_INTERFACES_MAX];
};

/* Begin a file. */
void blocks_begin(struct blocks *blocks, bool foreign);

/*
 * From a block's first BLOCKS_HEAD bytes: what it is, and how many bytes it has. A section sets the byte order. All but
 * BLOCKS_SKIP and BLOCKS_DAMAGED have at most BLOCKS_LONGEST.
 */
enum blocks_kind blocks_look(struct blocks *blocks, const unsigned char head[BLOCKS_HEAD], uint32_t *size);

/*
 * The whole block: as blocks_look() said, or BLOCKS_SKIP for what is passed over, or BLOCKS_DAMAGED. A packet's data
 * points into it, its times are in ns.
 */
enum blocks_kind blocks_take(struct blocks *blocks, const unsigned char *block, uint32_t size, struct packet *packet);

#endif
