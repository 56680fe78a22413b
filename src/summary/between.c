#include "summary/between.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "summary/between_parts.h"
#include "summary/ends.h"

/* A direction of a connection, while it is compared. */
struct comparing {
	struct betweens *betweens;
	struct between *between;
	uint32_t number;		     /* of the link */
	int side;			     /* that sends, of track a */
	int up;				     /* where it comes by first: 0 is a */
	const struct pairing_side *sides[2]; /* in a, in b */
	uint64_t shifts[2];		     /* from their positions to those of a */
};

/* --- names and ends --- */

const char *between_kind_name(enum between_kind kind)
{
	static const char *const names[BETWEEN_KINDS] = {
		[BETWEEN_LOST] = "lost",
		[BETWEEN_MADE] = "made",
		[BETWEEN_NOT_CAPTURED] = "not-captured",
		[BETWEEN_RESET_LOST] = "reset-lost",
		[BETWEEN_RESET_MADE] = "reset-made",
		[BETWEEN_DATAGRAM_LOST] = "datagram-lost",
		[BETWEEN_DATAGRAM_MADE] = "datagram-made",
	};

	return names[kind];
}

struct finding_connection between_sender(const struct betweens *betweens, uint32_t number, int side)
{
	const struct pairing_track *track = pairing_track_at(betweens->pairing, number);

	return (struct finding_connection){track->ends[side], track->ends[!side], track->version, track->protocol,
					   true};
}

struct finding_connection between_ends(const struct betweens *betweens, uint32_t link, int which)
{
	const struct pairing_link *of = pairing_link_at(betweens->pairing, link);

	return between_sender(betweens, of->tracks[which], which && of->crossed);
}

bool between_lossy(const struct summary *summary)
{
	const struct defects *defects = summary->defects;

	if (defects->of[DEFECT_BYTES].count || defects->of[DEFECT_DAMAGED].count || defects->of[DEFECT_HEADER].count)
		return true;
	return summary->archive ? verify_lost(summary->told) > 0 : summary->loss.packets > 0;
}

/* --- which is first, and the clocks --- */

int between_first_at_a(const struct betweens *betweens, const struct pairing_link *link)
{
	const struct pairing_track *a = pairing_track_at(betweens->pairing, link->tracks[0]);
	const struct pairing_track *b = pairing_track_at(betweens->pairing, link->tracks[1]);

	if (link->hits[0] && link->hits[1])
		return link->least[0] >= link->most[1] ? 0 : link->least[1] >= link->most[0] ? 1 : -1;
	for (int side = 0; side < 2; side++) {
		const uint8_t hops[2] = {a->sides[side].hops, b->sides[side != link->crossed].hops};

		if (a->sides[side].seen && b->sides[side != link->crossed].seen && hops[0] != hops[1])
			return hops[0] > hops[1] ? side : !side;
	}
	return -1;
}

struct bounds {
	int64_t low, high;
	bool has_low, has_high;
};

static void narrow(struct bounds *bounds, const struct pairing_link *link, int first)
{
	if (first < 0)
		return;
	if (link->hits[first] && (!bounds->has_high || link->least[first] < bounds->high)) {
		bounds->high = link->least[first];
		bounds->has_high = true;
	}
	if (link->hits[!first] && (!bounds->has_low || link->most[!first] > bounds->low)) {
		bounds->low = link->most[!first];
		bounds->has_low = true;
	}
}

bool between_has(const struct betweens *betweens, const struct between *between, const struct pairing_link *link)
{
	const struct pairing *pairing = betweens->pairing;

	return pairing_track_at(pairing, link->tracks[0])->archive == between->archives[0] &&
	       pairing_track_at(pairing, link->tracks[1])->archive == between->archives[1];
}

static void find_offset(const struct betweens *betweens, struct between *between)
{
	struct bounds bounds = {0};

	for (uint32_t i = 0; i < pairing_link_count(betweens->pairing); i++) {
		const struct pairing_link *link = pairing_link_at(betweens->pairing, i);
		bool is_udp = pairing_track_at(betweens->pairing, link->tracks[0])->protocol == PROTOCOL_UDP;

		if (!between_has(betweens, between, link))
			continue;
		if (!pairing_is_pair(betweens->pairing, link)) {
			between->ambiguous++;
			continue;
		}
		*(is_udp ? &between->udp : &between->connections) += 1;
		narrow(&bounds, link, between_first_at_a(betweens, link));
	}
	between->offset_known = bounds.has_low && bounds.has_high;
	if (!between->offset_known)
		return;
	between->drifted = bounds.low > bounds.high;
	between->offset = bounds.low / 2 + bounds.high / 2;
	between->bound = (between->drifted ? bounds.low - bounds.high : bounds.high - bounds.low) / 2 + 1;
}

