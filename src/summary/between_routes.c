#include <errno.h>
#include <stdlib.h>

#include "summary/between_parts.h"
#include "summary/pairing_udp.h"
#include "summary/table.h"

#define ROUTES_MAX TABLE_OF(65536)

struct between_routes {
	struct table *table;
	uint32_t *links; /* of each track: place + 1 */
};

static struct between_route_key key_of(int which, uint8_t version, uint8_t protocol, const struct dissect_end *from,
				       const struct dissect_end *to)
{
	struct between_route_key key = {
		.from = *from, .to = *to, .version = version, .protocol = protocol, .which = (uint8_t)which};

	_Static_assert(sizeof(key) == 40, "no holes, which would be hashed");
	return key;
}

const struct between_route *between_route(const struct between_routes *routes, int which, uint8_t version,
					  uint8_t protocol, const struct dissect_end *from,
					  const struct dissect_end *to)
{
	struct between_route_key key = key_of(which, version, protocol, from, to);

	return table_find(routes->table, &key);
}

const struct pairing_side *between_side(const struct betweens *betweens, const struct pairing_link *link, int side,
					int which)
{
	const struct pairing_track *track = pairing_track_at(betweens->pairing, link->tracks[which]);

	return &track->sides[side != (which && link->crossed)];
}

const struct between_route *between_way(const struct between_routes *routes, int which,
					const struct pairing_track *track, int side)
{
	struct dissect_end ends[2] = {track->ends[0], track->ends[1]};

	ends[0].port = 0;
	return between_route(routes, which, track->version, track->protocol, &ends[side], &ends[!side]);
}

bool between_covers(const struct betweens *betweens, const struct between *between, const struct between_sent *sent,
		    uint64_t margin)
{
	int other = !sent->only;
	const struct pairing_link *link = sent->link;
	const struct summary *summary = betweens->summaries[between->archives[other]];
	int64_t offset = between->offset_known ? between->offset : link->least[sent->side];
	uint64_t there = sent->time + (uint64_t)(sent->only ? -offset : offset);

	if (there < summary->first)
		return false;
	return there <= between_side(betweens, link, sent->side, other)->last || there + margin <= summary->last;
}

uint32_t between_link_of(const struct between_routes *routes, uint32_t track)
{
	return routes->links[track];
}

/* When a link's side sent last; 0: nothing that way was in both. */
static uint64_t last_of(const struct betweens *betweens, uint32_t number, int side)
{
	const struct pairing_link *link = pairing_link_at(betweens->pairing, number);

	return link->hits[side] ? pairing_track_at(betweens->pairing, link->tracks[0])->sides[side].last : 0;
}

/* The latest is the best: what came before it would have come, too. */
static void put_route(const struct betweens *betweens, const struct between_routes *routes,
		      const struct between_route_key *key, uint32_t number, int side)
{
	struct between_route *route = table_take(routes->table, key);

	if (!route ||
	    (route->link && last_of(betweens, route->link - 1, route->side) >= last_of(betweens, number, side)))
		return;
	route->link = number + 1;
	route->side = (uint8_t)side;
}

/* By what an ICMP error says of it, and by the server alone. */
static void add_route(const struct betweens *betweens, const struct between_routes *routes, uint32_t number, int side,
		      int which)
{
	const struct pairing_link *link = pairing_link_at(betweens->pairing, number);
	const struct pairing_track *track = pairing_track_at(betweens->pairing, link->tracks[which]);
	int from = side != (which && link->crossed);
	struct between_route_key key =
		key_of(which, track->version, track->protocol, &track->ends[from], &track->ends[!from]);

	key.from.port = 0;
	put_route(betweens, routes, &key, number, side);
	if (from == 0)
		return;
	key.from.port = track->ends[from].port;
	key.to.port = 0;
	put_route(betweens, routes, &key, number, side);
}

static void add_link(const struct betweens *betweens, const struct between_routes *routes, uint32_t number)
{
	const struct pairing_link *link = pairing_link_at(betweens->pairing, number);
	bool known = between_first_at_a(betweens, link) >= 0;

	for (int which = 0; which < 2; which++) {
		routes->links[link->tracks[which]] = number + 1;
		for (int side = 0; side < 2 && known; side++)
			add_route(betweens, routes, number, side, which);
	}
}

static bool is_wanted(const struct betweens *betweens, const struct between *between)
{
	return pairing_udp_count(pairing_udp(betweens->pairing)) || between_any_lone(betweens, between) ||
	       icmp_count(betweens->summaries[between->archives[0]]->icmp) ||
	       icmp_count(betweens->summaries[between->archives[1]]->icmp);
}

static void compare_by_routes(struct betweens *betweens, struct between *between, const struct between_routes *routes,
			      struct err *err)
{
	for (uint32_t i = 0; i < pairing_link_count(betweens->pairing); i++) {
		const struct pairing_link *link = pairing_link_at(betweens->pairing, i);

		if (between_has(betweens, between, link) && pairing_is_pair(betweens->pairing, link))
			add_link(betweens, routes, i);
	}
	between_udp(betweens, between, routes);
	between_icmp(betweens, between, routes);
	between_lone(betweens, between, routes, err);
}

void between_without_link(struct betweens *betweens, struct between *between, struct err *err)
{
	const struct siphash_key *key = pairing_key(betweens->pairing);
	struct between_routes routes = {0};

	if (!is_wanted(betweens, between))
		return;
	routes.table = table_open(key, sizeof(struct between_route_key), sizeof(struct between_route), ROUTES_MAX, err);
	routes.links = calloc(pairing_track_count(betweens->pairing), sizeof(routes.links[0]));
	if (routes.table && routes.links)
		compare_by_routes(betweens, between, &routes, err);
	else
		err_sys(err, ENOMEM, "memory for comparing");
	table_close(routes.table);
	free(routes.links);
}
