#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "summary/ends.h"
#include "summary/page_text.h"

/* --- conversations --- */

static char *words_of(const struct conversation *conversation, char text[3 * ENDS_TEXT_SIZE])
{
	char protocol[PROTOCOLS_NAME_SIZE], a[ENDS_TEXT_SIZE], b[ENDS_TEXT_SIZE];

	snprintf(text, (size_t)3 * ENDS_TEXT_SIZE, "%s %s > %s", protocols_name(conversation->protocol, protocol),
		 ends_text(conversation->version, conversation->ports, &conversation->sides[0].end, a),
		 ends_text(conversation->version, conversation->ports, &conversation->sides[1].end, b));
	return text;
}

static uint64_t both(uint32_t a, uint32_t b)
{
	return (uint64_t)a + b;
}

static void flags_text(const struct conversation *conversation, char text[4 * PAGE_NUMBER_SIZE])
{
	const struct conversation_side *a = &conversation->sides[0], *b = &conversation->sides[1];
	char syn[PAGE_NUMBER_SIZE], syn_ack[PAGE_NUMBER_SIZE], fin[PAGE_NUMBER_SIZE], rst[PAGE_NUMBER_SIZE];

	text[0] = '\0';
	if (conversation->protocol == PROTOCOL_TCP && conversation->ports)
		snprintf(text, (size_t)4 * PAGE_NUMBER_SIZE, "%s/%s/%s/%s", page_number(both(a->syn, b->syn), syn),
			 page_number(both(a->syn_ack, b->syn_ack), syn_ack), page_number(both(a->fin, b->fin), fin),
			 page_number(both(a->rst, b->rst), rst));
}

/* Packets without a time may come before the first that has one. */
static uint64_t since(const struct page *page, uint64_t time)
{
	return time > page->summary->first ? time - page->summary->first : 0;
}

static void write_conversation(struct page *page, const struct conversation *conversation)
{
	const struct conversation_side *a = &conversation->sides[0], *b = &conversation->sides[1];
	char ends[3 * ENDS_TEXT_SIZE], flags[4 * PAGE_NUMBER_SIZE], numbers[6][PAGE_NUMBER_SIZE];
	bool wide = strlen(words_of(conversation, ends)) > PAGE_ENDS;

	if (wide)
		page_line(page, "%s", ends);
	flags_text(conversation, flags);
	page_line(page, "%-*s %5s %5s %5s %5s %6s %6s %s", PAGE_ENDS, wide ? "" : ends,
		  page_number(a->packets, numbers[0]), page_number(b->packets, numbers[1]),
		  page_number(a->bytes, numbers[2]), page_number(b->bytes, numbers[3]),
		  page_seconds(since(page, conversation->first), numbers[4]),
		  page_seconds(since(page, conversation->last), numbers[5]), flags);
}

static void write_head(struct page *page)
{
	page_line(page, "%-*s %11s %11s %13s %s", PAGE_ENDS, "A > B", "packets", "bytes", "seconds from",
		  "SYN/SYN+ACK");
	page_line(page, "%-*s %5s %5s %5s %5s %6s %6s %s", PAGE_ENDS, "", "A>", "<B", "A>", "<B", "first", "to last",
		  "/FIN/RST");
}

static void write_list(struct page *page, const struct conversation **list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		write_conversation(page, list[i]);
}

static unsigned list_lines(const struct conversation **list, size_t count)
{
	char ends[3 * ENDS_TEXT_SIZE];
	unsigned lines = count ? 2 : 0;

	for (size_t i = 0; i < count; i++)
		lines += strlen(words_of(list[i], ends)) > PAGE_ENDS ? 2 : 1;
	return lines;
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
			  page->summary->without_addresses, page_plural(page->summary->without_addresses),
			  page->summary->without_addresses == 1 ? "is" : "are");
}

void page_conversations(struct page *page)
{
	const struct conversations *all = page->summary->conversations;
	const struct conversation *top[PAGE_TOP], *unanswered[PAGE_UNANSWERED];
	size_t total, unanswered_total;
	size_t count = conversations_rank(all, CONVERSATIONS_BY_BYTES, top, PAGE_TOP, &total);
	size_t unanswered_count =
		conversations_rank(all, CONVERSATIONS_BY_UNANSWERED, unanswered, PAGE_UNANSWERED, &unanswered_total);

	if (count) {
		page_line(page, "%s", "");
		page_line(
			page,
			"CONVERSATIONS: %zu of %zu, those with most bytes. A sent the first SYN, or the first packet.",
			count, total);
		write_head(page);
		write_list(page, top, count);
	}
	if (unanswered_count) {
		page_line(page, "%s", "");
		page_line(page, "SYN NEVER ANSWERED: %zu of %zu, those with most SYNs. B sent no SYN+ACK and no RST.",
			  unanswered_count, unanswered_total);
		write_list(page, unanswered, unanswered_count);
	}
	write_rest(page);
}

unsigned page_conversation_lines(const struct page *page)
{
	const struct conversations *all = page->summary->conversations;
	const struct conversation *list[PAGE_TOP];
	size_t total;
	unsigned lines = list_lines(list, conversations_rank(all, CONVERSATIONS_BY_BYTES, list, PAGE_TOP, &total));

	return 4 + lines +
	       list_lines(list, conversations_rank(all, CONVERSATIONS_BY_UNANSWERED, list, PAGE_UNANSWERED, &total));
}
