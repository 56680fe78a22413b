/*
 * A pcapng file's blocks, one at a time, into interfaces and packets: of either byte order, with any resolution, and of
 * several sections. Nothing in them is trusted. Sections are those of draft-ietf-opsawg-pcapng.
 */
#ifndef TARCAP_PCAPNG_READ_H
#define TARCAP_PCAPNG_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/packet.h"
#include "format/pcapng.h"

#define PCAPNG_READ_HEAD 12		/* bytes from which pcapng_read_look() knows what comes; none is shorter */
#define PCAPNG_READ_INTERFACES_MAX 4096 /* of a section; packets of more are passed over */
#define PCAPNG_READ_OPTIONS_MAX 65536	/* bytes of a block's options that are read */
#define PCAPNG_READ_CAPLEN_MAX \
	262144 /* libpcap's MAXIMUM_SNAPLEN; longer packets, which few link types have, likewise */

/* A block that is read whole has no more bytes. */
#define PCAPNG_READ_LONGEST (PCAPNG_PACKET_HEAD + PCAPNG_READ_CAPLEN_MAX + PCAPNG_READ_OPTIONS_MAX + 4)

enum pcapng_read_kind {
	PCAPNG_READ_SKIP,	/* nothing that is needed, or passed over and counted */
	PCAPNG_READ_SECTION,	/* a section began: its interfaces are numbered from 0 */
	PCAPNG_READ_INTERFACE,	/* see the latest */
	PCAPNG_READ_STATISTICS, /* counters, which are added up */
	PCAPNG_READ_PACKET,
	PCAPNG_READ_DAMAGED,
};

/* What a packet's block needs to know of its interface. */
struct pcapng_read_interface {
	uint32_t snaplen;   /* 0: no limit */
	uint8_t resolution; /* if_tsresol */
	bool counted;	    /* something says what it lost */
	uint64_t offset;    /* s to add: two's complement */
	uint64_t dropped;   /* packets, as its latest statistics have them */
	uint64_t between;   /* and as its packets have them, each since the one before */
};

/* What may hold packets, and has been passed over: then nobody can say that they are all there. */
struct pcapng_read_passed {
	uint64_t blocks;  /* of a type that is not known here */
	uint32_t type;	  /* of the first of them */
	uint64_t packets; /* that are too long, or of an interface above PCAPNG_READ_INTERFACES_MAX */
};

/* Packets that are said to be lost, in all sections. */
struct pcapng_read_loss {
	uint64_t packets;
	uint64_t interfaces, counted; /* how many there are, and of how many something is said */
};

struct pcapng_read {
	bool foreign; /* set by the caller: see pcap_read_begin() */
	bool begun, swapped;
	bool timed;	/* the latest packet has a time, */
	uint64_t time;	/* in ns since the epoch */
	unsigned count; /* of the section's interfaces, also of those that are too many */
	struct pcapng_read_passed passed;
	struct pcapng_read_loss loss;
	struct pcapng_section section;	/* the latest */
	struct pcapng_interface latest; /* its number is count - 1 */
	struct pcapng_read_interface interfaces[PCAPNG_READ_INTERFACES_MAX];
};

/* Begin a file. */
void pcapng_read_begin(struct pcapng_read *blocks, bool foreign);

/*
 * From a block's first PCAPNG_READ_HEAD bytes: what it is, and how many bytes it has. A section sets the byte order.
 * All but PCAPNG_READ_SKIP and PCAPNG_READ_DAMAGED have at most PCAPNG_READ_LONGEST.
 */
enum pcapng_read_kind pcapng_read_look(struct pcapng_read *blocks, const unsigned char head[PCAPNG_READ_HEAD],
				       uint32_t *size);

/*
 * The whole block: as pcapng_read_look() said, or PCAPNG_READ_SKIP for what is passed over, or PCAPNG_READ_DAMAGED. A
 * packet's data points into it, its times are in ns.
 */
enum pcapng_read_kind pcapng_read_take(struct pcapng_read *blocks, const unsigned char *block, uint32_t size,
				       struct packet *packet);

#endif
