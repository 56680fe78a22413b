#include "summary/page_both.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "request/number.h"
#include "summary/ends.h"
#include "summary/page_json.h"
#include "summary/page_text.h"

/* --- for people --- */

static void write_joint(struct page *page, const struct findings *findings)
{
	for (size_t i = 0; i < findings->count; i++) {
		const struct finding *finding = &findings->list[i];

		page_fact(page, finding_severity_name(finding->severity), "%s", finding->sentence);
		if (finding->severity != FINDING_NOTE)
			page_advice(page, finding);
	}
}

static void write_counts(struct page *page, const struct page_both *both, const struct between *between)
{
	char udp[40] = "";

	if (between->udp)
		snprintf(udp, sizeof(udp), ", %" PRIu32 " conversation%s of UDP", between->udp,
			 number_plural(between->udp));
	page_fact(page, "in both", "%.60s and %.60s: %" PRIu32 " connection%s%s", both->names[between->archives[0]],
		  both->names[between->archives[1]], between->connections, number_plural(between->connections), udp);
	if (between->needed + between->not_needed)
		page_fact(page, "sent again",
			  "%" PRIu64 " range%s lost between the two, %" PRIu64 " not: the ACK was lost, or late",
			  between->needed, between->needed == 1 ? " was" : "s were", between->not_needed);
}

static void write_pairs(struct page *page, const struct page_both *both)
{
	const struct betweens *betweens = both->betweens;

	for (size_t i = 0; i < betweens->count; i++) {
		const struct between *between = &betweens->list[i];

		write_counts(page, both, between);
		if (between->ambiguous)
			page_fact(page, "", "%" PRIu32 " more may be several of the other, and are not compared",
				  between->ambiguous);
		if (between->not_judged)
			page_fact(page, "",
				  "of %" PRIu64 " range%s or datagram%s nothing is said: one began later or ended "
				  "earlier, or there was no room",
				  between->not_judged, number_plural(between->not_judged),
				  number_plural(between->not_judged));
		if (between->mtu)
			page_fact(page, "", "MTU between: %d, by ICMP", between->mtu);
	}
	if (betweens->count == 0)
		page_fact(page, "in both", "nothing of TCP or UDP is in two of them");
}

static void write_each(struct page *page, const struct summary *summary, const char *name)
{
	char first[CLOCK_TEXT_SIZE], last[CLOCK_TEXT_SIZE];

	page->summary = summary;
	page->lines = 0;
	page_line(page, "%s", "");
	page_line(page, "%.90s", name);
	page_fact(page, "packets", "%" PRIu64 ", %s to %s UTC%s", summary->packets, page_time(summary->first, first),
		  page_time(summary->last, last), defects_any(summary->defects) ? ", NOT WHOLE" : "");
	page_findings(page);
}

int page_both_write(const struct page_both *both, struct output *output, struct err *err)
{
	struct page page = {both->summaries[0], output, err, 0};

	page_line(&page, "summary of %zu captures together", both->count);
	write_joint(&page, both->findings);
	write_pairs(&page, both);
	for (size_t i = 0; i < both->count; i++)
		write_each(&page, both->summaries[i], both->names[i]);
	return err->status ? -1 : 0;
}

/* --- for machines --- */

/* Seconds as text, with its sign. */
static json_t *json_nanoseconds(int64_t nanoseconds)
{
	char text[CLOCK_TEXT_SIZE + 1] = "-";

	clock_seconds((uint64_t)(nanoseconds < 0 ? -nanoseconds : nanoseconds), text + 1);
	return json_text(nanoseconds < 0 ? text : text + 1);
}

static json_t *json_delay(const struct between_delay *delay)
{
	json_t *object;

	if (!delay->count)
		return json_null();
	object = json_object();
	json_put_number(&object, "count", delay->count);
	json_put(&object, "p50_seconds", json_nanoseconds(delay->p50));
	json_put(&object, "p99_seconds", json_nanoseconds(delay->p99));
	return object;
}

static json_t *json_ends(const struct finding_connection *ends)
{
	char a[ENDS_TEXT_SIZE], b[ENDS_TEXT_SIZE];
	json_t *row = json_object();

	json_put_text(&row, "from", ends_text(ends->version, true, &ends->a, a));
	json_put_text(&row, "to", ends_text(ends->version, true, &ends->b, b));
	return row;
}

static json_t *json_connection(const struct page_both *both, const struct between_connection *connection)
{
	json_t *row = json_object();

	for (int which = 0; which < 2; which++) {
		struct finding_connection ends = between_ends(both->betweens, connection->link, which);

		if (which == 0)
			json_put_text(&row, "protocol", ends.protocol == PROTOCOL_UDP ? "udp" : "tcp");
		json_put(&row, which ? "in_b" : "in_a", json_ends(&ends));
	}
	json_put(&row, "there", json_delay(&connection->way[0]));
	json_put(&row, "back", json_delay(&connection->way[1]));
	json_put(&row, "there_and_back", json_delay(&connection->round));
	return row;
}

static json_t *json_seen(const struct page_both *both, const struct between_seen *seen)
{
	struct finding_connection ends = between_sender(both->betweens, seen->track, seen->side);
	bool udp = ends.protocol == PROTOCOL_UDP;
	json_t *row = json_object();

	json_put_text(&row, "kind", between_kind_name(seen->kind));
	json_put_text(&row, "protocol", udp ? "udp" : "tcp");
	json_put(&row, "connection", json_ends(&ends));
	json_put_text(&row, "only_in", seen->only ? "b" : "a");
	json_put(&row, "sequence", udp ? json_null() : json_integer(seen->sequence));
	json_put(&row, "ip_id", udp && seen->sequence ? json_integer(seen->sequence) : json_null());
	json_put_number(&row, "bytes", seen->bytes);
	json_put_number(&row, "times", seen->times);
	json_put(&row, "time", json_time(seen->time));
	return row;
}

