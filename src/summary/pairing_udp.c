#include "summary/pairing_udp.h"

#include <errno.h>
#include <stdlib.h>

#include "summary/ends.h"

#define CHAINS PAIRING_DATAGRAMS
#define KEPT 32		      /* bytes of a payload that are looked at */
#define TELLING 16	      /* bytes of a payload from which on it tells who is who behind NAT */
#define SPARE TABLE_OF(65536) /* datagrams that a tidying must make room for, else it is not worth its time */

struct pairing_udp {
	struct siphash_key key;
	uint32_t count;
	uint64_t left_out;
	struct pairing_datagram *list;
	uint32_t *chains; /* place + 1 */
};

/* What a datagram has in common wherever it is seen. */
struct mark {
	struct dissect_end from, to; /* zeros: whatever they are */
	uint16_t length, version;
	uint64_t what; /* IP's id; where there is none the content */
};

struct pairing_udp *pairing_udp_open(const struct siphash_key *key, struct err *err)
{
	struct pairing_udp *udp = calloc(1, sizeof(*udp));

	if (udp) {
		udp->key = *key;
		udp->list = calloc(PAIRING_DATAGRAMS, sizeof(udp->list[0]));
		udp->chains = calloc(CHAINS, sizeof(udp->chains[0]));
	}
	if (udp && udp->list && udp->chains)
		return udp;
	pairing_udp_close(udp);
	err_sys(err, ENOMEM, "memory for pairing");
	return NULL;
}

void pairing_udp_close(struct pairing_udp *udp)
{
	if (!udp)
		return;
	free(udp->list);
	free(udp->chains);
	free(udp);
}

/* --- marks --- */

/* 0: it was not kept. */
static uint64_t content_of(const struct pairing_udp *udp, const struct dissected *headers)
{
	uint32_t size = headers->payload_size < KEPT ? headers->payload_size : KEPT;

	if (!headers->payload || (size < KEPT && size < headers->payload_length))
		return 0;
	return siphash(&udp->key, headers->payload, size) | 1;
}

static uint64_t mark_of(const struct pairing_udp *udp, const struct pairing_datagram *datagram,
			const struct pairing_track *track)
{
	struct mark mark = {.length = datagram->length};

	_Static_assert(sizeof(mark) == 48, "no holes, which would be hashed");
	mark.what = datagram->id ? datagram->id : datagram->content;
	if (track) {
		mark.from = track->ends[datagram->side];
		mark.to = track->ends[!datagram->side];
		mark.version = track->version;
	}
	return siphash(&udp->key, &mark, sizeof(mark));
}

static bool is_same(const struct pairing_datagram *a, const struct pairing_datagram *b)
{
	return a->mark == b->mark && (a->content == b->content || !a->content || !b->content);
}

static struct pairing_datagram *first_of(const struct pairing_udp *udp, uint64_t mark)
{
	uint32_t place = udp->chains[mark % CHAINS];

	return place ? &udp->list[place - 1] : NULL;
}

static struct pairing_datagram *after(const struct pairing_udp *udp, const struct pairing_datagram *datagram)
{
	return datagram->next ? &udp->list[datagram->next - 1] : NULL;
}

/* Of how many is looked at: what has more in common than these is told apart by nothing. */
#define CHAIN_LOOKED_AT 64

static void put_into_chain(struct pairing_udp *udp, struct pairing_datagram *datagram)
{
	uint32_t *chain = &udp->chains[datagram->mark % CHAINS];

	datagram->next = *chain;
	*chain = (uint32_t)(datagram - udp->list) + 1;
}

static void take_out_of_chain(struct pairing_udp *udp, const struct pairing_datagram *datagram)
{
	uint32_t *place = &udp->chains[datagram->mark % CHAINS];

	while (*place && &udp->list[*place - 1] != datagram)
		place = &udp->list[*place - 1].next;
	*place = datagram->next;
}

static void empty_chains(struct pairing_udp *udp)
{
	for (size_t i = 0; i < CHAINS; i++)
		udp->chains[i] = 0;
}

/* --- both have it --- */

static unsigned archive_of(const struct pairing *pairing, const struct pairing_datagram *datagram)
{
	return pairing_track_at(pairing, datagram->track)->archive;
}

