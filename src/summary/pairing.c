#include "summary/pairing.h"

#include <string.h>

#include "summary/conversations.h"
#include "summary/ends.h"
#include "summary/pairing_parts.h"

#define START (UINT64_C(1) << 32) /* position of a side's first byte: what was sent before has room below */
#define RESETS_OF_A_SIDE 4096
#define FIRST_BYTES 4096 /* of a stream, of which each packet is looked for in the others */

/* A packet on its way. */
struct passing {
	struct pairing *pairing;
	const struct sighting *sighting;
	const struct dissected *headers;
	uint32_t number; /* of the track */
	struct pairing_track *track;
	struct pairing_side *me, *peer;
	int side;
};

/* --- the same packet elsewhere --- */

static bool is_same_ends(const struct pairing_track *a, const struct pairing_track *b, bool crossed)
{
	return a->version == b->version && ends_same(&a->ends[0], &b->ends[crossed]) &&
	       ends_same(&a->ends[1], &b->ends[!crossed]);
}

static void note_linked(struct pairing_track *track, const struct pairing_track *other, bool same)
{
	uint64_t bit = UINT64_C(1) << other->archive;

	track->linked_twice |= track->linked & bit;
	track->linked |= bit;
	track->linked_same |= same ? bit : 0;
}

static struct pairing_link *new_link(struct pairing *pairing, uint32_t a, uint32_t b, bool crossed)
{
	struct pairing_link *link = &pairing->links[pairing->link_count];
	struct pairing_track *tracks[2] = {&pairing->tracks[a], &pairing->tracks[b]};
	bool is_udp = tracks[0]->protocol == PROTOCOL_UDP;

	if (pairing->link_count == PAIRING_LINKS || (is_udp && pairing->udp_links == PAIRING_LINKS / 2))
		return NULL;
	pairing->udp_links += is_udp;
	*link = (struct pairing_link){.tracks = {a, b}, .next = pairing->last_link[b], .crossed = crossed};
	link->same = is_same_ends(tracks[0], tracks[1], crossed);
	if (pairing->sample_count < PAIRING_SAMPLED && (!is_udp || pairing->udp_links <= PAIRING_SAMPLED / 2))
		link->sampled = ++pairing->sample_count;
	note_linked(tracks[0], tracks[1], link->same);
	note_linked(tracks[1], tracks[0], link->same);
	pairing->last_link[b] = ++pairing->link_count;
	return link;
}

static struct pairing_link *link_of(struct pairing *pairing, uint32_t a, uint32_t b, bool crossed)
{
	unsigned looked_at = 0;

	for (uint32_t place = pairing->last_link[b]; place && looked_at < 64; looked_at++) {
		struct pairing_link *link = &pairing->links[place - 1];

		if (link->tracks[0] == a)
			return link->crossed == crossed ? link : NULL;
		place = link->next;
	}
	return new_link(pairing, a, b, crossed);
}

/* Of all that come, each has the same chance to stay. */
static void keep_delay(struct pairing *pairing, const struct pairing_link *link, int side, int64_t delay)
{
	uint32_t at = link->hits[side];

	if (!link->sampled)
		return;
	if (at >= PAIRING_SAMPLES) {
		pairing->chance = pairing->chance * 1664525 + 1013904223;
		at = (uint32_t)((uint64_t)pairing->chance * (at + 1) >> 32);
	}
	if (at < PAIRING_SAMPLES)
		pairing->samples[link->sampled - 1].delay[side][at] = delay;
}

static void meet(struct pairing *pairing, const struct seen *a, const struct seen *b)
{
	struct pairing_link *link = link_of(pairing, a->track, b->track, a->side != b->side);
	int64_t delay = (int64_t)(b->time - a->time);
	int side = a->side;

	if (!link || (link->hits[side] && link->shift[side] != a->position - b->position))
		return;
	keep_delay(pairing, link, side, delay);
	if (!link->hits[side] || delay < link->least[side])
		link->least[side] = delay;
	if (!link->hits[side] || delay > link->most[side])
		link->most[side] = delay;
	link->shift[side] = a->position - b->position;
	link->hits[side] += link->hits[side] < UINT32_MAX;
}

