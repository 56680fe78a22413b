/* What only two captures of the same connections can tell: clocks, delays, and what was lost, made or changed between.
 */
#ifndef TARCAP_BETWEEN_H
#define TARCAP_BETWEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "summary/pairing.h"
#include "summary/summary.h"

#define BETWEEN_SEEN TABLE_OF(65536) /* ranges and resets that are named, of all pairs; further ones are counted */
#define BETWEEN_CONNECTIONS 1000     /* that are named */
#define BETWEEN_SCRATCH 1024	     /* delays that are sorted at a time */
#define BETWEEN_REWRITES 32	     /* the same */
#define BETWEEN_ICMP 32		     /* the same */

enum between_kind {
	BETWEEN_LOST,	      /* data that passed one and not the other, which is behind it */
	BETWEEN_MADE,	      /* data that did not pass where it should have come from */
	BETWEEN_NOT_CAPTURED, /* what was acknowledged, or a capture may have lost itself; datagrams, too */
	BETWEEN_RESET_LOST,
	BETWEEN_RESET_MADE,
	BETWEEN_DATAGRAM_LOST, /* the same of UDP */
	BETWEEN_DATAGRAM_MADE,
	BETWEEN_KINDS,
};

/* A range of sequence numbers, a RST or a datagram that only one of both has (as often). */
struct between_seen {
	enum between_kind kind;
	uint32_t track;	   /* of the one that has it */
	uint8_t side;	   /* of it, that sent */
	uint8_t only;	   /* 0: it is in a; 1: in b */
	uint32_t sequence; /* of a datagram IP's id, 0: none */
	uint32_t bytes, times;
	uint64_t time; /* the latest of it, by that one's clock */
};

struct between_delay {
	size_t count;	  /* of samples; 0: nothing is known */
	int64_t p50, p99; /* ns */
};

struct between_connection {
	uint32_t link;
	struct between_delay way[2]; /* by the side of track a that sent */
	struct between_delay round;  /* there and back, whatever the clocks say */
};

/* An ICMP error that only one of both has. */
struct between_icmp {
	const struct icmp_error *error;
	uint8_t only; /* 0: it is in a */
};

/* What became of an end on the way, and how many connections have it. */
struct between_rewrite {
	struct dissect_end ends[2]; /* in a, in b; a port of 0: that of a client, which is left out */
	uint8_t version;
	uint16_t mss[2]; /* of a SYN, where that was changed; else 0, 0 */
	uint32_t count;
};

struct between {
	unsigned archives[2];
	uint32_t connections; /* of TCP, in both */
	uint32_t udp;	      /* the same: conversations of UDP */
	uint32_t ambiguous;   /* that may be several */
	bool offset_known;
	bool drifted;		     /* the clocks moved against each other: by more than the delays */
	int64_t offset, bound;	     /* ns: b's clock less a's, give or take */
	struct between_delay way[2]; /* of all connections, from a to b, from b to a */
	uint64_t counts[BETWEEN_KINDS], bytes[BETWEEN_KINDS];
	uint64_t lone; /* connections of TCP of which nothing came through: each is a range that was lost */
	uint64_t needed, not_needed; /* ranges that were sent again */
	uint64_t not_judged;	     /* ranges of which nothing can be said: one capture began later or ended earlier */
	uint16_t mtu;		     /* by ICMP; 0: nothing said so */
	uint64_t icmp_made;	     /* ICMP errors from between */
	size_t icmp_count;
	struct between_icmp icmp[BETWEEN_ICMP];
	size_t seen, seen_count; /* its first of all, and how many are named */
	size_t connection, connection_count;
	size_t rewrite_count;
	struct between_rewrite rewrites[BETWEEN_REWRITES];
};

struct betweens {
	struct pairing *pairing;
	const struct summary *const *summaries;
	size_t count;
	struct between *list;
	size_t seen_count, connection_count;
	struct between_seen seen[BETWEEN_SEEN];
	struct between_connection connections[BETWEEN_CONNECTIONS];
	int64_t scratch[BETWEEN_SCRATCH];
};

/*
 * Of all pairs of archives that have a connection in common. summaries: by the number of the archive, finished. They
 * and the pairing stay the caller's, and must stay. NULL when there is no memory.
 */
struct betweens *betweens_open(struct pairing *pairing, const struct summary *const *summaries, size_t archives,
			       struct err *err);
void betweens_close(struct betweens *betweens);

/* kind-between in words. */
const char *between_kind_name(enum between_kind kind);

/* How much of the capture is unknown: did it lose packets itself? */
bool between_lossy(const struct summary *summary);

/* lost-between, injected-between, rewritten, clock-offset, path-delay; names: of the archives (between_findings.c). */
void betweens_find(const struct betweens *betweens, const char *const *names, struct findings *findings);

/* How much b's clock is ahead of a's, ns; also by way of others. False, and 0, where nothing tells. */
bool betweens_offset(const struct betweens *betweens, unsigned a, unsigned b, int64_t *offset);

/* Two ends of a track: a side of it, and the other one. */
struct finding_connection between_sender(const struct betweens *betweens, uint32_t number, int side);

/* Two ends as one of a link's tracks has them: 0 is a. */
struct finding_connection between_ends(const struct betweens *betweens, uint32_t link, int which);

#endif
