#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "summary/page_text.h"

#define ROWS_MIN 6 /* of the histogram, where what is left is too little */
#define ROWS_MAX 30
#define HISTOGRAM_HEAD 2 /* lines */
#define PROTOCOLS 4
#define BAR 40

/* --- protocols --- */

static void write_row(struct page *page, const char *name, const struct protocols_count *count)
{
	int packets = page_share(count->packets, page->summary->packets),
	    bytes = page_share(count->bytes, page->summary->bytes);

	page_line(page, "%-*s %12" PRIu64 " %3d.%d %% %18" PRIu64 " %3d.%d %%", PROTOCOLS_NAME_SIZE, name,
		  count->packets, packets / 10, packets % 10, count->bytes, bytes / 10, bytes % 10);
}

void page_protocols(struct page *page)
{
	static struct protocols_row rows[PROTOCOLS_MAX];
	size_t count = protocols_rows(&page->summary->protocols, rows);
	struct protocols_count rest = {0};

	if (count == 0)
		return;
	page_line(page, "%s", "");
	page_line(page, "%-*s %12s %24s", PROTOCOLS_NAME_SIZE, "PROTOCOL", "packets", "bytes");
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
	page_line(page, "%-19s %12s %12s  %.*s", time, page_number(row.packets, packets), page_number(row.bytes, bytes),
		  length, bar);
}

unsigned page_histogram_lines(const struct page *page, unsigned most)
{
	size_t rows = histogram_view(&page->summary->histogram, most - HISTOGRAM_HEAD).rows;

	return rows ? (unsigned)rows + HISTOGRAM_HEAD : 0;
}

void page_histogram(struct page *page, unsigned lines_below)
{
	const struct histogram *histogram = &page->summary->histogram;
	unsigned used = page->lines + HISTOGRAM_HEAD + lines_below;
	unsigned max = used + ROWS_MIN > PAGE_LINES - 1	  ? ROWS_MIN
		       : used + ROWS_MAX < PAGE_LINES - 1 ? ROWS_MAX
							  : PAGE_LINES - 1 - used;
	struct histogram_view view = histogram_view(histogram, max);
	char head[PAGE_COLUMNS];
	uint64_t most = 0;

	if (view.rows == 0)
		return;
	for (size_t i = 0; i < view.rows; i++) {
		struct histogram_bucket row = histogram_row(histogram, &view, i);

		most = row.bytes > most ? row.bytes : most;
	}
	page_line(page, "%s", "");
	snprintf(head, sizeof(head), "EVERY %" PRIu64 " s (UTC)", view.width);
	page_line(page, "%-19s %12s %12s", head, "packets", "bytes");
	for (size_t i = 0; i < view.rows; i++)
		write_bar(page, &view, i, most);
}
