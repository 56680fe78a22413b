/*
 * Link types by number. libpcap's own (DLT_) are the files' (LINKTYPE_), but for a few that it had before the systems
 * that it runs on agreed (its pcap-common.c has the list). Manifests of version 1 have had either.
 */
#ifndef TARCAP_LINK_TYPE_H
#define TARCAP_LINK_TYPE_H

#include <stdint.h>

/* The number that files have for it, of either; those that are the same stay. */
static inline uint64_t link_type_of_file(uint64_t number)
{
	switch (number) {
	case 11: /* DLT_ATM_RFC1483 */
		return 100;
	case 12: /* DLT_RAW */
	case 14: /* the same on OpenBSD */
		return 101;
	case 15: /* DLT_SLIP_BSDOS */
		return 102;
	case 16: /* DLT_PPP_BSDOS */
		return 103;
	case 19: /* DLT_ATM_CLIP */
		return 106;
	default:
		return number;
	}
}

#endif
