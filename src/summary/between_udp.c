#include "summary/between_parts.h"
#include "summary/pairing_udp.h"

#define IN_ONE_PIECE 1514 /* bytes of a frame; of a longer one the other place may have the pieces */

/* A datagram that one has, and what is known of its way. */
struct lone {
	struct betweens *betweens;
	struct between *between;
	const struct pairing_datagram *datagram;
	const struct pairing_track *track;
	int only;			 /* who has it: 0 is a */
	const struct pairing_link *link; /* of its connection, or of another one that went the same way */
	bool by_way;			 /* the latter */
	int side;			 /* that sent it, of the link's track a */
};

/* Nothing of it is in both: it is judged by others that went the same way. */
static bool find_way(struct lone *lone, const struct between_routes *routes)
{
	const struct between_route *route = between_way(routes, lone->only, lone->track, lone->datagram->side);

	if (!route)
		return false;
	lone->link = pairing_link_at(lone->betweens->pairing, route->link - 1);
	lone->side = route->side;
	lone->by_way = true;
	return true;
}

static bool find_link(struct lone *lone, const struct between_routes *routes)
{
	uint32_t place = between_link_of(routes, lone->datagram->track);
	unsigned other = lone->between->archives[!lone->only];

	/* Where an answer came to what is only in one, it went another way. */
	if (!place)
		return !(lone->track->linked >> other & 1) && !lone->track->sides[!lone->datagram->side].seen &&
		       find_way(lone, routes);
	lone->link = pairing_link_at(lone->betweens->pairing, place - 1);
	lone->side = lone->datagram->side != (lone->only && lone->link->crossed);
	return (lone->link->hits[lone->side] && between_first_at_a(lone->betweens, lone->link) >= 0) ||
	       find_way(lone, routes);
}

/* Where some came in pieces, or cannot be told apart, nothing is known of any. */
static bool is_comparable(const struct lone *lone)
{
	const struct pairing_side *a = between_side(lone->betweens, lone->link, lone->side, 0);
	const struct pairing_side *b = between_side(lone->betweens, lone->link, lone->side, 1);
	uint16_t largest = a->largest > b->largest ? a->largest : b->largest;

	if (a->fragments || b->fragments || ((a->unmarked || b->unmarked) && !lone->datagram->id) ||
	    (!lone->link->same && lone->datagram->unsure))
		return false;
	if (lone->by_way)
		return lone->track->sides[lone->datagram->side].largest <= IN_ONE_PIECE;
	return a->largest == b->largest || largest <= IN_ONE_PIECE;
}

static void judge_datagram(const struct lone *lone)
{
	struct between *between = lone->between;
	const struct between_sent sent = {lone->link, lone->side, lone->only, lone->datagram->time};
	int first = between_first_at_a(lone->betweens, lone->link);
	bool behind = lone->only == (lone->side != first);
	struct between_seen seen = {.kind = behind ? BETWEEN_DATAGRAM_LOST : BETWEEN_DATAGRAM_MADE,
				    .track = lone->datagram->track,
				    .side = lone->datagram->side,
				    .only = (uint8_t)lone->only,
				    .sequence = lone->datagram->id,
				    .bytes = lone->datagram->length,
				    .times = lone->datagram->count,
				    .time = lone->datagram->time};

	if (!lone->link->hits[lone->side] || !is_comparable(lone) ||
	    !between_covers(lone->betweens, between, &sent, behind ? BETWEEN_MARGIN : 0)) {
		between->not_judged += lone->datagram->count;
		return;
	}
	if (between_lossy(lone->betweens->summaries[between->archives[!lone->only]]))
		seen.kind = BETWEEN_NOT_CAPTURED;
	between_add(lone->betweens, between, &seen);
}

void between_udp(struct betweens *betweens, struct between *between, const struct between_routes *routes)
{
	const struct pairing_udp *udp = pairing_udp(betweens->pairing);

	if (pairing_udp_left_out(udp)) {
		between->not_judged += pairing_udp_left_out(udp);
		return;
	}
	for (uint32_t i = 0; i < pairing_udp_count(udp); i++) {
		struct lone lone = {.betweens = betweens, .between = between, .datagram = pairing_udp_at(udp, i)};

		lone.track = pairing_track_at(betweens->pairing, lone.datagram->track);
		lone.only = lone.track->archive == between->archives[1];
		if ((lone.only || lone.track->archive == between->archives[0]) &&
		    !(lone.datagram->met >> between->archives[!lone.only] & 1) && find_link(&lone, routes))
			judge_datagram(&lone);
	}
}
