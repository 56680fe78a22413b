#include "summary/page_text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define FACT_LINES 3   /* of one, at most */
#define TEXT_SIZE 1024 /* of one, at most */

/* --- lines --- */

static const char more[] = "... there is more: see --json";

/* Without spaces at the end, and no longer than a line may be; the last that there may be says so. */
static void put_line(struct page *page, const char *text, size_t length)
{
	char clean[PAGE_COLUMNS + 1];

	if (page->lines == PAGE_LINES)
		return;
	if (page->lines == PAGE_LINES - 1) {
		text = more;
		length = strlen(more);
	}
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

void page_line(struct page *page, const char *format, ...)
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
void page_fact(struct page *page, const char *label, const char *format, ...)
{
	char text[TEXT_SIZE], *rest = text;
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	for (int i = 0; i < FACT_LINES && (i == 0 || *rest); i++) {
		size_t length = fitting(rest, PAGE_COLUMNS - PAGE_LABEL);
		bool cut = i == FACT_LINES - 1 && rest[length];

		if (cut)
			length = PAGE_COLUMNS - PAGE_LABEL - 4;
		page_line(page, "%-*s%.*s%s", PAGE_LABEL, i ? "" : label, (int)length, rest, cut ? " ..." : "");
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

const char *page_time(uint64_t time, char text[CLOCK_TEXT_SIZE])
{
	clock_rfc3339(time, text);
	text[10] = ' ';
	text[26] = '\0';
	return text;
}

const char *page_seconds(uint64_t nanoseconds, char text[PAGE_NUMBER_SIZE])
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

int page_share(uint64_t part, uint64_t all)
{
	return all ? (int)((double)part * 1000 / (double)all + 0.5) : 0;
}