/* Who has seen it, too? And it may be found by those that come later. */
static void find_elsewhere(const struct passing *passing, uint64_t mark, uint64_t position)
{
	struct pairing *pairing = passing->pairing;
	struct seen_place *place = &pairing->seen[mark % (SEEN_MAX / WAYS)];
	struct seen mine = {.time = passing->sighting->place.time, .position = position, .track = passing->number};
	uint32_t way = WAYS;

	mine.side = (uint8_t)passing->side;
	mine.archive = passing->track->archive;
	for (uint32_t i = 0; i < WAYS; i++) {
		const struct seen *other = &place->ways[i];

		if (!place->marks[i])
			way = i;
		if (place->marks[i] != mark)
			continue;
		if (other->archive < mine.archive)
			meet(pairing, other, &mine);
		else if (other->archive > mine.archive)
			meet(pairing, &mine, other);
		else if (other->track == mine.track)
			return;
	}
	if (way == WAYS)
		way = pairing->turn++ % WAYS;
	place->marks[way] = mark;
	place->ways[way] = mine;
}

static uint64_t mark_of(const struct passing *passing, bool data)
{
	const struct dissected *headers = passing->headers;
	struct dissect_options options;
	uint32_t common[4] = {headers->sequence, headers->flags & DISSECT_ACK ? headers->acknowledged : 0, 0,
			      (uint32_t)data | (uint32_t)(headers->flags & DISSECT_SYN)};
	uint64_t mark;

	dissect_options(&options, headers);
	common[2] = options.timestamps ? options.stamp : 0;
	mark = siphash(&passing->pairing->key, common, sizeof(common));
	return mark ? mark : 1;
}

/* --- a side --- */

static uint64_t position_of(const struct pairing_side *side, uint32_t sequence)
{
	uint32_t high = side->base + (uint32_t)(side->high - START);

	return side->high + (uint64_t)(int64_t)(int32_t)(sequence - high);
}

static void begin_side(struct passing *passing)
{
	struct pairing_side *me = passing->me;

	me->seen = true;
	me->interface = passing->sighting->interface;
	me->base = passing->headers->sequence;
	me->start = me->high = me->acknowledged = START;
}

static void take_reset(struct passing *passing)
{
	struct pairing *pairing = passing->pairing;
	struct pairing_side *me = passing->me;
	struct pairing_reset *reset = &pairing->resets[pairing->reset_count];

	if (pairing->reset_count == PAIRING_RESETS || me->reset_count == RESETS_OF_A_SIDE)
		return;
	*reset = (struct pairing_reset){.time = passing->sighting->place.time,
					.sequence = passing->headers->sequence,
					.next = me->resets,
					.hops = passing->headers->hops};
	me->resets = ++pairing->reset_count;
	me->reset_count++;
}

/* Does it say of the other side's stream what has not been said before? */
static bool acknowledges(struct passing *passing)
{
	struct pairing_side *peer = passing->peer;
	uint64_t position;

	if (!(passing->headers->flags & DISSECT_ACK) || !peer->seen)
		return false;
	position = position_of(peer, passing->headers->acknowledged);
	if (position <= peer->acknowledged || position > peer->high + UINT32_MAX / 4)
		return false;
	peer->acknowledged = position;
	return true;
}

/*
 * Is a packet looked for in the others? Those near a stream's beginning are, and later one of sixteen, by its numbers:
 * so all archives look for the same ones.
 */
static bool is_looked_for(uint64_t position, uint32_t number)
{
	return position - START < FIRST_BYTES || (uint32_t)(number * UINT32_C(2654435761)) >> 28 == 0;
}

static void take_segment(struct passing *passing)
{
	const struct dissected *headers = passing->headers;
	struct pairing_side *me = passing->me;
	uint32_t length = headers->payload_length + (headers->flags & DISSECT_SYN ? 1 : 0) +
			  (headers->flags & DISSECT_FIN ? 1u : 0u);
	uint64_t from = position_of(me, headers->sequence), now = passing->sighting->place.time;
	bool fresh = from >= me->high, news = acknowledges(passing);
	struct dissect_options options;

	me->start = from < me->start ? from : me->start;
	if (length)
		ranges_add(passing->pairing->ranges, &me->ranges, from, from + length, now);
	if (length ? fresh && is_looked_for(from, headers->sequence)
		   : news && is_looked_for(passing->peer->acknowledged, headers->acknowledged))
		find_elsewhere(passing, mark_of(passing, length), from);
	if (from + length > me->high)
		me->high = from + length;
	if (headers->flags & DISSECT_SYN) {
		dissect_options(&options, headers);
		me->mss = options.mss_known ? options.mss : 0;
	}
}

/* --- a connection --- */

