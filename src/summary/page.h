/* A summary as a page to be read by people: plain ASCII, lines of at most 100 columns, times in UTC. */
#ifndef TARCAP_PAGE_H
#define TARCAP_PAGE_H

#include "base/err.h"
#include "read/output.h"
#include "summary/summary.h"

#define PAGE_COLUMNS 100
#define PAGE_TOP 20	 /* conversations */
#define PAGE_LISTED 1000 /* of them in JSON */
#define PAGE_NUMBER_SIZE 24

/* What an archive or a command line says may hold anything: what is no printable ASCII becomes '?'. */
static inline char page_clean(char c)
{
	return (char)(c < ' ' || c > '~' ? '?' : c);
}

/* name: of the file, for the page's first line. -1 with *err when it could not be written; it is not flushed. */
int page_write(const struct summary *summary, const char *name, struct output *output, struct err *err);

/* The same for machines, as one JSON object (page_json.c). */
int page_write_json(const struct summary *summary, const char *name, struct output *output, struct err *err);

/* At most 5 columns: whole up to 99999, then thousands, "123k", "1.23M". Returns text. */
char *page_number(uint64_t value, char text[PAGE_NUMBER_SIZE]);

#endif
