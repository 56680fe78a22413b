/* What a packet of ARP (RFC 826) or neighbour discovery (RFC 4861) asks and claims. Nothing in it is trusted. */
#ifndef TARCAP_NEIGHBOUR_NOTICE_H
#define TARCAP_NEIGHBOUR_NOTICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "summary/dissect.h"

#define NEIGHBOURS_HARDWARE 6 /* bytes of a hardware address */

/* Its pointers lead into the packet. */
struct neighbour_notice {
	const uint8_t *asked, *claimed; /* addresses; NULL: none */
	const uint8_t *by;		/* who asks; NULL: one who has no address yet */
	const uint8_t *hardware;	/* of who asks or claims; NULL: not said */
	size_t size;			/* of an address */
};

/* False: it is neither. */
bool neighbour_notice_read(struct neighbour_notice *notice, const struct dissected *headers);

/* All zeros. */
bool neighbour_notice_is_none(const uint8_t *address, size_t size);

#endif
