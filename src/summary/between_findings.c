#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "request/number.h"
#include "summary/between.h"
#include "summary/ends.h"
#include "summary/tcp_telling.h"

#define REWRITES_SHOWN 4

struct pair {
	const struct betweens *betweens;
	const struct between *between;
	const char *names[2];
	struct findings *findings;
};

/* "-1.203 ms": with its sign. Returns text. */
static const char *signed_duration(int64_t nanoseconds, char text[TELLING_TEXT + 1])
{
	text[0] = '-';
	telling_duration((uint64_t)(nanoseconds < 0 ? -nanoseconds : nanoseconds), text + 1);
	return nanoseconds < 0 ? text : text + 1;
}

/* The connections of such a kind, and the first of it. */
static void name_seen(const struct pair *pair, struct finding *finding, enum between_kind kind)
{
	const struct between *between = pair->between;

	for (size_t i = 0; i < between->seen_count; i++) {
		const struct between_seen *seen = &pair->betweens->seen[between->seen + i];
		struct finding_connection ends;

		if (seen->kind != kind)
			continue;
		ends = between_ends(pair->betweens, seen->link, seen->only);
		finding_connection(finding, &ends);
		if (!finding->first.time || seen->time < finding->first.time)
			finding->first.time = seen->time;
	}
	finding->count += between->counts[kind];
}

static void leave_open(const struct pair *pair, struct finding *finding)
{
	for (int i = 0; i < 2; i++) {
		const struct summary *summary = pair->betweens->summaries[pair->between->archives[i]];

		if (summary->archive ? !summary->told->cause[0] : !summary->loss.counted)
			finding_say(finding, " (%.60s does not say what it lost itself)", pair->names[i]);
	}
}

static void find_lost(const struct pair *pair)
{
	const struct between *between = pair->between;
	uint64_t ranges = between->counts[BETWEEN_LOST], resets = between->counts[BETWEEN_RESET_LOST];
	struct finding *finding;

	if (ranges + resets == 0)
		return;
	finding = findings_add(pair->findings, FINDING_LOST_BETWEEN, FINDING_WARNING, 700);
	finding_say(finding, "between %.60s and %.60s %" PRIu64 " range%s of TCP data got lost (%" PRIu64 " bytes)",
		    pair->names[0], pair->names[1], ranges, number_plural(ranges), between->bytes[BETWEEN_LOST]);
	if (resets)
		finding_say(finding, " and %" PRIu64 " reset%s", resets, number_plural(resets));
	finding_say(finding, "; of what was sent again, %" PRIu64 " had been lost there, %" PRIu64 " had come through",
		    between->needed, between->not_needed);
	leave_open(pair, finding);
	name_seen(pair, finding, BETWEEN_LOST);
	name_seen(pair, finding, BETWEEN_RESET_LOST);
	finding_filter(finding, "tcp.analysis.retransmission");
	finding_next(finding,
		     "what is between the two: drops of its interfaces and queues, firewalls, the MTU; --json has "
		     "each range");
}

static void find_not_captured(const struct pair *pair)
{
	uint64_t count = pair->between->counts[BETWEEN_NOT_CAPTURED];
	struct finding *finding;

	if (!count)
		return;
	finding = findings_add(pair->findings, FINDING_CAPTURE_LOSS, FINDING_NOTE, 300);
	finding_say(finding,
		    "%" PRIu64 " range%s of TCP data (%" PRIu64
		    " bytes) %s only in one of %.60s and %.60s: not captured in the "
		    "other, which lost packets itself, or it was acknowledged all the same",
		    count, number_plural(count), pair->between->bytes[BETWEEN_NOT_CAPTURED], count == 1 ? "is" : "are",
		    pair->names[0], pair->names[1]);
	name_seen(pair, finding, BETWEEN_NOT_CAPTURED);
	finding_next(finding, "a larger ring (-B), or --headers");
}

static void find_made(const struct pair *pair)
{
	const struct between *between = pair->between;
	uint64_t resets = between->counts[BETWEEN_RESET_MADE], ranges = between->counts[BETWEEN_MADE];
	struct finding *finding;

	if (resets + ranges + between->icmp_made == 0)
		return;
	finding = findings_add(pair->findings, FINDING_INJECTED_BETWEEN,
			       resets || ranges ? FINDING_ERROR : FINDING_NOTE, 800);
	finding_say(finding, "something between %.60s and %.60s sent what neither end did:", pair->names[0],
		    pair->names[1]);
	if (resets)
		finding_say(finding, " %" PRIu64 " reset%s", resets, number_plural(resets));
	if (ranges)
		finding_say(finding, "%s %" PRIu64 " range%s of TCP data (%" PRIu64 " bytes)", resets ? "," : "",
			    ranges, number_plural(ranges), between->bytes[BETWEEN_MADE]);
	if (between->icmp_made)
		finding_say(finding, "%s %" PRIu64 " ICMP error%s that only one of both has",
			    resets || ranges ? "," : "", between->icmp_made, number_plural(between->icmp_made));
	leave_open(pair, finding);
	name_seen(pair, finding, BETWEEN_RESET_MADE);
	name_seen(pair, finding, BETWEEN_MADE);
	finding->count += between->icmp_made;
	finding_filter(finding, "%s", resets ? "tcp.flags.reset == 1" : ranges ? "tcp" : "icmp || icmpv6");
	finding_next(finding, "firewalls, load balancers, proxies and IDS between the two; --json has each of them");
}

