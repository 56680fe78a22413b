/* What the parts of between.c do for each other, for two archives at a time. */
#ifndef TARCAP_BETWEEN_PARTS_H
#define TARCAP_BETWEEN_PARTS_H

#include "base/clock.h"
#include "summary/between.h"

#define BETWEEN_MARGIN CLOCK_SECOND /* what was sent later than this before a capture's end may not have come there */

/*
 * Which side of track a sends what comes by at a first: a direction that does has delays (b's time less a's) of the
 * clocks' offset and more, the other one of the offset and less. -1: nothing tells.
 */
int between_first_at_a(const struct betweens *betweens, const struct pairing_link *link);

/* Is it a link of these two? */
bool between_has(const struct betweens *betweens, const struct between *between, const struct pairing_link *link);

/* Counted, and named as long as there is room. */
void between_add(struct betweens *betweens, struct between *between, const struct between_seen *seen);

/* A link's delays (between_delays.c), and then those of all. */
void between_measure(struct betweens *betweens, struct between *between, uint32_t number, int first);
void between_delays(struct betweens *betweens, struct between *between);

/* What was changed on the way (between_rewrites.c). */
void between_rewrites(struct between *between, const struct pairing_link *link, const struct pairing_track *a,
		      const struct pairing_track *b);

/* Datagrams and ICMP errors that only one has (between_udp.c, between_icmp.c): once all links are compared. */
struct between_routes;
void between_udp(struct betweens *betweens, struct between *between, const struct between_routes *routes);
void between_icmp(const struct betweens *betweens, struct between *between, const struct between_routes *routes);

/* Connections of TCP that one has the SYN of, and the other nothing (between_lone.c): is there one that may be? */
bool between_any_lone(const struct betweens *betweens, const struct between *between);
void between_lone(struct betweens *betweens, struct between *between, const struct between_routes *routes,
		  struct err *err);

/* --- between_routes.c --- */

/* All of these, of which the memory is taken and given back. */
void between_without_link(struct betweens *betweens, struct between *between, struct err *err);

/* Packets of which archive, from whom to whom: the sender without its port, or the client without its. */
struct between_route_key {
	struct dissect_end from, to;
	uint8_t version, protocol;
	uint8_t which; /* 0: of a */
	uint8_t spare;
};

struct between_route {
	struct between_route_key key;
	uint32_t link; /* place + 1, of one that went that way */
	uint8_t side;  /* of its track a: who sent */
};

/* Those that are in both, and of which it is known where they come by first; NULL: none went so. */
const struct between_route *between_route(const struct between_routes *routes, int which, uint8_t version,
					  uint8_t protocol, const struct dissect_end *from,
					  const struct dissect_end *to);

/* The side that sent, side of a link's track a, as the track of a (which: 0) or b has it. */
const struct pairing_side *between_side(const struct betweens *betweens, const struct pairing_link *link, int side,
					int which);

/* As between_route(): another one that went the way that a side of a track did, of any client. */
const struct between_route *between_way(const struct between_routes *routes, int which,
					const struct pairing_track *track, int side);

/*
 * Would what was sent at a time have come into the other's capture? By the clocks, or else by the least delay of the
 * link that went its way: it had begun, and others came later, or it went on for so long.
 */
struct between_sent {
	const struct pairing_link *link;
	int side; /* of its track a: who sent */
	int only; /* in whose capture it is: 0 is a */
	uint64_t time;
};

bool between_covers(const struct betweens *betweens, const struct between *between, const struct between_sent *sent,
		    uint64_t margin);

/* The link of a track of these two, place + 1; 0: there is none that is certain. */
uint32_t between_link_of(const struct between_routes *routes, uint32_t track);

#endif