static json_t *json_rewrite(const struct between_rewrite *rewrite)
{
	json_t *row = json_object();
	char text[ENDS_TEXT_SIZE];

	for (int which = 0; which < 2; which++) {
		json_put_text(&row, which ? "in_b" : "in_a",
			      ends_text(rewrite->version, rewrite->ends[0].port, &rewrite->ends[which], text));
		json_put(&row, which ? "mss_in_b" : "mss_in_a",
			 rewrite->mss[which] ? json_integer(rewrite->mss[which]) : json_null());
	}
	json_put_number(&row, "connections", rewrite->count);
	return row;
}

static json_t *json_icmp(const struct between_icmp *icmp)
{
	const struct icmp_error_key *key = &icmp->error->key;
	char from[ENDS_TEXT_SIZE], to[ENDS_TEXT_SIZE], by[ENDS_TEXT_SIZE], spare[32];
	struct dissect_end sender = {0};
	json_t *row = json_object();

	memcpy(sender.address, key->by, sizeof(sender.address));
	json_put_text(&row, "only_in", icmp->only ? "b" : "a");
	json_put_text(&row, "by", ends_text(key->version, false, &sender, by));
	json_put_text(&row, "says", icmp_says(icmp->error, spare));
	json_put_text(&row, "from", ends_text(key->version, false, &key->from, from));
	json_put_text(&row, "to", ends_text(key->version, icmp->error->ports, &key->to, to));
	json_put_number(&row, "count", icmp->error->count);
	json_put(&row, "first", json_time(icmp->error->first.time));
	return row;
}

static void put_counts(json_t **row, const struct between *between)
{
	json_t *icmp = json_array();

	for (int kind = 0; kind < BETWEEN_KINDS; kind++) {
		json_t *count = json_object();

		json_put_number(&count, "count", between->counts[kind]);
		json_put_number(&count, "bytes", between->bytes[kind]);
		json_put(row, between_kind_name((enum between_kind)kind), count);
	}
	json_put_number(row, "sent_again_needed", between->needed);
	json_put_number(row, "sent_again_not_needed", between->not_needed);
	json_put_number(row, "not_judged", between->not_judged);
	json_put_number(row, "connections_lost", between->lone);
	json_put_number(row, "icmp_made", between->icmp_made);
	for (size_t i = 0; i < between->icmp_count; i++)
		json_append(&icmp, json_icmp(&between->icmp[i]));
	json_put(row, "icmp", icmp);
	json_put(row, "mtu", between->mtu ? json_integer(between->mtu) : json_null());
}

static json_t *json_offset(const struct between *between)
{
	json_t *object;

	if (!between->offset_known)
		return json_null();
	object = json_object();
	json_put(&object, "seconds", json_nanoseconds(between->offset));
	json_put(&object, "bound_seconds", json_nanoseconds(between->bound));
	json_put_flag(&object, "drifted", between->drifted);
	return object;
}

static json_t *json_between(const struct page_both *both, const struct between *between)
{
	json_t *row = json_object(), *rewrites = json_array(), *seen = json_array(), *connections = json_array();

	json_put_text(&row, "a", both->names[between->archives[0]]);
	json_put_text(&row, "b", both->names[between->archives[1]]);
	json_put_number(&row, "connections", between->connections);
	json_put_number(&row, "udp_conversations", between->udp);
	json_put_number(&row, "ambiguous", between->ambiguous);
	json_put(&row, "clock_offset", json_offset(between));
	json_put(&row, "there", json_delay(&between->way[0]));
	json_put(&row, "back", json_delay(&between->way[1]));
	put_counts(&row, between);
	for (size_t i = 0; i < between->rewrite_count; i++)
		json_append(&rewrites, json_rewrite(&between->rewrites[i]));
	for (size_t i = 0; i < between->seen_count; i++)
		json_append(&seen, json_seen(both, &both->betweens->seen[between->seen + i]));
	for (size_t i = 0; i < between->connection_count; i++)
		json_append(&connections, json_connection(both, &both->betweens->connections[between->connection + i]));
	json_put(&row, "rewritten", rewrites);
	json_put(&row, "only_in_one", seen);
	json_put(&row, "each", connections);
	return row;
}

/* They are of no one capture's packets: no member is known. */
static json_t *json_joint(const struct page_both *both)
{
	json_t *list = json_array();

	for (size_t i = 0; i < both->findings->count; i++)
		json_append(&list, page_json_finding(both->summaries[0], &both->findings->list[i]));
	return list;
}

int page_both_write_json(const struct page_both *both, struct output *output, struct err *err)
{
	json_t *root = json_object(), *captures = json_array(), *between = json_array();

	for (size_t i = 0; i < both->count; i++)
		json_append(&captures, page_json_summary(both->summaries[i], both->names[i]));
	for (size_t i = 0; i < both->betweens->count; i++)
		json_append(&between, json_between(both, &both->betweens->list[i]));
	json_put_number(&root, "tarcap_summaries", 1);
	json_put(&root, "findings", json_joint(both));
	json_put(&root, "between", between);
	json_put(&root, "captures", captures);
	return page_json_put(root, output, err);
}
