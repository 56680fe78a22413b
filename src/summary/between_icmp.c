#include <string.h>

#include "summary/between_parts.h"

static bool has_error(const struct icmp *icmp, const struct icmp_error *error)
{
	for (size_t i = 0; i < icmp_count(icmp); i++) {
		const struct icmp_error *other = icmp_at(icmp, i);

		if (other->key.type == error->key.type && other->key.code == error->key.code &&
		    memcmp(other->key.by, error->key.by, sizeof(error->key.by)) == 0)
			return true;
	}
	return false;
}

/* Would it be in that capture? Of a file of packets nothing says what its filter was. */
static bool takes_icmp(const struct summary *summary)
{
	if (icmp_count(summary->icmp))
		return true;
	return summary->archive && (!summary->told->filter[0] || strstr(summary->told->filter, "icmp"));
}

/*
 * An error goes back to who sent what it quotes. Where that comes by first, and there alone, it came from between. At
 * the other place alone it was lost on its way.
 */
static bool is_made(const struct betweens *betweens, const struct between *between, const struct between_route *route,
		    int only)
{
	const struct pairing_link *link = pairing_link_at(betweens->pairing, route->link - 1);
	bool first_here = only == (route->side != between_first_at_a(betweens, link));
	const struct summary *there = betweens->summaries[between->archives[!only]];

	return first_here && takes_icmp(there) && !between_lossy(there);
}

static void take_error(const struct betweens *betweens, struct between *between, const struct between_routes *routes,
		       const struct icmp_error *error, int only)
{
	const struct icmp *there = betweens->summaries[between->archives[!only]]->icmp;
	const struct between_route *route =
		between_route(routes, only, error->key.version, error->key.protocol, &error->key.from, &error->key.to);

	if (!route)
		return;
	if (error->meaning == ICMP_TOO_BIG && error->mtu && (!between->mtu || error->mtu < between->mtu))
		between->mtu = error->mtu;
	if (has_error(there, error) || !is_made(betweens, between, route, only))
		return;
	between->icmp_made += error->count;
	if (between->icmp_count < BETWEEN_ICMP)
		between->icmp[between->icmp_count++] = (struct between_icmp){error, (uint8_t)only};
}

void between_icmp(const struct betweens *betweens, struct between *between, const struct between_routes *routes)
{
	for (int only = 0; only < 2; only++) {
		const struct icmp *here = betweens->summaries[between->archives[only]]->icmp;

		for (size_t i = 0; i < icmp_count(here); i++)
			take_error(betweens, between, routes, icmp_at(here, i), only);
	}
}
