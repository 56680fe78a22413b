/*
 * The length of a packet's headers, as a classic BPF program that the kernel runs behind a filter, so that what follows
 * the headers never reaches the ring.
 *
 * What is kept: the link layer's header, up to FILTER_HEADERS_TAGS VLAN tags, the IP header with its options, up to
 * FILTER_HEADERS_EXTENSIONS IPv6 extension headers or AH, and then
 *
 *   TCP             the header with its options          UDP, UDP-Lite, ESP   8 bytes
 *   SCTP            28: the common header and that of a DATA chunk
 *   ICMP, ICMPv6    8 of an echo; of an error also the quoted IP header (without IPv6's extension headers) and 8 bytes
 *                   behind it, which are the ports; of the others, which carry no user's data, FILTER_HEADERS_UNKNOWN
 *   nothing more    in a later fragment, which is data throughout, and after "no next header"
 *   anything else   FILTER_HEADERS_UNKNOWN bytes from where it begins; the same for what is no IP, from the end of the
 * link layer's header, and for unknown link types, from the packet's first byte
 *
 * A packet that ends within its headers is kept whole.
 */
#ifndef TARCAP_FILTER_HEADERS_H
#define TARCAP_FILTER_HEADERS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Of a protocol that is not known here. Enough for all of ARP, and for the headers within the common tunnels: GRE with
 * a key (8), Ethernet (14), IPv6 (40), and TCP with all its options (60) are 122.
 */
#define FILTER_HEADERS_UNKNOWN 128

/* One more where the kernel keeps the outer tag beside the packet. */
#define FILTER_HEADERS_TAGS 3

/* RFC 8200, section 4.1, puts six into a packet, besides ESP, behind which nothing can be read. */
#define FILTER_HEADERS_EXTENSIONS 6

#define FILTER_HEADERS_INSTRUCTIONS_MAX 384

struct sock_filter;

/* The packets that the program is for. */
struct filter_headers {
	int link_type;	  /* libpcap's DLT_ */
	bool in_kernel;	  /* where a packet has no link header when the link type is one of libpcap's cooked ones */
	uint32_t snaplen; /* at most this is returned; not 0 */
};

/*
 * Write the program, at most FILTER_HEADERS_INSTRUCTIONS_MAX instructions, and return how many. It returns the length,
 * never 0, and more than the packet has when all of it is to be kept. It takes the packet's length for the number of
 * bytes that are there: where there are fewer, say that that is its length.
 */
unsigned filter_headers_program(struct sock_filter *program, const struct filter_headers *headers);

/*
 * Let a filter return that length for each packet that it accepts. filter has length instructions and room for max.
 * Returns the new length, or 0, with filter unchanged, where there is no room or a return is none of a constant.
 */
unsigned filter_headers_append(struct sock_filter *filter, unsigned length, unsigned max,
			       const struct filter_headers *headers);

#endif
