/*
 * Where a packet's IP payload lies, found in a few instructions, for what looks at every packet while it is captured.
 * summary/dissect.h knows more and takes its time; tests/unit/layers.c holds the two together. Nothing in a packet is
 * trusted.
 */
#ifndef TARCAP_LAYERS_H
#define TARCAP_LAYERS_H

#include <stdbool.h>
#include <stdint.h>

/* Where IP begins behind the header of a link type. */
struct layers_link {
	bool known;
	uint32_t header;  /* bytes */
	uint32_t type_at; /* of the ethertype; LAYERS_NO_TYPE: IP tells its version itself */
};

#define LAYERS_NO_TYPE UINT32_MAX

struct layers {
	const unsigned char *addresses; /* the source's and, behind it, the destination's */
	const unsigned char *upper;	/* TCP's, UDP's or ICMP's header */
	uint32_t upper_size;		/* bytes of it and its payload that are there; at least 1 */
	uint32_t upper_length;		/* on the wire, by IP's length */
	uint8_t version;		/* of IP: 4 or 6 */
	uint8_t protocol;		/* behind AH, and IPv6's extension headers */
};

/* Of a link type as files have it (LINKTYPE_). */
struct layers_link layers_link(uint32_t link_type);

/*
 * caplen bytes are there of length on the wire. False where there is no IP payload: other protocols, fragments but the
 * first, packets that are cut before it or malformed.
 */
bool layers_find(struct layers *layers, const struct layers_link *link, const unsigned char *data, uint32_t caplen,
		 uint32_t length);

/* Behind the header of TCP or UDP: how long that is; 0 where it is not there as a whole, or malformed. */
uint32_t layers_transport_header(const struct layers *layers);

static inline uint32_t layers_short(const unsigned char *at)
{
	return (uint32_t)at[0] << 8 | at[1];
}

static inline uint32_t layers_long(const unsigned char *at)
{
	return layers_short(at) << 16 | layers_short(at + 2);
}

#endif