/* False: they cannot be the same, or there is no room. */
static bool link_both(struct pairing *pairing, struct pairing_datagram *one, struct pairing_datagram *other)
{
	const unsigned archives[2] = {archive_of(pairing, one), archive_of(pairing, other)};
	bool turned = archives[0] > archives[1];
	struct pairing_datagram *a = turned ? other : one, *b = turned ? one : other;

	if (!pairing_link(pairing, a->track, b->track, a->side != b->side))
		return false;
	one->met |= UINT64_C(1) << archives[1];
	other->met |= UINT64_C(1) << archives[0];
	return true;
}

/*
 * Without an id only the content says which it is: of one that a side sends again and again, one may be missing here,
 * and the next one there.
 */
static bool is_certain(const struct pairing *pairing, const struct pairing_datagram *datagram)
{
	return datagram->count == 1 &&
	       (datagram->id || pairing_track_at(pairing, datagram->track)->sides[datagram->side].datagrams > 1);
}

static void meet(struct pairing *pairing, const struct pairing_datagram *one, const struct pairing_datagram *other)
{
	bool turned = archive_of(pairing, one) > archive_of(pairing, other);
	const struct pairing_datagram *a = turned ? other : one, *b = turned ? one : other;

	pairing_meet(pairing, &(struct pairing_met){a->track, a->side, a->time},
		     &(struct pairing_met){b->track, b->side, b->time});
}

/* The delays to all others that have it, once: it leaves its chain. */
static void measure(struct pairing *pairing, const struct pairing_datagram *one)
{
	struct pairing_udp *udp = pairing_udp(pairing);

	take_out_of_chain(udp, one);
	if (!is_certain(pairing, one))
		return;
	for (const struct pairing_datagram *other = first_of(udp, one->mark); other; other = after(udp, other)) {
		if (is_same(one, other) && archive_of(pairing, other) != archive_of(pairing, one) &&
		    is_certain(pairing, other))
			meet(pairing, one, other);
	}
}

/* --- room --- */

static bool is_settled(const struct pairing *pairing, const struct pairing_datagram *datagram)
{
	const struct pairing_track *track = pairing_track_at(pairing, datagram->track);

	return datagram->met && (track->linked & ~datagram->met) == 0;
}

/* Of the older half, what all have that may have it goes. */
static void tidy(struct pairing *pairing)
{
	struct pairing_udp *udp = pairing_udp(pairing);
	uint32_t kept = 0;

	for (uint32_t i = 0; i < udp->count; i++) {
		if (i < udp->count / 2 && is_settled(pairing, &udp->list[i]))
			measure(pairing, &udp->list[i]);
		else
			udp->list[i].stays = true;
	}
	for (uint32_t i = 0; i < udp->count; i++) {
		if (udp->list[i].stays)
			udp->list[kept++] = udp->list[i];
	}
	udp->count = kept;
	empty_chains(udp);
	for (uint32_t i = 0; i < kept; i++) {
		udp->list[i].stays = false;
		put_into_chain(udp, &udp->list[i]);
	}
}

static bool has_room(struct pairing *pairing)
{
	struct pairing_udp *udp = pairing_udp(pairing);

	if (udp->left_out == 0 && udp->count < PAIRING_DATAGRAMS)
		return true;
	if (udp->left_out == 0)
		tidy(pairing);
	if (udp->left_out || udp->count > PAIRING_DATAGRAMS - SPARE)
		udp->left_out++;
	return udp->left_out == 0;
}

/* --- packets --- */

/* Has this side sent one that is just the same? Then it counts there; so it does where too much is the same. */
static bool came_before(struct pairing_udp *udp, const struct pairing_datagram *datagram, struct pairing_side *me)
{
	struct pairing_datagram *other = first_of(udp, datagram->mark);
	unsigned looked_at = 0;

	for (; other; other = after(udp, other)) {
		if (other->track == datagram->track && is_same(other, datagram)) {
			if (other->count < UINT16_MAX)
				other->count++;
			other->time = datagram->time;
			return true;
		}
		if (++looked_at == CHAIN_LOOKED_AT)
			return me->fragments = true;
	}
	return false;
}

static void add_datagram(struct pairing *pairing, const struct pairing_datagram *datagram, struct pairing_side *me)
{
	struct pairing_udp *udp = pairing_udp(pairing);
	struct pairing_datagram *mine, *other;

	if (came_before(udp, datagram, me) || !has_room(pairing))
		return;
	me->datagrams++;
	mine = &udp->list[udp->count++];
	*mine = *datagram;
	for (other = first_of(udp, mine->mark); other; other = after(udp, other)) {
		if (is_same(other, mine) && archive_of(pairing, other) != archive_of(pairing, mine))
			link_both(pairing, mine, other);
	}
	put_into_chain(udp, mine);
}

