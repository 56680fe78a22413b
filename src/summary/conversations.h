/*
 * Who talked with whom: packets and bytes each way for each pair of addresses and ports, in a table of fixed size. What
 * comes when it is full is counted, and not attributed.
 */
#ifndef TARCAP_CONVERSATIONS_H
#define TARCAP_CONVERSATIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/siphash.h"
#include "base/sizes.h"
#include "summary/dissect.h"
#include "summary/tcp_state.h"

#define CONVERSATIONS_MAX TABLE_OF(131072) /* 50 MB; pages cost nothing until they are used */

struct conversation_sent {
	uint64_t packets, bytes;
};

struct conversation_flags {
	uint32_t syn, syn_ack, fin, rst; /* sent; a SYN is one without ACK */
};

/*
 * Side 0 (A) is who sent the first SYN, or is to get a SYN+ACK; where there was neither, who sent the first packet. In
 * the order in which a packet needs it, 64 bytes a line of the cache.
 */
struct conversation {
	struct dissect_end ends[2];
	uint32_t next; /* in its chain: place + 1 */
	uint8_t version, protocol;
	bool ports;    /* false: all that has none between these addresses, such as ICMP and later fragments */
	bool settled;  /* which side is A */
	bool rejected; /* an ICMP error came back that quotes it */
	uint8_t spare[3];
	uint32_t server;	 /* of servers.h, place + 1; 0: none yet */
	uint32_t member, packet; /* where the connection of now, or the first packet, is: see struct place */

	struct conversation_sent sent[2];
	uint64_t first, last; /* ns since the epoch: the earliest and the latest packet */
	uint64_t asked;	      /* see tcp.c */
	uint32_t segments[2]; /* of TCP with data, sent, where their interface is the one looked at */

	struct tcp_side tcp[2];

	struct conversation_flags flags[2];
	struct tcp_connection connection;
	uint64_t joined_packet; /* the same: see struct place */
};

struct conversations;

enum conversations_order {
	CONVERSATIONS_BY_BYTES,	     /* all of them, in both directions together; most first */
	CONVERSATIONS_BY_TROUBLE,    /* the same, before them those that something went wrong with */
	CONVERSATIONS_BY_UNANSWERED, /* those where A sent SYNs, and B no SYN+ACK and no RST; most SYNs first */
};

/* key: random, so that nobody can choose what makes chains long. NULL when there is no memory. */
struct conversations *conversations_open(const struct siphash_key *key, struct err *err);
void conversations_close(struct conversations *conversations);

/*
 * Where a packet's conversation would be, for conversations_add(); it is asked of memory already. Some packets later
 * conversations_approach() asks for the conversation itself, if it is there: so nobody waits for memory. It returns its
 * index + 1, most likely; 0: none is there.
 */
uint32_t conversations_chain(const struct conversations *conversations, const struct dissected *dissected);
uint32_t conversations_approach(const struct conversations *conversations, uint32_t chain);

/*
 * Count a packet that has addresses; time in ns since the epoch, bytes on the wire. The conversation, and which side
 * has sent the packet; NULL when there is no room for it. It is one that began with this packet where that is its only
 * one.
 */
struct conversation *conversations_add(struct conversations *conversations, uint32_t chain,
				       const struct dissected *dissected, uint64_t time, uint64_t bytes, int *side);

/* The conversation that such a packet would be of, of a packet that an ICMP error quotes too; NULL: there is none. */
struct conversation *conversations_find(struct conversations *conversations, const struct dissected *dissected,
					int *side);

/* That of TCP between two ends; side: which of them a is. NULL: there is none. */
struct conversation *conversations_between(struct conversations *conversations, uint8_t version,
					   const struct dissect_end *a, const struct dissect_end *b, int *side);

/* Does any have packets of both directions? */
bool conversations_both_ways(const struct conversations *conversations);

size_t conversations_count(const struct conversations *conversations);

/* Packets for which there was no room. */
uint64_t conversations_left_out(const struct conversations *conversations);

/* Conversation i, in the order of their first packets; i is below conversations_count(). */
struct conversation *conversations_at(const struct conversations *conversations, size_t i);

/* The other way round. */
size_t conversations_index(const struct conversations *conversations, const struct conversation *conversation);

/*
 * The first of an order into list, at most max of them: how many. total: how many there would be. They are valid until
 * the next conversations_add().
 */
size_t conversations_rank(const struct conversations *conversations, enum conversations_order order,
			  const struct conversation **list, size_t max, size_t *total);

#endif
