/*
 * What a finding leaves open, behind its sentence: where the capture lost packets, where a connection began before it,
 * and where packets were cut (a snaplen, or --headers). One table has it for all kinds.
 */
#ifndef TARCAP_LEFT_OPEN_H
#define TARCAP_LEFT_OPEN_H

#include <stdint.h>

#include "summary/conversations.h"
#include "summary/findings.h"
#include "summary/sighting.h"

/* Packets that were cut before what an analyser looks for. */
struct left_open_cut {
	uint64_t icmp;	 /* errors, before what they quote */
	uint64_t dns;	 /* messages */
	uint64_t hellos; /* of TLS */
	uint64_t sack;	 /* acknowledgments, within their options */
};

/* All findings of one capture are there. */
void left_open_say(struct findings *findings, struct conversations *conversations,
		   const struct circumstances *circumstances, const struct left_open_cut *cut);

#endif