/* --- ranges that one has more often --- */

void between_add(struct betweens *betweens, struct between *between, const struct between_seen *seen)
{
	between->counts[seen->kind] +=
		seen->kind == BETWEEN_DATAGRAM_LOST || seen->kind == BETWEEN_DATAGRAM_MADE ? seen->times : 1;
	between->bytes[seen->kind] += (uint64_t)seen->bytes * seen->times;
	if (betweens->seen_count == BETWEEN_SEEN)
		return;
	betweens->seen[betweens->seen_count++] = *seen;
	between->seen_count++;
}

static void add_seen(const struct comparing *comparing, struct between_seen seen)
{
	const struct pairing_link *link = pairing_link_at(comparing->betweens->pairing, comparing->number);

	seen.track = link->tracks[seen.only];
	seen.side = (uint8_t)(comparing->side != (seen.only && link->crossed));
	between_add(comparing->betweens, comparing->between, &seen);
}

/* Did the capture that lacks it see what passed at that time of the other's clock? */
static bool covers(const struct comparing *comparing, int lacking, uint64_t time)
{
	const struct between *between = comparing->between;
	const struct summary *summary = comparing->betweens->summaries[between->archives[lacking]];
	uint64_t there = time + (uint64_t)(lacking ? between->offset : -between->offset);

	/* What comes by there first would have been there before. */
	return there >= summary->first && there + (lacking == comparing->up ? 0 : BETWEEN_MARGIN) <= summary->last;
}

static bool is_acknowledged(const struct comparing *comparing, uint64_t to)
{
	return comparing->sides[0]->acknowledged + comparing->shifts[0] >= to ||
	       comparing->sides[1]->acknowledged + comparing->shifts[1] >= to;
}

/* lacking: who has it less often. */
static bool can_judge(const struct comparing *comparing, const struct ranges_stretch *stretch, int lacking)
{
	const struct pairing_side *side = comparing->sides[lacking];
	uint64_t shift = comparing->shifts[lacking];

	if (!side->seen || stretch->to <= side->start + shift)
		return false;
	if (stretch->count[lacking] || stretch->to <= side->high + shift)
		return true;
	return covers(comparing, lacking, stretch->time[!lacking]);
}

static void take_stretch(void *context, const struct ranges_stretch *stretch)
{
	struct comparing *comparing = context;
	struct between *between = comparing->between;
	int lacking = stretch->count[0] > stretch->count[1];
	uint32_t less = stretch->count[lacking], more = stretch->count[!lacking];
	struct between_seen seen = {.only = (uint8_t)!lacking,
				    .bytes = (uint32_t)(stretch->to - stretch->from),
				    .times = more - less,
				    .time = stretch->time[!lacking]};

	between->not_needed += less > 1;
	if (less == more)
		return;
	if (!can_judge(comparing, stretch, lacking)) {
		between->not_judged++;
		return;
	}
	seen.sequence = comparing->sides[0]->base + (uint32_t)(stretch->from - (UINT64_C(1) << 32));
	if (between_lossy(comparing->betweens->summaries[between->archives[lacking]]) ||
	    (less == 0 && lacking != comparing->up && is_acknowledged(comparing, stretch->to)))
		seen.kind = BETWEEN_NOT_CAPTURED;
	else
		seen.kind = lacking != comparing->up ? BETWEEN_LOST : BETWEEN_MADE;
	between->needed += seen.kind == BETWEEN_LOST && more > 1;
	add_seen(comparing, seen);
}

/* --- resets --- */

static bool is_matched(struct pairing *pairing, const struct pairing_reset *reset, const struct pairing_side *side)
{
	struct pairing_reset *other = pairing_reset_at(pairing, side->resets);

	for (; other; other = pairing_reset_at(pairing, other->next)) {
		if (!other->matched && other->sequence == reset->sequence)
			return other->matched = true;
	}
	return false;
}

static void take_lone_reset(struct comparing *comparing, const struct pairing_reset *reset, int only)
{
	struct between *between = comparing->between;
	struct between_seen seen = {.kind = only == comparing->up ? BETWEEN_RESET_LOST : BETWEEN_RESET_MADE,
				    .only = (uint8_t)only,
				    .sequence = reset->sequence,
				    .times = 1,
				    .time = reset->time};

	if (between_lossy(comparing->betweens->summaries[between->archives[!only]]))
		seen.kind = BETWEEN_NOT_CAPTURED;
	if (covers(comparing, !only, reset->time))
		add_seen(comparing, seen);
	else
		between->not_judged++;
}