static struct pairing_track *new_track(struct pairing *pairing, unsigned archive, uint32_t *current,
				       const struct dissected *headers)
{
	struct pairing_track *track = &pairing->tracks[pairing->track_count];
	bool is_udp = headers->protocol == PROTOCOL_UDP;

	if (pairing->track_count == PAIRING_TRACKS || (is_udp && pairing->udp_tracks == PAIRING_UDP_TRACKS)) {
		pairing->left_out++;
		return NULL;
	}
	pairing->udp_tracks += is_udp;
	*track = (struct pairing_track){.ends = {headers->from, headers->to},
					.version = headers->version,
					.archive = (uint8_t)archive,
					.began = (headers->flags & (DISSECT_SYN | DISSECT_ACK)) == DISSECT_SYN,
					.protocol = headers->protocol};
	*current = ++pairing->track_count;
	return track;
}

/* A SYN of another number than that of the connection of now begins a new one. */
static bool begins(const struct pairing_track *track, const struct dissected *headers)
{
	const struct pairing_side *side = &track->sides[!ends_same(&track->ends[0], &headers->from)];

	if ((headers->flags & (DISSECT_SYN | DISSECT_ACK)) != DISSECT_SYN)
		return false;
	return side->seen && side->base != headers->sequence;
}

static struct pairing_track *track_of(struct pairing *pairing, unsigned archive, uint32_t conversation,
				      const struct dissected *headers)
{
	uint32_t *current = &pairing->current[archive][conversation];

	if (!*current || begins(&pairing->tracks[*current - 1], headers))
		return new_track(pairing, archive, current, headers);
	return &pairing->tracks[*current - 1];
}

void pairing_reach(const struct pairing *pairing, unsigned archive, uint32_t conversation)
{
	uint32_t current = pairing->current[archive][conversation];
	const struct pairing_track *track = &pairing->tracks[current - 1];

	if (!current)
		return;
	ranges_approach(pairing->ranges, &track->sides[0].ranges);
	ranges_approach(pairing->ranges, &track->sides[1].ranges);
}

void pairing_approach(const struct pairing *pairing, unsigned archive, uint32_t conversation)
{
	uint32_t current = pairing->current[archive][conversation];
	const struct pairing_track *track = &pairing->tracks[current - 1];

	if (!current)
		return;
	__builtin_prefetch(track->ends, 1);
	__builtin_prefetch(&track->sides[0], 1);
	__builtin_prefetch(&track->sides[1], 1);
}

void pairing_saw(struct pairing_side *side, const struct sighting *sighting)
{
	side->last = sighting->place.time;
	if (sighting->length > side->largest)
		side->largest = (uint16_t)(sighting->length < UINT16_MAX ? sighting->length : UINT16_MAX);
}

void pairing_add(struct pairing *pairing, unsigned archive, uint32_t conversation, const struct sighting *sighting)
{
	struct passing passing = {.pairing = pairing, .sighting = sighting, .headers = sighting->headers};
	const struct dissected *headers = sighting->headers;

	if (!headers->tcp_header || headers->fragment)
		return;
	passing.track = track_of(pairing, archive, conversation, headers);
	if (!passing.track)
		return;
	passing.number = (uint32_t)(passing.track - pairing->tracks);
	passing.side = !ends_same(&passing.track->ends[0], &headers->from);
	passing.me = &passing.track->sides[passing.side];
	passing.peer = &passing.track->sides[!passing.side];
	if (!passing.me->seen && !(headers->flags & DISSECT_RST))
		begin_side(&passing);
	if (passing.me->seen && passing.me->interface != sighting->interface)
		return;
	pairing_saw(passing.me, sighting);
	if (headers->flags & DISSECT_RST) {
		take_reset(&passing);
		return;
	}
	passing.me->hops = headers->hops;
	take_segment(&passing);
}

/* --- for pairing_udp.c --- */

const struct siphash_key *pairing_key(const struct pairing *pairing)
{
	return &pairing->key;
}

struct pairing_udp *pairing_udp(const struct pairing *pairing)
{
	return pairing->udp;
}

struct pairing_track *pairing_take(struct pairing *pairing, unsigned archive, uint32_t conversation,
				   const struct dissected *headers)
{
	return track_of(pairing, archive, conversation, headers);
}

uint32_t pairing_track_number(const struct pairing *pairing, const struct pairing_track *track)
{
	return (uint32_t)(track - pairing->tracks);
}

struct pairing_link *pairing_link(struct pairing *pairing, uint32_t a, uint32_t b, bool crossed)
{
	return link_of(pairing, a, b, crossed);
}

void pairing_meet(struct pairing *pairing, const struct pairing_met *a, const struct pairing_met *b)
{
	struct seen seen[2] = {{.time = a->time, .track = a->track, .side = (uint8_t)a->side},
			       {.time = b->time, .track = b->track, .side = (uint8_t)b->side}};

	meet(pairing, &seen[0], &seen[1]);
}
