#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "request/number.h"
#include "summary/ends.h"
#include "summary/page_text.h"

#define SERVERS 10	  /* rows, at most */
#define SERVER_COLUMNS 26 /* what is longer has a line of its own, here */
#define ENDS_COLUMNS 38	  /* and here */
#define HEAD 3		  /* lines of a list before its rows */
#define HISTOGRAM 8	  /* lines of it, at least, where it has so many */

/* What is to be listed, those with trouble first, then those with most bytes. */
struct server_list {
	const struct server *list[SERVERS];
	size_t count, total;
};

/* --- servers --- */

static bool before(const struct server *a, const struct server *b)
{
	uint64_t trouble_a = servers_trouble(a), trouble_b = servers_trouble(b);

	return trouble_a != trouble_b ? trouble_a > trouble_b : a->bytes > b->bytes;
}

static void list_servers(const struct servers *servers, struct server_list *list)
{
	const struct server *server;

	*list = (struct server_list){0};
	for (size_t i = 0; (server = servers_at(servers, i)); i++) {
		size_t at = list->count;

		if (!server->ports && server->version)
			continue;
		list->total++;
		while (at > 0 && before(server, list->list[at - 1]))
			at--;
		if (at == SERVERS)
			continue;
		list->count += list->count < SERVERS;
		for (size_t j = list->count - 1; j > at; j--)
			list->list[j] = list->list[j - 1];
		list->list[at] = server;
	}
}

/* In 6 columns: "0.21ms", "12.5s"; nothing where nothing is known. */
static const char *short_duration(const struct durations *durations, unsigned percent, char text[PAGE_NUMBER_SIZE])
{
	double value = (double)durations_percentile(durations, percent) / 1e9;
	bool small = value < 0.9995;

	text[0] = '\0';
	if (durations->count == 0)
		return text;
	value *= small ? 1000 : 1;
	snprintf(text, PAGE_NUMBER_SIZE, "%.*f%s",
		 value < 9.995	 ? 2
		 : value < 99.95 ? 1
				 : 0,
		 value, small ? "ms" : "s");
	return text;
}

static const char *server_name(const struct server *server, char text[2 * ENDS_TEXT_SIZE])
{
	char protocol[PROTOCOLS_NAME_SIZE], end[ENDS_TEXT_SIZE];

	if (server->version)
		snprintf(text, (size_t)2 * ENDS_TEXT_SIZE, "%s %s", protocols_name(server->protocol, protocol),
			 ends_text(server->version, server->ports, &server->end, end));
	else
		snprintf(text, (size_t)2 * ENDS_TEXT_SIZE, "all others");
	return text;
}

static void write_server(struct page *page, const struct server *server)
{
	uint64_t counts[] = {server->connections, server->opened,
			     server->refused,	  server->reset,
			     server->unanswered,  server->retransmitted[0] + server->retransmitted[1]};
	char name[2 * ENDS_TEXT_SIZE], numbers[7][PAGE_NUMBER_SIZE] = {{0}}, times[4][PAGE_NUMBER_SIZE];
	bool wide = strlen(server_name(server, name)) > SERVER_COLUMNS;

	if (wide)
		page_line(page, "%s", name);
	for (size_t i = 0; i < 6 && (server->protocol == PROTOCOL_TCP || !server->version); i++)
		page_number(counts[i], numbers[i]);
	page_line(page, "%-*s %5s %6s %7s %5s %6s %5s %6s %6s %6s %6s %5s", SERVER_COLUMNS, wide ? "" : name,
		  numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], numbers[5],
		  short_duration(&server->handshakes, 50, times[0]), short_duration(&server->handshakes, 99, times[1]),
		  short_duration(&server->answers, 50, times[2]), short_duration(&server->answers, 99, times[3]),
		  page_number(server->bytes, numbers[6]));
}

/* As many as fit into so many lines: how many lines they take. */
static unsigned fit_servers(struct server_list *list, unsigned lines)
{
	char name[2 * ENDS_TEXT_SIZE];
	unsigned used = list->count ? HEAD : 0;

	for (size_t i = 0; i < list->count; i++) {
		unsigned takes = strlen(server_name(list->list[i], name)) > SERVER_COLUMNS ? 2 : 1;

		if (used + takes > lines) {
			list->count = i;
			break;
		}
		used += takes;
	}
	return list->count ? used : 0;
}

static void write_servers(struct page *page, const struct server_list *list)
{
	if (list->count == 0)
		return;
	page_line(page, "%s", "");
	page_line(page, "%-*s %5s %6s %7s %5s %6s %5s %13s %13s %5s", SERVER_COLUMNS, "SERVERS", "", "", "", "", "no",
		  "sent", "handshake", "first byte", "");
	page_line(page, "%5zu of %5zu%-*s %5s %6s %7s %5s %6s %5s %6s %6s %6s %6s %5s", list->count, list->total,
		  SERVER_COLUMNS - 14, "", "conns", "opened", "refused", "reset", "answer", "again", "p50", "p99",
		  "p50", "p99", "bytes");
	for (size_t i = 0; i < list->count; i++)
		write_server(page, list->list[i]);
}

/* --- conversations --- */

