/* Packets and bytes by protocol, in fixed memory. */
#ifndef TARCAP_PROTOCOLS_H
#define TARCAP_PROTOCOLS_H

#include <stddef.h>
#include <stdint.h>

#include "summary/dissect.h"

#define PROTOCOLS_TYPES 64 /* ethertypes that are no IP and are told apart; what comes then is "other" */
#define PROTOCOLS_MAX (256 + PROTOCOLS_TYPES + 1)
#define PROTOCOLS_NAME_SIZE 24

struct protocols_count {
	uint64_t packets, bytes;
};

struct protocols {
	struct protocols_count ip[256];		       /* by the IP protocol, of both versions */
	struct protocols_count types[PROTOCOLS_TYPES]; /* by the ethertype */
	struct protocols_count other;
	struct protocols_count version4, version6; /* of IP, in all */
	struct protocols_count tagged, fragments;  /* with a VLAN tag; of IP packets */
	uint16_t type[PROTOCOLS_TYPES];
	size_t type_count;
};

struct protocols_row {
	char name[PROTOCOLS_NAME_SIZE]; /* "TCP", "ARP", "IP protocol 89", "ethertype 0x88b5" */
	struct protocols_count count;
};

/* Each packet is in one of ip, types and other. */
void protocols_add(struct protocols *protocols, const struct dissected *dissected, uint64_t bytes);

/* All that have packets, those with most bytes first: how many. */
size_t protocols_rows(const struct protocols *protocols, struct protocols_row rows[PROTOCOLS_MAX]);

/* The name of an IP protocol. Returns name. */
char *protocols_name(uint8_t protocol, char name[PROTOCOLS_NAME_SIZE]);

#endif
