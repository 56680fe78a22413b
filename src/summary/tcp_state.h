/* What is kept of a TCP connection, beside its conversation's counts: see tcp.c. All zeros: nothing is known. */
#ifndef TARCAP_TCP_STATE_H
#define TARCAP_TCP_STATE_H

#include <stddef.h>
#include <stdint.h>

/* What one side has sent, as far as each packet needs it. */
struct tcp_side {
	uint64_t moved;	       /* ns: when next moved last */
	uint32_t next;	       /* behind the highest sequence number so far */
	uint32_t acknowledged; /* the latest acknowledgment; valid with TCP_ACKED */
	uint32_t interface;    /* where this direction is looked at: it may be seen at others, too */
	uint16_t window;       /* not scaled */
	uint16_t marks;	       /* TCP_ marks */
	uint16_t id;	       /* IP's, of the packet in which next moved */
	uint16_t largest;      /* bytes of its largest segment, at most 65535 */
	uint8_t scale;	       /* of its windows: valid with TCP_SCALED */
	uint8_t hops;	       /* TTL or hop limit of its latest packet */
	uint8_t repeats;       /* duplicate acknowledgments in a row, at most 255 */
	uint8_t foretold;      /* segments that had arrived when they were sent again, and no D-SACK has said so yet */
};

enum tcp_mark {
	TCP_SEEN = 1,		/* something of it is there */
	TCP_ACKED = 2,		/* it has acknowledged something */
	TCP_SYN_SENT = 4,	/* SYN or SYN+ACK */
	TCP_SCALED = 8,		/* its SYN had a window scale */
	TCP_FIN_SENT = 16,	/* next is behind it */
	TCP_KEPT_ALIVE = 32,	/* its latest segment was a keep-alive, */
	TCP_PROBED = 64,	/* or a probe of a zero window */
	TCP_ZERO = 128,		/* its window is zero now */
	TCP_PENDING = 256,	/* its largest segment is not acknowledged yet */
	TCP_HOPS_DIFFER = 512,	/* its packets came with more than one TTL */
	TCP_HOPS_KNOWN = 1024,	/* two packets at least came with this TTL */
	TCP_HOLES = 2048,	/* some sequence numbers below next have not been seen: see holes.h */
	TCP_DATA = 4096,	/* it has sent data */
	TCP_SYN_WINDOW = 16384, /* its window is that of its SYN, which is never scaled (RFC 7323, section 2.2) */
	TCP_ID_STANDS = 32768,	/* IP's numbers do not count its packets */
	TCP_SIDE_UNSEEN = 8192, /* of what it sent, something was acknowledged that is not here */
};

/* What few packets need: of the connection of now, and for all connections of the conversation. */
struct tcp_connection {
	uint64_t opened;	    /* ns: its first SYN */
	uint64_t ended;		    /* ns: a FIN, or zero */
	uint64_t zero_since[2];	    /* ns: valid with TCP_ZERO */
	uint32_t first_sequence[2]; /* the SYN's */
	uint32_t round_trip;	    /* us, of the handshake; 0: not known */
	uint32_t idle;		    /* ms before the latest request, or the first FIN */
	uint32_t pending_end[2];    /* behind the largest segment */
	uint32_t sacked_from;	 /* by the latest SACK, what has come of one side's data beyond what is acknowledged, */
	uint32_t sacked_to;	 /* and behind that; the same number: nothing. CONNECTION_SACKED says whose */
	uint32_t stuck[2];	 /* the first sequence number that was sent again and again, */
	uint16_t stuck_times[2]; /* how often in a row, */
	uint16_t stuck_size[2];	 /* and how large the segment was */
	uint16_t stuck_packet[2]; /* and its IP packet */
	uint16_t passed[2];	  /* bytes of the largest segment that was acknowledged */
	uint16_t marks;		  /* CONNECTION_ marks */
	uint8_t opener;		  /* the side that sent the SYN */
	uint8_t tries;		  /* SYNs */
	uint32_t connections, opens, refusals, resets, unanswered; /* of the conversation */
	uint32_t retransmitted[2];				   /* segments of all connections: sent again, */
	uint32_t lost_before[2];				   /* of these: had not been seen here */
	uint32_t out_of_order[2];
	uint32_t repeats[2]; /* duplicate acknowledgments */
	uint32_t zeros[2];   /* zero windows */
};

enum connection_mark {
	CONNECTION_BEGUN = 1,		  /* its SYN or SYN+ACK is there */
	CONNECTION_ANSWERED = 2,	  /* by SYN+ACK */
	CONNECTION_OPEN = 4,		  /* the third packet of the handshake, or data */
	CONNECTION_RESET = 8,		  /* a RST came */
	CONNECTION_REFUSED = 16,	  /* a RST answered the SYN */
	CONNECTION_ASKED = 32,		  /* a request waits for its answer */
	CONNECTION_REPEATED = 64,	  /* meanwhile something was sent again */
	CONNECTION_LATE = 128,		  /* a request came after the server's FIN */
	CONNECTION_ANSWERING = 256,	  /* the server has answered a request */
	CONNECTION_CLOSED = 512,	  /* what it came to has been counted */
	CONNECTION_ANSWERED_AGAIN = 1024, /* its SYN+ACK was repeated */
	CONNECTION_SACKED = 2048,	  /* what is selected by SACK is side 1's; else side 0's */
};

/* Each side becomes the other. */
static inline void tcp_swap(struct tcp_side sides[2], uint32_t segments[2], struct tcp_connection *connection)
{
	uint32_t *pairs[] = {segments,
			     connection->first_sequence,
			     connection->pending_end,
			     connection->retransmitted,
			     connection->lost_before,
			     connection->out_of_order,
			     connection->repeats,
			     connection->zeros};
	struct tcp_side side = sides[0];
	uint16_t passed = connection->passed[0];

	sides[0] = sides[1];
	sides[1] = side;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		uint32_t first = pairs[i][0];

		pairs[i][0] = pairs[i][1];
		pairs[i][1] = first;
	}
	connection->passed[0] = connection->passed[1];
	connection->passed[1] = passed;
	connection->marks ^= CONNECTION_SACKED;
	/* What is known of the connection is of one that is over. */
	connection->stuck_times[0] = connection->stuck_times[1] = 0;
	sides[0].marks &= (uint16_t)~TCP_ZERO;
	sides[1].marks &= (uint16_t)~TCP_ZERO;
	connection->opener = !connection->opener;
}

#endif
