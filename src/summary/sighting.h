/* A packet as the analysers of summary/ get it, and what they are told at the end. */
#ifndef TARCAP_SIGHTING_H
#define TARCAP_SIGHTING_H

#include <stdbool.h>
#include <stdint.h>

#include "summary/dissect.h"
#include "summary/findings.h"

/*
 * Packets come file by file: of several interfaces neither in the order of time nor once each, as one that is forwarded
 * is seen at both.
 */
struct sighting {
	const struct dissected *headers; /* its pointers are valid until the analyser returns */
	struct place place;		 /* when, and where */
	bool timed;			 /* false: place.time is that of the latest packet before it */
	uint32_t length;		 /* on the wire */
	uint32_t interface;		 /* the same number: seen at the same interface */
	uint32_t chain;			 /* of its conversation: see conversations_chain() */
	uint32_t approached;		 /* what conversations_approach() returned */
};

/* What a finding has to leave open. */
struct circumstances {
	bool loss_known;      /* else nothing says what the capture lost */
	bool cut;	      /* packets are missing at the end, or within */
	bool one_way;	      /* nobody answers anybody: packets of both directions are in no conversation */
	bool filtered;	      /* only what passed a filter was captured */
	bool window;	      /* a recorder's packets, of which older ones were overwritten or left out */
	bool snapped;	      /* packets are not there as long as they were: a snaplen, or --headers */
	uint64_t lost;	      /* packets that the capture lost */
	uint64_t packets;     /* that there are */
	uint64_t first, last; /* the earliest and the latest packet */
};

#endif
