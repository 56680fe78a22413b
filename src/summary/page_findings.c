#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "request/number.h"
#include "summary/ends.h"
#include "summary/page_text.h"

#define WHOLE 3 /* findings with all that is known of them */
#define SHORT 4 /* and those with their sentence */
#define SEEN_SIZE 200
#define LINES_OF_WHOLE 15 /* when they take more, only sentences follow, */
#define LINES_OF_ALL 20	  /* and then nothing */

/* Which connection, when, and where it stands. */
static void write_first(struct page *page, const struct finding *finding)
{
	const struct finding_connection *connection = &finding->connections[0];
	const char *member = places_name(page->summary->places, finding->first.member);
	char a[ENDS_TEXT_SIZE], b[ENDS_TEXT_SIZE], time[CLOCK_TEXT_SIZE];
	char ends[3 * ENDS_TEXT_SIZE] = "", where[SEEN_SIZE] = "";

	if (finding->connection_count) {
		ends_text(connection->version, connection->ports, &connection->a, a);
		ends_text(connection->version, connection->ports, &connection->b, b);
		snprintf(ends, sizeof(ends), "%s > %s, ", a, b);
	}
	if (finding->first.packet)
		snprintf(where, sizeof(where), ", packet %" PRIu64 "%s%s", finding->first.packet, member ? " of " : "",
			 member ? member : "");
	if (member && summary_joined(page->summary, &finding->first))
		snprintf(where + strlen(where), sizeof(where) - strlen(where), " (%" PRIu64 " of all)",
			 summary_joined(page->summary, &finding->first));
	if (finding->first.time || finding->connection_count)
		page_fact(page, "", "first: %s%s%s", ends, page_time(finding->first.time, time), where);
}

void page_advice(struct page *page, const struct finding *finding)
{
	if (finding->display_filter[0])
		page_fact(page, "", "show: %s", finding->display_filter);
	if (finding->next[0])
		page_fact(page, "", "next: %s", finding->next);
}

static void write_finding(struct page *page, const struct finding *finding, bool whole)
{
	page_fact(page, finding_severity_name(finding->severity), "%s", finding->sentence);
	if (!whole)
		return;
	write_first(page, finding);
	page_advice(page, finding);
}

/* What there was, where nothing is wrong with it. */
static void write_nothing(struct page *page)
{
	const struct server *server;
	uint64_t began = 0, opened = 0, conversations = 0;

	for (size_t i = 0; (server = servers_at(page->summary->servers, i)); i++) {
		began += server->connections;
		opened += server->opened;
		conversations += server->conversations;
	}
	if (page->summary->packets == 0)
		page_fact(page, "findings", "nothing to look at: no packets");
	else if (began)
		page_fact(page, "findings",
			  "Nothing unusual: %" PRIu64 " connection%s began, %" PRIu64 " opened and were answered",
			  began, number_plural(began), opened);
	else
		page_fact(page, "findings",
			  "Nothing unusual: no connection began, %" PRIu64 " conversation%s went on or has no "
			  "connections",
			  conversations, number_plural(conversations));
}

/* What neither findings nor "nothing" cover. */
static void write_cut(struct page *page, const char *label)
{
	if (page->summary->kept < page->summary->bytes)
		page_fact(page, label,
			  "packets were cut (a snaplen, or --headers): of DNS, TLS and HTTP nothing is known "
			  "beyond what is there");
}

static void write_lost(struct page *page)
{
	const struct summary *summary = page->summary;
	uint64_t lost = summary->archive ? verify_lost(summary->told) : summary->loss.packets;

	if (lost)
		page_fact(page, "", "%" PRIu64 " packet%s lost by the capture may have said otherwise", lost,
			  number_plural(lost));
}

void page_findings(struct page *page)
{
	const struct findings *findings = page->summary->findings;
	size_t shown = findings->count < WHOLE + SHORT ? findings->count : WHOLE + SHORT;
	unsigned begin = page->lines;

	if (findings_count(findings, FINDING_ERROR) + findings_count(findings, FINDING_WARNING) == 0)
		write_nothing(page);
	if (findings->count == 0 && page->summary->packets) {
		write_cut(page, "");
		write_lost(page);
	}
	for (size_t i = 0; i < shown; i++) {
		if (page->lines - begin >= LINES_OF_ALL)
			shown = i;
		else
			write_finding(page, &findings->list[i], i < WHOLE && page->lines - begin < LINES_OF_WHOLE);
	}
	if (findings->count + findings->left_out > shown)
		page_fact(page, "", "and %" PRIu64 " more finding%s: see --json",
			  findings->count - shown + findings->left_out,
			  number_plural(findings->count - shown + findings->left_out));
	if (findings->count)
		write_cut(page, "cut");
	page_line(page, "%s", "");
}
