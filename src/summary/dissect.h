/* What a packet's headers say: who sent it to whom, by which protocol. Nothing in a packet is trusted. */
#ifndef TARCAP_DISSECT_H
#define TARCAP_DISSECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Link types as pcap files have them (LINKTYPE_), which are not always libpcap's DLT_. */
enum dissect_link {
	LINK_NULL = 0,
	LINK_ETHERNET = 1,
	LINK_RAW_HERE = 12, /* as libpcap's DLT_RAW is on most systems, and as some writers store it */
	LINK_RAW_OPENBSD = 14,
	LINK_RAW = 101,
	LINK_LOOP = 108,
	LINK_LINUX_SLL = 113,
	LINK_IPV4 = 228,
	LINK_IPV6 = 229,
	LINK_LINUX_SLL2 = 276,
	LINK_SEVERAL = 0x10000, /* no link type: of interfaces that are put together */
};

/* IP protocols that are looked into; the numbers are IANA's. */
enum dissect_protocol {
	PROTOCOL_HOP_BY_HOP = 0,
	PROTOCOL_ICMP = 1,
	PROTOCOL_TCP = 6,
	PROTOCOL_UDP = 17,
	PROTOCOL_ROUTING = 43,
	PROTOCOL_FRAGMENT = 44,
	PROTOCOL_AH = 51,
	PROTOCOL_ICMPV6 = 58,
	PROTOCOL_DESTINATION = 60,
	PROTOCOL_SCTP = 132,
	PROTOCOL_UDP_LITE = 136,
};

#define DISSECT_LLC 0	    /* as an ethertype: 802.3 has a length instead of a type */
#define DISSECT_UNKNOWN 1   /* the same: the packet ends before its type, or the link type is not known */
#define DISSECT_ARP 0x0806  /* ethertypes */
#define DISSECT_IPV4 0x0800 /* IP is what says in its first byte that it is; else it is malformed */
#define DISSECT_IPV6 0x86dd

#define DISSECT_SYN 0x02 /* TCP's flags (RFC 9293) */
#define DISSECT_ACK 0x10
#define DISSECT_FIN 0x01
#define DISSECT_RST 0x04
#define DISSECT_PSH 0x08

struct dissect_end {
	uint8_t address[16]; /* IPv4: the first 4, zeros behind them */
	uint16_t port;
};

struct dissected {
	/*
	 * What stands behind IP's headers, or behind an ARP packet's type: a TCP header, an ICMP message, an ARP body.
	 * NULL where it is not there, and in later fragments. These point into the packet: no longer valid than it is.
	 */
	const unsigned char *upper;
	const unsigned char *payload;	       /* of TCP and UDP, NULL as the above */
	uint32_t upper_size, payload_size;     /* bytes that are there */
	uint32_t upper_length, payload_length; /* on the wire, by IP's length */
	uint32_t sequence, acknowledged;       /* TCP's, valid with tcp_header */
	uint16_t window;		       /* the same, as it stands there: not scaled */
	uint8_t tcp_header;		       /* bytes, 20 or more; 0: there is no whole TCP header without options */
	uint8_t hops;			       /* TTL or hop limit; valid with a version */
	uint16_t id;			       /* of IPv4; 0: it has none */
	uint16_t device;		       /* of Linux cooked v2: the interface's index; else 0 */
	uint16_t ethertype; /* behind all VLAN tags; DISSECT_IPV4 or DISSECT_IPV6 also where the link layer has no type
			     */
	bool vlan;	    /* tagged at least once */
	uint8_t version;    /* of IP: 4 or 6; 0: it has no addresses, because it is no IP, is malformed or is cut */
	bool fragment;	    /* the first or a later one */
	bool ports;	  /* the ports are there: not in later fragments, and not where the packet is cut before them */
	uint8_t protocol; /* behind IPv6's extension headers and AH; valid with a version */
	uint8_t flags;	  /* TCP's */
	struct dissect_end from, to;
};

/* TCP's options (RFC 9293, 7323, 2018), as far as they are there. */
struct dissect_options {
	bool mss_known, scale_known, sack_permitted, timestamps;
	uint8_t scale; /* a shift */
	uint8_t sacks; /* how many of these: */
	uint16_t mss;
	uint32_t stamp, echo; /* valid with timestamps */
	uint32_t sack[4][2];  /* the first sequence number of a block, and the one behind it */
};

/* size: bytes that are there; length: on the wire. */
void dissect(struct dissected *dissected, uint32_t link_type, const unsigned char *data, size_t size, size_t length);

/* Of a packet that has a tcp_header and is still there. */
void dissect_options(struct dissect_options *options, const struct dissected *dissected);

/* "Ethernet", "Linux cooked v2": a link type's name, or NULL for one that is not looked into. */
const char *dissect_link_name(uint32_t link_type);

#endif
