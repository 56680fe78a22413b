#include "summary/page.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "format/naming.h"

#define LABEL 11       /* columns before a fact */
#define FACT_LINES 4   /* of one, at most */
#define TEXT_SIZE 1024 /* of one, at most */
#define LINES 60       /* of the page, about: the histogram gets what the others leave */
#define ROWS_MIN 12    /* of the histogram, where that is too little */
#define ROWS_MAX 30
#define PROTOCOLS 6
#define INTERFACES 4
#define ENDS 50 /* columns for who talks with whom; what is longer has a line of its own */
#define BAR 40

struct page {
	const struct summary *summary;
	struct output *output;
	struct err *err;
	unsigned lines;
};

/* --- lines --- */

/* Without spaces at the end, and no longer than a line may be. */
static void put_line(struct page *page, const char *text, size_t length)
{
	char clean[PAGE_COLUMNS + 1];

	while (length > 0 && text[length - 1] == ' ')
		length--;
	if (length > PAGE_COLUMNS)
		length = PAGE_COLUMNS;
	for (size_t i = 0; i < length; i++)
		clean[i] = page_clean(text[i]);
	clean[length] = '\n';
	output_put(page->output, clean, length + 1, page->err);
	page->lines++;
}

__attribute__((format(printf, 2, 3))) static void line(struct page *page, const char *format, ...)
{
	char text[TEXT_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	put_line(page, text, strlen(text));
}

/* How much of text fits into room columns, broken at a space where there is one. */
static size_t fitting(const char *text, size_t room)
{
	size_t length = strlen(text), at = room;

	if (length <= room)
		return length;
	while (at > room / 2 && text[at] != ' ')
		at--;
	return text[at] == ' ' ? at : room;
}

/* A label and what is to be said, over several lines if it takes them. */
__attribute__((format(printf, 3, 4))) static void fact(struct page *page, const char *label, const char *format, ...)
{
	char text[TEXT_SIZE], *rest = text;
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	for (int i = 0; i < FACT_LINES && (i == 0 || *rest); i++) {
		size_t length = fitting(rest, PAGE_COLUMNS - LABEL);
		bool cut = i == FACT_LINES - 1 && rest[length];

		if (cut)
			length = PAGE_COLUMNS - LABEL - 4;
		line(page, "%-*s%.*s%s", LABEL, i ? "" : label, (int)length, rest, cut ? " ..." : "");
		rest += length;
		rest += *rest == ' ';
	}
}

/* --- words and numbers --- */

char *page_number(uint64_t value, char text[PAGE_NUMBER_SIZE])
{
	static const char units[] = "kMGTPE";
	uint64_t unit = 1000;
	int i = 0;

	if (value < 100000) {
		snprintf(text, PAGE_NUMBER_SIZE, "%" PRIu64, value);
		return text;
	}
	while (value / unit >= 1000) {
		unit *= 1000;
		i++;
	}
	if (value / unit >= 100)
		snprintf(text, PAGE_NUMBER_SIZE, "%" PRIu64 "%c", value / unit, units[i]);
	else if (value / unit >= 10)
		snprintf(text, PAGE_NUMBER_SIZE, "%" PRIu64 ".%d%c", value / unit, (int)(value / (unit / 10) % 10),
			 units[i]);
	else
		snprintf(text, PAGE_NUMBER_SIZE, "%" PRIu64 ".%02d%c", value / unit, (int)(value / (unit / 100) % 100),
			 units[i]);
	return text;
}

char *page_address(const struct conversation *conversation, const struct dissect_end *end, char text[PAGE_END_SIZE])
{
	inet_ntop(conversation->version == 4 ? AF_INET : AF_INET6, end->address, text, PAGE_END_SIZE);
	return text;
}

char *page_end(const struct conversation *conversation, const struct dissect_end *end, char text[PAGE_END_SIZE])
{
	char address[PAGE_END_SIZE];

	page_address(conversation, end, address);
	if (!conversation->ports)
		memcpy(text, address, sizeof(address));
	else if (conversation->version == 4)
		snprintf(text, PAGE_END_SIZE, "%.40s:%d", address, end->port);
	else
		snprintf(text, PAGE_END_SIZE, "[%.46s]:%d", address, end->port);
	return text;
}

/* "2026-11-22 12:20:17.642499" */
static const char *time_text(uint64_t time, char text[CLOCK_TEXT_SIZE])
{
	clock_rfc3339(time, text);
	text[10] = ' ';
	text[26] = '\0';
	return text;
}

/* Seconds since the beginning, in 6 columns or a little more. */
static const char *seconds_text(uint64_t nanoseconds, char text[PAGE_NUMBER_SIZE])
{
	uint64_t seconds = nanoseconds / CLOCK_SECOND, thousandths = nanoseconds / 1000000 % 1000;

	if (seconds < 100)
		snprintf(text, PAGE_NUMBER_SIZE, "%d.%03d", (int)seconds, (int)thousandths);
	else if (seconds < 10000)
		snprintf(text, PAGE_NUMBER_SIZE, "%d.%d", (int)seconds, (int)(thousandths / 100));
	else
		snprintf(text, PAGE_NUMBER_SIZE, "%" PRIu64, seconds);
	return text;
}

static const char *plural(uint64_t count)
{
	return count == 1 ? "" : "s";
}

/* Tenths of a percent. */
static int share(uint64_t part, uint64_t all)
{
	return all ? (int)((double)part * 1000 / (double)all + 0.5) : 0;
}

/* --- facts --- */

static void write_span(struct page *page)
{
	const struct summary *summary = page->summary;
	char first[CLOCK_TEXT_SIZE], last[CLOCK_TEXT_SIZE], span[CLOCK_TEXT_SIZE];

	if (summary->packets == summary->untimed) {
		fact(page, "span", "%s", summary->packets ? "unknown: no packet has a time" : "no packets");
		return;
	}
	clock_seconds(summary->last - summary->first, span);
	span[strlen(span) - 3] = '\0';
	fact(page, "span", "%s to %s UTC, %s s", time_text(summary->first, first), time_text(summary->last, last),
	     span);
	if (summary->untimed)
		fact(page, "", "without %" PRIu64 " packet%s that have no time, or none from 1970 to 2554",
		     summary->untimed, plural(summary->untimed));
}

static void write_amounts(struct page *page)
{
	const struct summary *summary = page->summary;
	const struct protocols *protocols = &summary->protocols;

	if (summary->archive)
		fact(page, "packets", "%" PRIu64 " packet%s in %" PRIu64 " file%s", summary->packets,
		     plural(summary->packets), summary->files, plural(summary->files));
	else
		fact(page, "packets", "%" PRIu64 " packet%s", summary->packets, plural(summary->packets));
	fact(page, "bytes", "%" PRIu64 " on the wire (%" PRIu64 " captured)", summary->bytes, summary->kept);
	if (protocols->tagged.packets || protocols->fragments.packets || protocols->version6.packets)
		fact(page, "of these",
		     "%" PRIu64 " packets of IPv4, %" PRIu64 " of IPv6, %" PRIu64 " with a VLAN tag, %" PRIu64
		     " fragments",
		     protocols->version4.packets, protocols->version6.packets, protocols->tagged.packets,
		     protocols->fragments.packets);
}

/* What the counters of a file of packets say, as far as it has any. */
static void write_counted_loss(struct page *page)
{
	const struct pcapng_read_loss *loss = &page->summary->loss;
	char known[80] = "";

	if (loss->counted < loss->interfaces)
		snprintf(known, sizeof(known), ", which are of %" PRIu64 " of %" PRIu64 " interfaces", loss->counted,
			 loss->interfaces);
	if (loss->counted == 0)
		fact(page, "lost", "unknown: this file of packets does not say");
	else if (loss->packets == 0)
		fact(page, "lost", "nothing, by the file's counters%s", known);
	else
		fact(page, "lost", "%" PRIu64 " packet%s, by the file's counters%s", loss->packets,
		     plural(loss->packets), known);
}

static void write_loss(struct page *page)
{
	const struct verify_told *told = page->summary->told;
	uint64_t lost = verify_lost(told);
	size_t shown = told->lossy_files < VERIFY_LOSSES ? (size_t)told->lossy_files : VERIFY_LOSSES;

	if (!page->summary->archive) {
		write_counted_loss(page);
	} else if (!told->cause[0]) {
		fact(page, "lost", "unknown: the manifest would say");
	} else if (lost == 0) {
		fact(page, "lost", "nothing");
	} else {
		int tenths = share(lost, lost + page->summary->packets);

		fact(page, "lost",
		     "%" PRIu64 " packets (%d.%d %%): %" PRIu64 " dropped by the kernel, %" PRIu64
		     " at the stop, %" PRIu64 " because the output failed",
		     lost, tenths / 10, tenths % 10, told->dropped_by_kernel, told->dropped_at_stop,
		     told->dropped_output_failed);
	}
	for (size_t i = 0; i < shown; i++)
		fact(page, "", "%" PRIu64 " before %s", told->losses[i].packets, told->losses[i].name);
	if (told->lossy_files > shown)
		fact(page, "", "and before %" PRIu64 " more files; %" PRIu64 " before files in all",
		     told->lossy_files - shown, told->lost_before_files);
}

static void write_end(struct page *page)
{
	const struct summary *summary = page->summary;
	const struct verify_told *told = summary->told;
	char sentence[TEXT_SIZE - 40];

	if (told->cause[0])
		fact(page, "ended by", "%s%s%s%s", told->cause, told->detail[0] ? " (" : "", told->detail,
		     told->detail[0] ? ")" : "");
	if (defects_any(summary->defects))
		fact(page, defects_unverified(summary->defects) ? "UNVERIFIED" : "INCOMPLETE", "%s",
		     defects_sentence(summary->defects, sentence, sizeof(sentence)));
	else
		fact(page, "complete", "%s",
		     !summary->archive ? "the file ends with a whole packet"
		     : told->reordered ? "yes (matches the manifest); its files stand in another order than written"
				       : "yes (matches the manifest)");
	if (summary->junk || summary->trailing)
		fact(page, "ignored", "%" PRIu64 " bytes before the archive, %" PRIu64 " behind it", summary->junk,
		     summary->trailing);
}

static void write_request(struct page *page)
{
	const struct verify_told *told = page->summary->told;

	if (told->name[0])
		fact(page, "capture", "%s%s%s", told->name, told->filter[0] ? ", filter: " : ", no filter",
		     told->filter);
	if (told->reason[0])
		fact(page, "reason", "%s", told->reason);
	if (told->request_unread)
		fact(page, "capture", "capture.json cannot be read: %s", told->request_unread);
}

static const struct verify_loss *loss_of(const struct verify_told *told, const char *name)
{
	for (size_t i = 0; i < told->interface_count; i++) {
		if (naming_is_series(name, told->interfaces[i].name))
			return &told->interfaces[i];
	}
	return NULL;
}

static void write_interface(struct page *page, const struct summary_interface *interface)
{
	const struct verify_loss *loss = loss_of(page->summary->told, interface->name);
	const char *name = dissect_link_name(interface->link_type);
	char link[48] = "several link types, which are not looked into", lost[40] = "";

	if (!name && interface->link_type != LINK_SEVERAL)
		snprintf(link, sizeof(link), "link type %" PRIu32 ", which is not looked into", interface->link_type);
	if (loss)
		snprintf(lost, sizeof(lost), ", %" PRIu64 " lost", loss->packets);
	fact(page, "interface", "%s%s%s, %" PRIu64 " packet%s, %" PRIu64 " bytes%s", interface->name,
	     interface->name[0] ? ": " : "", name ? name : link, interface->packets, plural(interface->packets),
	     interface->bytes, lost);
}

static void write_interfaces(struct page *page)
{
	const struct summary *summary = page->summary;
	uint64_t more = summary->interfaces[SUMMARY_INTERFACES].packets;

	for (size_t i = 0; i < summary->interface_count; i++) {
		if (i < INTERFACES)
			write_interface(page, &summary->interfaces[i]);
		else
			more += summary->interfaces[i].packets;
	}
	if (more)
		fact(page, "", "and %" PRIu64 " packets on others: see --json", more);
}

/* --- protocols --- */

static void write_row(struct page *page, const char *name, const struct protocols_count *count)
{
	int packets = share(count->packets, page->summary->packets), bytes = share(count->bytes, page->summary->bytes);

	line(page, "%-*s %12" PRIu64 " %3d.%d %% %18" PRIu64 " %3d.%d %%", PROTOCOLS_NAME_SIZE, name, count->packets,
	     packets / 10, packets % 10, count->bytes, bytes / 10, bytes % 10);
}

static void write_protocols(struct page *page)
{
	static struct protocols_row rows[PROTOCOLS_MAX];
	size_t count = protocols_rows(&page->summary->protocols, rows);
	struct protocols_count rest = {0};

	if (count == 0)
		return;
	line(page, "%s", "");
	line(page, "%-*s %12s %24s", PROTOCOLS_NAME_SIZE, "PROTOCOL", "packets", "bytes");
	for (size_t i = 0; i < count; i++) {
		if (i < PROTOCOLS) {
			write_row(page, rows[i].name, &rows[i].count);
		} else {
			rest.packets += rows[i].count.packets;
			rest.bytes += rows[i].count.bytes;
		}
	}
	if (rest.packets)
		write_row(page, "others (see --json)", &rest);
}

/* --- histogram --- */

/* As much of the time as tells rows of this width apart. */
static void row_time(uint64_t seconds, const struct histogram_view *view, char text[CLOCK_TEXT_SIZE])
{
	bool days = view->start / 86400 != (view->start + view->width * view->rows - 1) / 86400;

	clock_rfc3339(seconds * CLOCK_SECOND, text);
	text[10] = ' ';
	text[view->width < 86400 ? 19 : 10] = '\0';
	if (!days)
		memmove(text, text + 11, sizeof("12:20:17"));
}

static void write_bar(struct page *page, const struct histogram_view *view, size_t i, uint64_t most)
{
	struct histogram_bucket row = histogram_row(&page->summary->histogram, view, i);
	char time[CLOCK_TEXT_SIZE], packets[PAGE_NUMBER_SIZE], bytes[PAGE_NUMBER_SIZE];
	static const char bar[BAR + 1] = "########################################";
	int length = most ? (int)((double)row.bytes * BAR / (double)most + 0.5) : 0;

	row_time(view->start + i * view->width, view, time);
	if (row.packets && length == 0)
		length = 1;
	line(page, "%-19s %12s %12s  %.*s", time, page_number(row.packets, packets), page_number(row.bytes, bytes),
	     length, bar);
}

static void write_histogram(struct page *page, unsigned lines_below)
{
	const struct histogram *histogram = &page->summary->histogram;
	unsigned used = page->lines + 2 + lines_below;
	unsigned max = used + ROWS_MIN > LINES ? ROWS_MIN : used + ROWS_MAX < LINES ? ROWS_MAX : LINES - used;
	struct histogram_view view = histogram_view(histogram, max);
	char head[PAGE_COLUMNS];
	uint64_t most = 0;

	if (view.rows == 0)
		return;
	for (size_t i = 0; i < view.rows; i++) {
		struct histogram_bucket row = histogram_row(histogram, &view, i);

		most = row.bytes > most ? row.bytes : most;
	}
	line(page, "%s", "");
	snprintf(head, sizeof(head), "EVERY %" PRIu64 " s (UTC)", view.width);
	line(page, "%-19s %12s %12s", head, "packets", "bytes");
	for (size_t i = 0; i < view.rows; i++)
		write_bar(page, &view, i, most);
}

/* --- conversations --- */

static char *ends_text(const struct conversation *conversation, char text[3 * PAGE_END_SIZE])
{
	char protocol[PROTOCOLS_NAME_SIZE], a[PAGE_END_SIZE], b[PAGE_END_SIZE];

	snprintf(text, (size_t)3 * PAGE_END_SIZE, "%s %s > %s", protocols_name(conversation->protocol, protocol),
		 page_end(conversation, &conversation->sides[0].end, a),
		 page_end(conversation, &conversation->sides[1].end, b));
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
	char ends[3 * PAGE_END_SIZE], flags[4 * PAGE_NUMBER_SIZE], numbers[6][PAGE_NUMBER_SIZE];
	bool wide = strlen(ends_text(conversation, ends)) > ENDS;

	if (wide)
		line(page, "%s", ends);
	flags_text(conversation, flags);
	line(page, "%-*s %5s %5s %5s %5s %6s %6s %s", ENDS, wide ? "" : ends, page_number(a->packets, numbers[0]),
	     page_number(b->packets, numbers[1]), page_number(a->bytes, numbers[2]), page_number(b->bytes, numbers[3]),
	     seconds_text(since(page, conversation->first), numbers[4]),
	     seconds_text(since(page, conversation->last), numbers[5]), flags);
}

static void write_head(struct page *page)
{
	line(page, "%-*s %11s %11s %13s %s", ENDS, "A > B", "packets", "bytes", "seconds from", "SYN/SYN+ACK");
	line(page, "%-*s %5s %5s %5s %5s %6s %6s %s", ENDS, "", "A>", "<B", "A>", "<B", "first", "to last", "/FIN/RST");
}

static void write_list(struct page *page, const struct conversation **list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		write_conversation(page, list[i]);
}

static unsigned list_lines(const struct conversation **list, size_t count)
{
	char ends[3 * PAGE_END_SIZE];
	unsigned lines = count ? 2 : 0;

	for (size_t i = 0; i < count; i++)
		lines += strlen(ends_text(list[i], ends)) > ENDS ? 2 : 1;
	return lines;
}

/* What is not in the lists, so that nobody takes them for all there is. */
static void write_rest(struct page *page)
{
	uint64_t left_out = conversations_left_out(page->summary->conversations);

	if (left_out)
		line(page,
		     "NOT ATTRIBUTED: %" PRIu64 " packets of further conversations: there is room for %d of these",
		     left_out, CONVERSATIONS_MAX);
	if (page->summary->without_addresses)
		line(page, "%" PRIu64 " packet%s without IP addresses %s in no conversation",
		     page->summary->without_addresses, plural(page->summary->without_addresses),
		     page->summary->without_addresses == 1 ? "is" : "are");
}

static void write_body(struct page *page)
{
	const struct conversations *all = page->summary->conversations;
	const struct conversation *top[PAGE_TOP], *unanswered[PAGE_UNANSWERED];
	size_t total, unanswered_total;
	size_t count = conversations_rank(all, CONVERSATIONS_BY_BYTES, top, PAGE_TOP, &total);
	size_t unanswered_count =
		conversations_rank(all, CONVERSATIONS_BY_UNANSWERED, unanswered, PAGE_UNANSWERED, &unanswered_total);

	write_protocols(page);
	write_histogram(page, list_lines(top, count) + list_lines(unanswered, unanswered_count) + 4);
	if (count) {
		line(page, "%s", "");
		line(page,
		     "CONVERSATIONS: %zu of %zu, those with most bytes. A sent the first SYN, or the first packet.",
		     count, total);
		write_head(page);
		write_list(page, top, count);
	}
	if (unanswered_count) {
		line(page, "%s", "");
		line(page, "SYN NEVER ANSWERED: %zu of %zu, those with most SYNs. B sent no SYN+ACK and no RST.",
		     unanswered_count, unanswered_total);
		write_list(page, unanswered, unanswered_count);
	}
	write_rest(page);
}

int page_write(const struct summary *summary, const char *name, struct output *output, struct err *err)
{
	struct page page = {summary, output, err, 0};

	line(&page, "%.60s: summary of %s", name, summary->archive ? "a tarcap archive" : "a file of packets");
	write_request(&page);
	write_span(&page);
	write_amounts(&page);
	write_interfaces(&page);
	write_loss(&page);
	write_end(&page);
	write_body(&page);
	return err->status ? -1 : 0;
}
