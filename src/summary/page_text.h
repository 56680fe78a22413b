/* A page as it is written: lines, facts, numbers and times as text. For the parts of the page alone. */
#ifndef TARCAP_PAGE_TEXT_H
#define TARCAP_PAGE_TEXT_H

#include <stdint.h>

#include "base/clock.h"
#include "summary/page.h"

#define PAGE_LABEL 11 /* columns before a fact */
#define PAGE_LINES 60 /* of the page, at most: the histogram gets what the others leave */

struct page {
	const struct summary *summary;
	struct output *output;
	struct err *err;
	unsigned lines;
};

/* A line, without spaces at its end, and no longer than one may be. */
void page_line(struct page *page, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A label and what is to be said, over several lines if it takes them. */
void page_fact(struct page *page, const char *label, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* "2026-11-22 12:20:17.642499" */
const char *page_time(uint64_t time, char text[CLOCK_TEXT_SIZE]);

/* Seconds since the beginning, in 6 columns or a little more. */
const char *page_seconds(uint64_t nanoseconds, char text[PAGE_NUMBER_SIZE]);

/* Tenths of a percent. */
int page_share(uint64_t part, uint64_t all);

/* --- the parts, from the top (page_findings.c, page_traffic.c, page_servers.c) --- */

void page_findings(struct page *page);

/* How a finding is seen in Wireshark, and what to look at next. */
void page_advice(struct page *page, const struct finding *finding);

/* DNS names, HTTP status codes, ICMP errors (page_names.c): a few lines, and none where there is nothing of it. */
void page_names(struct page *page);

void page_protocols(struct page *page);

/* Lines that the histogram takes if it may have most: fewer where little time has gone by. */
unsigned page_histogram_lines(const struct page *page, unsigned most);

/* lines_below: how many lines come behind it. */
void page_histogram(struct page *page, unsigned lines_below);

/* The histogram in the lines that the lists leave, and those: who talked with whom. */
void page_lists(struct page *page);

#endif