static void say_rewrite(struct finding *finding, const struct between_rewrite *rewrite)
{
	char a[ENDS_TEXT_SIZE], b[ENDS_TEXT_SIZE];

	ends_text(rewrite->version, rewrite->ends[0].port, &rewrite->ends[0], a);
	if (rewrite->mss[0]) {
		finding_say(finding, " the MSS of %s, %d, became %d", a,
			    rewrite->mss[0] > rewrite->mss[1] ? rewrite->mss[0] : rewrite->mss[1],
			    rewrite->mss[0] > rewrite->mss[1] ? rewrite->mss[1] : rewrite->mss[0]);
		return;
	}
	ends_text(rewrite->version, rewrite->ends[0].port, &rewrite->ends[1], b);
	if (strcmp(a, b) == 0)
		finding_say(finding, " ports of %s", a);
	else
		finding_say(finding, " %s is %s", a, b);
}

static void find_rewritten(const struct pair *pair)
{
	const struct between *between = pair->between;
	struct finding *finding;

	if (!between->rewrite_count)
		return;
	finding = findings_add(pair->findings, FINDING_REWRITTEN, FINDING_NOTE, 600);
	finding_say(finding, "rewritten between %.60s and %.60s:", pair->names[0], pair->names[1]);
	for (size_t i = 0; i < between->rewrite_count; i++) {
		if (i < REWRITES_SHOWN) {
			finding_say(finding, "%s", i ? "," : "");
			say_rewrite(finding, &between->rewrites[i]);
		}
		finding->count += between->rewrites[i].count;
	}
	if (between->rewrite_count > REWRITES_SHOWN)
		finding_say(finding, " and more: see --json");
}

static void find_offset(const struct pair *pair)
{
	const struct between *between = pair->between;
	int64_t offset = between->offset < 0 ? -between->offset : between->offset;
	char text[2][TELLING_TEXT + 1];
	struct finding *finding;

	if (!between->offset_known)
		return;
	finding = findings_add(pair->findings, FINDING_CLOCK_OFFSET,
			       offset > (int64_t)CLOCK_SECOND ? FINDING_WARNING : FINDING_NOTE, 500);
	finding_say(finding, "the clock of %.60s is %s %s that of %.60s, give or take %s", pair->names[1],
		    signed_duration(offset, text[0]), between->offset < 0 ? "behind" : "ahead of", pair->names[0],
		    signed_duration(between->bound, text[1]));
	if (between->drifted)
		finding_say(finding, "; they moved against each other meanwhile");
	finding->count = between->connections;
	finding_next(finding, "tarcap join --align puts both on the first one's clock");
}

static void find_delay(const struct pair *pair)
{
	const struct between_delay *way = pair->between->way;
	char text[5][TELLING_TEXT + 1];
	struct finding *finding;

	if (!way[0].count || !way[1].count)
		return;
	finding = findings_add(pair->findings, FINDING_PATH_DELAY, FINDING_NOTE, 400);
	finding_say(finding,
		    "from %.60s to %.60s it takes %s (p99 %s), back %s (p99 %s), there and back %s: medians of %" PRIu32
		    " connection%s, each way give or take %s",
		    pair->names[0], pair->names[1], signed_duration(way[0].p50, text[0]),
		    signed_duration(way[0].p99, text[1]), signed_duration(way[1].p50, text[2]),
		    signed_duration(way[1].p99, text[3]), signed_duration(way[0].p50 + way[1].p50, text[4]),
		    pair->between->connections, number_plural(pair->between->connections),
		    signed_duration(pair->between->bound, (char[TELLING_TEXT + 1]){0}));
	finding->count = pair->between->connections;
}

void betweens_find(const struct betweens *betweens, const char *const *names, struct findings *findings)
{
	for (size_t i = 0; i < betweens->count; i++) {
		const struct between *between = &betweens->list[i];
		struct pair pair = {
			betweens, between, {names[between->archives[0]], names[between->archives[1]]}, findings};

		find_lost(&pair);
		find_made(&pair);
		find_not_captured(&pair);
		find_rewritten(&pair);
		find_offset(&pair);
		find_delay(&pair);
	}
	findings_rank(findings);
}
