/*
 * The blocks of a pcapng file, as draft-ietf-opsawg-pcapng has them, in host byte order. Writing needs no memory and no
 * library; reading trusts nothing, and is pcap_read.c's.
 */
#ifndef TARCAP_PCAPNG_H
#define TARCAP_PCAPNG_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"

/* Section 3.1: what each block begins with; of a section header also the bytes from which its order is known. */
enum {
	PCAPNG_SECTION = 0x0a0d0d0a,
	PCAPNG_INTERFACE = 1,
	PCAPNG_OBSOLETE_PACKET = 2,
	PCAPNG_SIMPLE_PACKET = 3,
	PCAPNG_STATISTICS = 5,
	PCAPNG_PACKET = 6,
	PCAPNG_BYTE_ORDER = 0x1a2b3c4d,
};

/* Options (section 3.5, and those of each block). */
enum {
	PCAPNG_END_OF_OPTIONS = 0,
	PCAPNG_COMMENT = 1,
	PCAPNG_OS = 3,
	PCAPNG_APPLICATION = 4,
	PCAPNG_IF_NAME = 2,
	PCAPNG_IF_DESCRIPTION = 3,
	PCAPNG_IF_RESOLUTION = 9,
	PCAPNG_IF_FILTER = 11,
	PCAPNG_IF_OFFSET = 14,
	PCAPNG_FLAGS = 2,
	PCAPNG_DROPPED_BEFORE = 4,
	PCAPNG_START = 2,
	PCAPNG_END = 3,
	PCAPNG_IF_DROPPED = 5,
	PCAPNG_ACCEPTED = 6,
	PCAPNG_OS_DROPPED = 7,
	PCAPNG_DELIVERED = 8,
};

/* A packet's flags (section 4.3.1): its direction, and how it was received. */
enum {
	PCAPNG_INBOUND = 1,
	PCAPNG_OUTBOUND = 2,
	PCAPNG_UNICAST = 1 << 2,
	PCAPNG_MULTICAST = 2 << 2,
	PCAPNG_BROADCAST = 3 << 2,
	PCAPNG_PROMISCUOUS = 4 << 2,
};

/* Texts are UTF-8, and cut by pcapng_text() where they are longer; "" is left out. */
struct pcapng_section {
	char comment[1536], os[160], application[80];
};

struct pcapng_interface {
	char name[96], description[192], filter[1024]; /* the filter as pcap-filter(7) has it */
	uint32_t link_type;			       /* LINKTYPE_, 16 bits of it */
	uint32_t snaplen;
};

/* Counters since the capture began, and the times they are of, ns since the epoch. */
struct pcapng_statistics {
	uint64_t start, end;
	uint64_t accepted;  /* by the filter, those dropped included */
	uint64_t dropped;   /* by the kernel */
	uint64_t delivered; /* put into files */
};

/* Bytes that the blocks have at most. */
#define PCAPNG_SECTION_MAX (sizeof(struct pcapng_section) + 64)
#define PCAPNG_INTERFACE_MAX (sizeof(struct pcapng_interface) + 64)
#define PCAPNG_FRONT_MAX (PCAPNG_SECTION_MAX + PCAPNG_INTERFACE_MAX)
#define PCAPNG_STATISTICS_SIZE 100
#define PCAPNG_PACKET_HEAD 28
#define PCAPNG_PACKET_MORE 16 /* behind the data and its padding: flags, the end of options, the size */

/* Copy a text into size bytes; what is too long is cut before a character, and ends in "...". Returns to. */
char *pcapng_text(char *to, size_t size, const char *text);

/*
 * Each writes its block, and returns its bytes. An interface's number is its place among those of its section, from 0.
 * Packets' times are in ns, and a section's length is left open, so that sections may grow, and follow each other.
 */
MUST_CHECK size_t pcapng_put_section(unsigned char *to, const struct pcapng_section *section);
MUST_CHECK size_t pcapng_put_interface(unsigned char *to, const struct pcapng_interface *interface);
MUST_CHECK size_t pcapng_put_statistics(unsigned char *to, uint32_t interface,
					const struct pcapng_statistics *statistics);

/* Bytes of an enhanced packet block (section 4.3). flags: 0 for none. */
static inline uint32_t pcapng_packet_size(uint32_t caplen, uint32_t flags)
{
	return PCAPNG_PACKET_HEAD + ((caplen + 3) & ~UINT32_C(3)) + (flags ? PCAPNG_PACKET_MORE : 4);
}

static inline void pcapng_store(unsigned char *to, uint32_t value)
{
	memcpy(to, &value, sizeof(value));
}

/* What it has in front of the data; time is ns since the epoch. Stored at once, never put together beside it first. */
static inline void pcapng_packet_head(unsigned char *to, uint32_t size, uint32_t interface, uint64_t time,
				      uint32_t caplen, uint32_t length)
{
	pcapng_store(to, PCAPNG_PACKET);
	pcapng_store(to + 4, size);
	pcapng_store(to + 8, interface);
	pcapng_store(to + 12, (uint32_t)(time >> 32));
	pcapng_store(to + 16, (uint32_t)time);
	pcapng_store(to + 20, caplen);
	pcapng_store(to + 24, length);
}

/* What it has behind the data's padding: 4 bytes, or PCAPNG_PACKET_MORE with flags. Returns how many. */
static inline size_t pcapng_packet_tail(unsigned char *to, uint32_t size, uint32_t flags)
{
	const uint16_t code_and_size[2] = {PCAPNG_FLAGS, sizeof(flags)};

	if (!flags) {
		pcapng_store(to, size);
		return 4;
	}
	memcpy(to, code_and_size, sizeof(code_and_size));
	pcapng_store(to + 4, flags);
	pcapng_store(to + 8, PCAPNG_END_OF_OPTIONS);
	pcapng_store(to + 12, size);
	return PCAPNG_PACKET_MORE;
}

#endif