static char *words_of(const struct conversation *conversation, char text[3 * ENDS_TEXT_SIZE])
{
	char protocol[PROTOCOLS_NAME_SIZE], a[ENDS_TEXT_SIZE], b[ENDS_TEXT_SIZE];

	snprintf(text, (size_t)3 * ENDS_TEXT_SIZE, "%s %s > %s", protocols_name(conversation->protocol, protocol),
		 ends_text(conversation->version, conversation->ports, &conversation->ends[0], a),
		 ends_text(conversation->version, conversation->ports, &conversation->ends[1], b));
	return text;
}

/* SYN, SYN+ACK, FIN, RST of both sides, each in 5 columns. */
static void flags_text(const struct conversation *conversation, char text[4 * PAGE_NUMBER_SIZE])
{
	const struct conversation_flags *a = &conversation->flags[0], *b = &conversation->flags[1];
	uint64_t counts[] = {(uint64_t)a->syn + b->syn, (uint64_t)a->syn_ack + b->syn_ack, (uint64_t)a->fin + b->fin,
			     (uint64_t)a->rst + b->rst};
	char number[PAGE_NUMBER_SIZE];
	size_t used = 0;

	text[0] = '\0';
	if (conversation->protocol != PROTOCOL_TCP || !conversation->ports)
		return;
	for (size_t i = 0; i < 4; i++)
		used += (size_t)snprintf(text + used, (size_t)4 * PAGE_NUMBER_SIZE - used, " %4s",
					 page_number(counts[i], number));
}

/* Packets without a time may come before the first that has one. */
static uint64_t since(const struct page *page, uint64_t time)
{
	return time > page->summary->first ? time - page->summary->first : 0;
}

static void write_conversation(struct page *page, const struct conversation *conversation)
{
	const struct conversation_sent *a = &conversation->sent[0], *b = &conversation->sent[1];
	char ends[3 * ENDS_TEXT_SIZE], flags[4 * PAGE_NUMBER_SIZE], numbers[6][PAGE_NUMBER_SIZE];
	bool wide = strlen(words_of(conversation, ends)) > ENDS_COLUMNS;

	if (wide)
		page_line(page, "%s", ends);
	flags_text(conversation, flags);
	page_line(page, "%-*s %5s %5s %5s %5s %7s %7s%s", ENDS_COLUMNS, wide ? "" : ends,
		  page_number(a->packets, numbers[0]), page_number(b->packets, numbers[1]),
		  page_number(a->bytes, numbers[2]), page_number(b->bytes, numbers[3]),
		  page_seconds(since(page, conversation->first), numbers[4]),
		  page_seconds(since(page, conversation->last), numbers[5]), flags);
}

/* As many as fit into so many lines, which become those that they take. */
static size_t fit_conversations(const struct conversation **list, size_t count, unsigned *lines)
{
	char ends[3 * ENDS_TEXT_SIZE];
	unsigned used = HEAD;
	size_t fit = 0;

	for (; fit < count; fit++) {
		unsigned takes = strlen(words_of(list[fit], ends)) > ENDS_COLUMNS ? 2 : 1;

		if (used + takes > *lines)
			break;
		used += takes;
	}
	*lines = fit ? used : 0;
	return fit;
}

static void write_conversations(struct page *page, const struct conversation **list, size_t count, size_t total)
{
	if (count == 0)
		return;
	page_line(page, "%s", "");
	page_line(page, "%-*s %11s %11s", ENDS_COLUMNS, "CONVERSATIONS (A sent the first SYN,", "packets", "bytes");
	page_line(page, "%5zu of %5zu%-*s %5s %5s %5s %5s %7s %7s %4s %4s %4s %4s", count, total, ENDS_COLUMNS - 14,
		  " or the first packet)", "A>", "<B", "A>", "<B", "first s", "last s", "SYN", "S+A", "FIN", "RST");
	for (size_t i = 0; i < count; i++)
		write_conversation(page, list[i]);
}

/* What is not in the lists, so that nobody takes them for all there is. */
static void write_rest(struct page *page)
{
	uint64_t left_out = conversations_left_out(page->summary->conversations);

	if (left_out)
		page_line(page,
			  "NOT ATTRIBUTED: %" PRIu64 " packets of further conversations: there is room for %d of these",
			  left_out, CONVERSATIONS_MAX);
	if (page->summary->without_addresses)
		page_line(page, "%" PRIu64 " packet%s without IP addresses %s in no conversation",
			  page->summary->without_addresses, number_plural(page->summary->without_addresses),
			  page->summary->without_addresses == 1 ? "is" : "are");
}

static unsigned less(unsigned from, unsigned what)
{
	return from > what ? from - what : 0;
}

void page_lists(struct page *page)
{
	const struct conversation *top[PAGE_TOP];
	struct server_list servers;
	unsigned below = (page->summary->without_addresses > 0 ? 1u : 0u) +
			 (conversations_left_out(page->summary->conversations) > 0 ? 1u : 0u);
	unsigned room = less(PAGE_LINES - 1, page->lines + below), least = page_histogram_lines(page, HISTOGRAM);
	unsigned lists = less(room, least), server_lines, conversation_lines;
	size_t total, count;

	list_servers(page->summary->servers, &servers);
	server_lines = fit_servers(&servers, lists / 2);
	count = conversations_rank(page->summary->conversations, CONVERSATIONS_BY_TROUBLE, top, PAGE_TOP, &total);
	conversation_lines = lists - server_lines;
	count = fit_conversations(top, count, &conversation_lines);
	if (room >= least)
		page_histogram(page, below + server_lines + conversation_lines);
	write_servers(page, &servers);
	write_conversations(page, top, count, total);
	write_rest(page);
}
