/* Addresses and ports as text. */
#ifndef TARCAP_ENDS_H
#define TARCAP_ENDS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "summary/dissect.h"

#define ENDS_TEXT_SIZE 56   /* "[IPv6 address]:port" */
#define ENDS_FILTER_SIZE 64 /* "ipv6.addr == address" */

/* version: of IP, 4 or 6; 0: the address is a hardware address of 6 bytes. Return text. */
char *ends_address(uint8_t version, const struct dissect_end *end, char text[ENDS_TEXT_SIZE]);

/* "10.0.0.1:80", "[fd00::1]:80"; without ports the address. */
char *ends_text(uint8_t version, bool ports, const struct dissect_end *end, char text[ENDS_TEXT_SIZE]);

/* Wireshark's display filter for an address, in either direction: "ip.addr == 10.0.0.1". */
char *ends_filter(uint8_t version, const struct dissect_end *end, char text[ENDS_FILTER_SIZE]);

/* Here, as each packet asks it. */
static inline bool ends_same(const struct dissect_end *a, const struct dissect_end *b)
{
	return a->port == b->port && memcmp(a->address, b->address, sizeof(a->address)) == 0;
}

#endif