static void compare_resets(struct comparing *comparing)
{
	struct pairing *pairing = comparing->betweens->pairing;
	struct pairing_reset *reset = pairing_reset_at(pairing, comparing->sides[0]->resets);

	for (; reset; reset = pairing_reset_at(pairing, reset->next)) {
		reset->matched = is_matched(pairing, reset, comparing->sides[1]);
		if (!reset->matched)
			take_lone_reset(comparing, reset, 0);
	}
	reset = pairing_reset_at(pairing, comparing->sides[1]->resets);
	for (; reset; reset = pairing_reset_at(pairing, reset->next)) {
		if (!reset->matched)
			take_lone_reset(comparing, reset, 1);
	}
}

/* --- all of it --- */

static void compare_link(struct betweens *betweens, struct between *between, uint32_t number)
{
	const struct pairing_link *link = pairing_link_at(betweens->pairing, number);
	const struct pairing_track *a = pairing_track_at(betweens->pairing, link->tracks[0]);
	const struct pairing_track *b = pairing_track_at(betweens->pairing, link->tracks[1]);
	int first = between_first_at_a(betweens, link);

	between_measure(betweens, between, number, first);
	between_rewrites(between, link, a, b);
	for (int side = 0; side < 2 && first >= 0; side++) {
		struct comparing comparing = {
			betweens, between,	 number,
			side,	  side != first, {&a->sides[side], &b->sides[side != link->crossed]},
			{0}};

		comparing.shifts[1] = link->shift[side];
		if (link->hits[side] && !comparing.sides[0]->ranges.full && !comparing.sides[1]->ranges.full)
			ranges_compare(pairing_ranges(betweens->pairing), &comparing.sides[0]->ranges,
				       &comparing.sides[1]->ranges, link->shift[side], take_stretch, &comparing);
		compare_resets(&comparing);
	}
}

static void compare(struct betweens *betweens, struct between *between, struct err *err)
{
	between->seen = betweens->seen_count;
	between->connection = betweens->connection_count;
	find_offset(betweens, between);
	for (uint32_t i = 0; i < pairing_link_count(betweens->pairing); i++) {
		const struct pairing_link *link = pairing_link_at(betweens->pairing, i);

		if (between_has(betweens, between, link) && pairing_is_pair(betweens->pairing, link))
			compare_link(betweens, between, i);
	}
	between_delays(betweens, between);
	between_without_link(betweens, between, err);
}

/* One step: from a known clock to another. */
static bool step_to(const struct between *between, bool *known, int64_t *offsets)
{
	unsigned a = between->archives[0], b = between->archives[1];

	if (!between->offset_known || known[a] == known[b])
		return false;
	if (known[a])
		offsets[b] = offsets[a] + between->offset;
	else
		offsets[a] = offsets[b] - between->offset;
	return known[a] = known[b] = true;
}

bool betweens_offset(const struct betweens *betweens, unsigned a, unsigned b, int64_t *offset)
{
	bool known[SOURCES_MAX] = {0}, more = true;
	int64_t offsets[SOURCES_MAX] = {0};

	known[a] = true;
	while (more) {
		more = false;
		for (size_t i = 0; i < betweens->count; i++)
			more |= step_to(&betweens->list[i], known, offsets);
	}
	*offset = offsets[b];
	return known[b];
}

static bool has_link(const struct pairing *pairing, unsigned a, unsigned b)
{
	for (uint32_t i = 0; i < pairing_link_count(pairing); i++) {
		const struct pairing_link *link = pairing_link_at(pairing, i);

		if (pairing_track_at(pairing, link->tracks[0])->archive == a &&
		    pairing_track_at(pairing, link->tracks[1])->archive == b)
			return true;
	}
	return false;
}

struct betweens *betweens_open(struct pairing *pairing, const struct summary *const *summaries, size_t archives,
			       struct err *err)
{
	struct betweens *betweens = calloc(1, sizeof(*betweens));

	if (betweens)
		betweens->list = calloc(archives * archives, sizeof(betweens->list[0]));
	if (!betweens || !betweens->list) {
		betweens_close(betweens);
		err_sys(err, ENOMEM, "memory for comparing");
		return NULL;
	}
	betweens->pairing = pairing;
	betweens->summaries = summaries;
	for (unsigned a = 0; a < archives; a++) {
		for (unsigned b = a + 1; b < archives; b++) {
			if (!has_link(pairing, a, b))
				continue;
			betweens->list[betweens->count] = (struct between){.archives = {a, b}};
			compare(betweens, &betweens->list[betweens->count++], err);
		}
	}
	if (!err->status)
		return betweens;
	betweens_close(betweens);
	return NULL;
}

void betweens_close(struct betweens *betweens)
{
	if (!betweens)
		return;
	free(betweens->list);
	free(betweens);
}
