/* Connections of TCP that never came through: one archive has their SYN, and no answer. */
#include "summary/between_parts.h"
#include "summary/table.h"

#define LONE_MAX TABLE_OF(4096)

/* A connection that one archive has and nobody answered there, by what it is called. */
struct lone {
	struct between_route_key key;
	bool elsewhere; /* the other archive has one of that name, too */
};

/* One of a, and whom it may have been lost on the way to. */
struct judging {
	struct betweens *betweens;
	struct between *between;
	uint32_t number;
	const struct pairing_track *track;
	int only;			 /* who has it: 0 is a */
	const struct pairing_link *link; /* of another connection, which went the same way */
	int side;			 /* that sent it, of the link's track a */
};

static struct between_route_key key_of(const struct pairing_track *track, int which, int first)
{
	struct between_route_key key = {.from = track->ends[first],
					.to = track->ends[!first],
					.version = track->version,
					.protocol = track->protocol,
					.which = (uint8_t)which};

	return key;
}

/* Whose it is: 0 of a, 1 of b; -1: of neither, or it is no TCP. */
static int whose(const struct between *between, const struct pairing_track *track)
{
	if (track->protocol != PROTOCOL_TCP)
		return -1;
	return track->archive == between->archives[0] ? 0 : track->archive == between->archives[1] ? 1 : -1;
}

static bool is_lone(const struct between *between, const struct pairing_track *track, int which)
{
	const struct pairing_side *answer = &track->sides[1];

	return which >= 0 && track->began && !answer->seen && !answer->resets &&
	       !(track->linked >> between->archives[!which] & 1);
}

bool between_any_lone(const struct betweens *betweens, const struct between *between)
{
	for (uint32_t i = 0; i < pairing_track_count(betweens->pairing); i++) {
		const struct pairing_track *track = pairing_track_at(betweens->pairing, i);

		if (is_lone(between, track, whose(between, track)))
			return true;
	}
	return false;
}

static void note_lone(const struct betweens *betweens, const struct between *between, struct table *table)
{
	for (uint32_t i = 0; i < pairing_track_count(betweens->pairing); i++) {
		const struct pairing_track *track = pairing_track_at(betweens->pairing, i);
		int which = whose(between, track);
		struct between_route_key key;

		if (!is_lone(between, track, which))
			continue;
		key = key_of(track, which, 0);
		(void)table_take(table, &key);
	}
}

static void note_elsewhere(const struct betweens *betweens, const struct between *between, const struct table *table)
{
	for (uint32_t i = 0; i < pairing_track_count(betweens->pairing); i++) {
		const struct pairing_track *track = pairing_track_at(betweens->pairing, i);
		int which = whose(between, track);

		for (int first = 0; first < 2 && which >= 0; first++) {
			struct between_route_key key = key_of(track, !which, first);
			struct lone *lone = table_find(table, &key);

			if (lone)
				lone->elsewhere = true;
		}
	}
}

/* Another one from there to that server, whose addresses nobody changed: else it may be there by another name. */
static bool find_way(struct judging *judging, const struct between_routes *routes)
{
	const struct between_route *route = between_way(routes, judging->only, judging->track, 0);

	if (!route)
		return false;
	judging->link = pairing_link_at(judging->betweens->pairing, route->link - 1);
	judging->side = route->side;
	return judging->link->same && judging->link->hits[judging->side];
}

/* Only where the clocks are known. */
static bool had_come(const struct judging *judging)
{
	const struct between *between = judging->between;
	const struct between_sent sent = {judging->link, judging->side, judging->only, judging->track->sides[0].last};

	return between->offset_known && !between->drifted &&
	       between_covers(judging->betweens, between, &sent, BETWEEN_MARGIN);
}

/* Only of what was sent is it said: who has it and did not send it may have seen another way's. */
static void judge_lone(const struct judging *judging)
{
	struct between *between = judging->between;
	const struct pairing_side *side = &judging->track->sides[0];
	bool sent = judging->only == (judging->side != between_first_at_a(judging->betweens, judging->link));
	struct between_seen seen = {.kind = BETWEEN_LOST,
				    .track = judging->number,
				    .only = (uint8_t)judging->only,
				    .sequence = side->base,
				    .bytes = (uint32_t)(side->high - side->start),
				    .times = 1,
				    .time = side->last};

	if (!sent || !had_come(judging)) {
		between->not_judged++;
		return;
	}
	if (between_lossy(judging->betweens->summaries[between->archives[!judging->only]]))
		seen.kind = BETWEEN_NOT_CAPTURED;
	between->lone += seen.kind == BETWEEN_LOST;
	between_add(judging->betweens, between, &seen);
}

static void judge_all(struct betweens *betweens, struct between *between, const struct between_routes *routes,
		      const struct table *table)
{
	for (uint32_t i = 0; i < pairing_track_count(betweens->pairing); i++) {
		const struct pairing_track *track = pairing_track_at(betweens->pairing, i);
		struct judging judging = {.betweens = betweens, .between = between, .number = i, .track = track};
		struct between_route_key key;
		const struct lone *lone;

		judging.only = whose(between, track);
		if (!is_lone(between, track, judging.only))
			continue;
		key = key_of(track, judging.only, 0);
		lone = table_find(table, &key);
		if (lone && !lone->elsewhere && find_way(&judging, routes))
			judge_lone(&judging);
	}
}

void between_lone(struct betweens *betweens, struct between *between, const struct between_routes *routes,
		  struct err *err)
{
	struct table *table = table_open(pairing_key(betweens->pairing), sizeof(struct between_route_key),
					 sizeof(struct lone), LONE_MAX, err);

	if (!table)
		return;
	note_lone(betweens, between, table);
	note_elsewhere(betweens, between, table);
	judge_all(betweens, between, routes, table);
	between->not_judged += table_left_out(table);
	table_close(table);
}
