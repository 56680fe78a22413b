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
		ends = between_sender(pair->betweens, seen->track, seen->side);
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

/* "3 ranges of TCP data (300 bytes), 1 reset, 2 UDP datagrams (90 bytes)": what there is of it. */
static void say_kinds(struct finding *finding, const struct between *between, const enum between_kind kinds[3])
{
	static const char *const words[3] = {"range", "reset", "UDP datagram"};
	bool more = false;

	for (int i = 0; i < 3; i++) {
		uint64_t count = between->counts[kinds[i]];

		if (!count)
			continue;
		finding_say(finding, "%s %" PRIu64 " %s%s", more ? "," : "", count, words[i], number_plural(count));
		if (between->bytes[kinds[i]])
			finding_say(finding, "%s (%" PRIu64 " bytes)", i == 0 ? " of TCP data" : "",
				    between->bytes[kinds[i]]);
		more = true;
	}
}

static void find_lost(const struct pair *pair)
{
	static const enum between_kind kinds[3] = {BETWEEN_LOST, BETWEEN_RESET_LOST, BETWEEN_DATAGRAM_LOST};
	const struct between *between = pair->between;
	uint64_t tcp = between->counts[BETWEEN_LOST] + between->counts[BETWEEN_RESET_LOST];
	struct finding *finding;

	if (tcp + between->counts[BETWEEN_DATAGRAM_LOST] == 0)
		return;
	finding = findings_add(pair->findings, FINDING_LOST_BETWEEN, FINDING_WARNING, 700);
	finding_say(finding, "lost between %.60s and %.60s:", pair->names[0], pair->names[1]);
	say_kinds(finding, between, kinds);
	if (between->lone)
		finding_say(finding, "; %" PRIu64 " connection%s never got there", between->lone,
			    number_plural(between->lone));
	if (between->needed + between->not_needed)
		finding_say(finding,
			    "; of what was sent again, %" PRIu64 " had been lost there, %" PRIu64 " had come through",
			    between->needed, between->not_needed);
	leave_open(pair, finding);
	for (int i = 0; i < 3; i++)
		name_seen(pair, finding, kinds[i]);
	finding_filter(finding, tcp ? "tcp.analysis.retransmission" : "udp");
	finding_next(finding,
		     "what is between the two: drops of its interfaces and queues, firewalls, the MTU; --json has "
		     "each of them");
}

static void find_not_captured(const struct pair *pair)
{
	uint64_t count = pair->between->counts[BETWEEN_NOT_CAPTURED];
	struct finding *finding;

	if (!count)
		return;
	finding = findings_add(pair->findings, FINDING_CAPTURE_LOSS, FINDING_NOTE, 300);
	finding_say(finding,
		    "%" PRIu64 " range%s of TCP data or datagram%s (%" PRIu64
		    " bytes) %s only in one of %.60s and %.60s: not captured in the "
		    "other, which lost packets itself, or it was acknowledged all the same",
		    count, number_plural(count), number_plural(count), pair->between->bytes[BETWEEN_NOT_CAPTURED],
		    count == 1 ? "is" : "are", pair->names[0], pair->names[1]);
	name_seen(pair, finding, BETWEEN_NOT_CAPTURED);
	finding_next(finding, "a larger ring (-B), or --headers");
}

/* How many, and what the first of them say and who sent it. */
static void say_icmp(struct finding *finding, const struct between *between, bool more)
{
	const struct icmp_error *error = between->icmp[0].error;
	struct dissect_end by = {0};
	char text[ENDS_TEXT_SIZE], spare[32];

	memcpy(by.address, error->key.by, sizeof(by.address));
	finding_say(finding, "%s %" PRIu64 " ICMP error%s (%s, by %s%s)", more ? "," : "", between->icmp_made,
		    number_plural(between->icmp_made), icmp_says(error, spare),
		    ends_text(error->key.version, false, &by, text), between->icmp_count > 1 ? ", and others" : "");
}

static void find_made(const struct pair *pair)
{
	static const enum between_kind kinds[3] = {BETWEEN_MADE, BETWEEN_RESET_MADE, BETWEEN_DATAGRAM_MADE};
	const struct between *between = pair->between;
	uint64_t tcp = between->counts[BETWEEN_MADE] + between->counts[BETWEEN_RESET_MADE];
	uint64_t packets = tcp + between->counts[BETWEEN_DATAGRAM_MADE];
	struct finding *finding;

	if (packets + between->icmp_made == 0)
		return;
	finding = findings_add(pair->findings, FINDING_INJECTED_BETWEEN, packets ? FINDING_ERROR : FINDING_NOTE, 800);
	finding_say(finding, "something between %.60s and %.60s sent what neither end did:", pair->names[0],
		    pair->names[1]);
	say_kinds(finding, between, kinds);
	if (between->icmp_made)
		say_icmp(finding, between, packets > 0);
	leave_open(pair, finding);
	for (int i = 0; i < 3; i++)
		name_seen(pair, finding, kinds[i]);
	finding->count += between->icmp_made;
	finding_filter(finding, "%s",
		       between->counts[BETWEEN_RESET_MADE] ? "tcp.flags.reset == 1"
		       : tcp				   ? "tcp"
		       : packets			   ? "udp"
							   : "icmp || icmpv6");
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
	finding->count = between->connections + between->udp;
	finding_next(finding, "tarcap join --align puts both on the first one's clock");
}

static void find_delay(const struct pair *pair)
{
	const struct between_delay *way = pair->between->way;
	uint32_t conversations = pair->between->connections + pair->between->udp;
	char text[5][TELLING_TEXT + 1];
	struct finding *finding;

	if (!way[0].count || !way[1].count)
		return;
	finding = findings_add(pair->findings, FINDING_PATH_DELAY, FINDING_NOTE, 400);
	finding_say(finding,
		    "from %.60s to %.60s it takes %s (p99 %s), back %s (p99 %s), there and back %s: medians of %" PRIu32
		    " conversation%s, each way give or take %s",
		    pair->names[0], pair->names[1], signed_duration(way[0].p50, text[0]),
		    signed_duration(way[0].p99, text[1]), signed_duration(way[1].p50, text[2]),
		    signed_duration(way[1].p99, text[3]), signed_duration(way[0].p50 + way[1].p50, text[4]),
		    conversations, number_plural(conversations),
		    signed_duration(pair->between->bound, (char[TELLING_TEXT + 1]){0}));
	finding->count = conversations;
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