/* Of several interfaces only one is looked at. */
static bool see(struct pairing_side *me, const struct sighting *sighting)
{
	if (!me->seen) {
		me->seen = true;
		me->interface = sighting->interface;
	}
	if (me->interface != sighting->interface)
		return false;
	pairing_saw(me, sighting);
	me->hops = sighting->headers->hops;
	return true;
}

void pairing_udp_add(struct pairing *pairing, unsigned archive, uint32_t conversation, const struct sighting *sighting)
{
	const struct dissected *headers = sighting->headers;
	struct pairing_track *track = headers->ports ? pairing_take(pairing, archive, conversation, headers) : NULL;
	struct pairing_datagram datagram = {.count = 1, .id = headers->id, .time = sighting->place.time};
	struct pairing_udp *udp = pairing_udp(pairing);
	struct pairing_side *me;

	if (!track)
		return;
	datagram.side = !ends_same(&track->ends[0], &headers->from);
	datagram.track = pairing_track_number(pairing, track);
	datagram.content = content_of(udp, headers);
	datagram.length = (uint16_t)headers->payload_length;
	me = &track->sides[datagram.side];
	if (!see(me, sighting))
		return;
	me->fragments |= headers->fragment;
	me->unmarked |= !datagram.id && !datagram.content;
	if (headers->fragment || (!datagram.id && !datagram.content))
		return;
	datagram.mark = mark_of(udp, &datagram, track);
	add_datagram(pairing, &datagram, me);
}

/* --- once all has come --- */

/* By other ends: what the content tells apart is looked for without them. */
static void chain_strangers(struct pairing *pairing)
{
	struct pairing_udp *udp = pairing_udp(pairing);

	empty_chains(udp);
	for (uint32_t i = 0; i < udp->count; i++) {
		struct pairing_datagram *one = &udp->list[i];

		one->unsure = !one->content || one->length < TELLING;
		if (one->unsure)
			continue;
		one->mark = mark_of(udp, one, NULL);
		put_into_chain(udp, one);
	}
}

/* Is it the only one of its archive? */
static bool is_alone(const struct pairing *pairing, const struct pairing_datagram *one)
{
	const struct pairing_udp *udp = pairing_udp(pairing);
	unsigned looked_at = 0;

	for (const struct pairing_datagram *other = first_of(udp, one->mark); other; other = after(udp, other)) {
		if (++looked_at == CHAIN_LOOKED_AT)
			return false;
		if (other != one && is_same(one, other) && archive_of(pairing, other) == archive_of(pairing, one))
			return false;
	}
	return one->count == 1;
}

static void pair_stranger(struct pairing *pairing, struct pairing_datagram *one)
{
	const struct pairing_udp *udp = pairing_udp(pairing);

	one->unsure = !is_alone(pairing, one);
	for (struct pairing_datagram *other = first_of(udp, one->mark); other && !one->unsure;
	     other = after(udp, other)) {
		unsigned archive = archive_of(pairing, other);

		if (archive <= archive_of(pairing, one) || one->met >> archive & 1 || !is_same(one, other))
			continue;
		if (is_alone(pairing, other) && link_both(pairing, one, other))
			meet(pairing, one, other);
	}
}

void pairing_udp_finish(struct pairing *pairing)
{
	struct pairing_udp *udp = pairing_udp(pairing);

	for (uint32_t i = 0; i < udp->count; i++)
		measure(pairing, &udp->list[i]);
	chain_strangers(pairing);
	for (uint32_t chain = 0; chain < CHAINS; chain++) {
		for (uint32_t place = udp->chains[chain]; place; place = udp->list[place - 1].next)
			pair_stranger(pairing, &udp->list[place - 1]);
	}
}

uint32_t pairing_udp_count(const struct pairing_udp *udp)
{
	return udp->count;
}

const struct pairing_datagram *pairing_udp_at(const struct pairing_udp *udp, uint32_t i)
{
	return &udp->list[i];
}

uint64_t pairing_udp_left_out(const struct pairing_udp *udp)
{
	return udp->left_out;
}
