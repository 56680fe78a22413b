/*
 * TCP by ranges of sequence numbers: what was sent again, came out of order, was never answered, and how long it took.
 * Nothing is counted twice that is seen at several interfaces: each direction is looked at where it was seen first.
 */
#ifndef TARCAP_TCP_H
#define TARCAP_TCP_H

#include <stdint.h>

#include "base/err.h"
#include "base/siphash.h"
#include "summary/conversations.h"
#include "summary/findings.h"
#include "summary/servers.h"
#include "summary/sighting.h"

/* What a segment is, beside the ordinary. */
enum tcp_verdict {
	TCP_RETRANSMISSION = 1, /* SYN, FIN or data that has been sent before, whether it had been seen here or not */
	TCP_OUT_OF_ORDER = 2,	/* passed by ones that were sent later */
	TCP_GAP = 4,		/* something between it and the one before is missing */
	TCP_DUPLICATE_ACK = 8,
	TCP_ZERO_WINDOW = 16,
	TCP_WINDOW_FULL = 32, /* it reaches the end of the window; only where both sides' scales are known */
	TCP_KEEP_ALIVE = 64,
	TCP_ZERO_PROBE = 128,
	TCP_UNSEEN = 256,    /* it acknowledges what is not here */
	TCP_ELSEWHERE = 512, /* it is looked at at another interface */
	TCP_COPY = 1024,     /* the packet before, seen twice */
};

struct tcp;

struct tcp *tcp_open(const struct siphash_key *key, struct err *err);
void tcp_close(struct tcp *tcp);

/* A packet of that side of a conversation, which has counted it already. An enum tcp_verdict's values, or 0. */
unsigned tcp_add(struct tcp *tcp, struct conversation *conversation, uint32_t number, int side,
		 const struct sighting *sighting);

/* All has come: what has no end yet is judged, and the findings are added (tcp_findings.c). */
void tcp_finish(struct tcp *tcp, struct conversations *conversations, const struct circumstances *circumstances,
		struct findings *findings);

const struct servers *tcp_servers(const struct tcp *tcp);

/* Acknowledgments that are cut within options that may be SACK. */
uint64_t tcp_cut(const struct tcp *tcp);

/* --- between tcp.c, tcp_end.c and tcp_findings.c --- */

/* A connection is over, at a time: count what it came to. */
void tcp_judge(struct servers *servers, struct conversation *conversation, uint32_t number, uint64_t now);

/* Its RST, from a side; now is that of its place. */
void tcp_take_reset(struct servers *servers, struct conversation *conversation, uint32_t number, int side,
		    const struct sighting *sighting);

/* What servers have come to. */
void tcp_find(const struct servers *servers, const struct conversations *conversations,
	      const struct circumstances *circumstances, struct findings *findings);

/* When a side sent something new last, and both. */
static inline uint64_t tcp_moved(const struct conversation *conversation)
{
	const struct tcp_side *tcp = conversation->tcp;

	return tcp[0].moved > tcp[1].moved ? tcp[0].moved : tcp[1].moved;
}

static inline uint64_t tcp_since(uint64_t now, uint64_t then)
{
	return now > then ? now - then : 0;
}

static inline uint32_t tcp_milliseconds(uint64_t now, uint64_t then)
{
	uint64_t took = tcp_since(now, then) / 1000000;

	return (uint32_t)(took < UINT32_MAX ? took : UINT32_MAX);
}

#endif
