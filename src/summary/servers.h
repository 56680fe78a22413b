/*
 * Conversations by the address and port that they were opened to: how often what went wrong, where that was first seen,
 * and how long the others took. A table of fixed size; what comes when it is full is put together as others.
 */
#ifndef TARCAP_SERVERS_H
#define TARCAP_SERVERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/siphash.h"
#include "base/sizes.h"
#include "summary/conversations.h"
#include "summary/durations.h"
#include "summary/findings.h"

#define SERVERS_MAX TABLE_OF(1024) /* and the others */

/* What can go wrong with a connection; what the amounts are stands beside it. */
enum trouble_kind {
	TROUBLE_REFUSED,     /* a RST answered its SYN; ns it took */
	TROUBLE_UNANSWERED,  /* nothing did; SYNs */
	TROUBLE_UNFINISHED,  /* nobody acknowledged the SYN+ACK; ns from SYN to the end */
	TROUBLE_TRIED_AGAIN, /* it opened after more than one SYN; ns until then */
	TROUBLE_RESET,	     /* by the server, in mid-connection; bytes so far */
	TROUBLE_ABORTED,     /* by the client; bytes so far */
	TROUBLE_INJECTED,    /* a RST with another TTL than its sender's; that TTL */
	TROUBLE_CLOSED_IDLE, /* a request crossed the server's FIN; ns idle before the FIN; detail: ms from FIN to it */
	TROUBLE_RESET_IDLE,  /* reset when it was used again; ns idle before that */
	TROUBLE_SILENT_IDLE, /* silence when it was used again; ns idle before that */
	TROUBLE_STOPPED,     /* it stopped acknowledging; times the segment was sent */
	TROUBLE_LARGE_TO, /* large segments are not acknowledged; times; detail: bytes x 65536 + those of the packet */
	TROUBLE_LARGE_FROM,  /* the same of those from it */
	TROUBLE_LOSS_TO,     /* segments to the server were sent again; bytes of each */
	TROUBLE_LOSS_FROM,   /* the same of those from it */
	TROUBLE_ZERO_SERVER, /* it announced a window of zero; ns until it opened */
	TROUBLE_ZERO_CLIENT, /* the same of its client */
	TROUBLE_SLOW,	     /* an answer began late; ns */
	TROUBLE_GAVE_UP,     /* the client ended it while it waited for one; ns waited */
	TROUBLE_ONE_SIDED,   /* one direction alone is here; packets */
	TROUBLE_UNHEARD,     /* the same, and that one is sent again and again; packets */
	TROUBLE_UNSEEN,	     /* something was acknowledged that is not here; bytes */
	TROUBLES,
};

/* Of large segments' detail: an ICMP error came back. */
#define TROUBLE_REJECTED (UINT32_C(1) << 31)

struct trouble {
	uint64_t count;
	uint64_t sum, least, most; /* of the amounts */
	uint32_t detail;	   /* the greatest */
	uint32_t connection_count;
	uint32_t connections[FINDING_CONNECTIONS]; /* of conversations */
	struct place first;			   /* the earliest that came */
};

struct server {
	struct dissect_end end; /* all zeros, and version 0: the others */
	uint8_t version, protocol;
	bool ports;
	bool waits;    /* answers to requests have been seen */
	uint32_t next; /* in its chain: place + 1 */

	/* By servers_sum(). */
	uint64_t conversations, packets, bytes;
	uint64_t connections, opened, refused, reset, unanswered; /* of TCP; those that began here */
	uint64_t segments[2], retransmitted[2], lost_before[2], out_of_order[2], repeats[2],
		zeros[2]; /* to it, from it */
	uint64_t first, last;

	uint64_t needless[2];  /* segments that had arrived when they were sent again, by D-SACK (RFC 2883) */
	uint64_t explained[2]; /* segments that were sent again for another reason than loss */
	struct durations handshakes, answers;
	struct trouble troubles[TROUBLES];
};

struct servers;

struct servers *servers_open(const struct siphash_key *key, struct err *err);
void servers_close(struct servers *servers);

/* A conversation's, known by it from then on. */
struct server *servers_of(struct servers *servers, struct conversation *conversation);

/* Which side is the server: who got the SYN, or has the lower port. */
int servers_side(const struct conversation *conversation);

/* detail: 0 where there is none; number: the conversation's. */
void servers_note(struct server *server, enum trouble_kind kind, uint32_t number, const struct place *place,
		  uint64_t amount, uint32_t detail);

/* All has come: count what the conversations have. */
void servers_sum(struct servers *servers, const struct conversations *conversations);

/* Server i, the others last; NULL behind it. */
const struct server *servers_at(const struct servers *servers, size_t i);

/* Of one, what makes it worth looking at: how many connections had trouble. */
uint64_t servers_trouble(const struct server *server);

#endif
