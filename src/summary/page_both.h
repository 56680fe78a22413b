/* Several captures' page: what only both of two can tell, and then the findings of each. */
#ifndef TARCAP_PAGE_BOTH_H
#define TARCAP_PAGE_BOTH_H

#include <stddef.h>

#include "base/err.h"
#include "read/output.h"
#include "summary/between.h"
#include "summary/summary.h"

struct page_both {
	size_t count;				/* of archives */
	const struct summary *const *summaries; /* of each, */
	const char *const *names;		/* and what they are called */
	const struct betweens *betweens;
	const struct findings *findings; /* of all together */
};

/* As page_write() and page_write_json(). */
int page_both_write(const struct page_both *both, struct output *output, struct err *err);
int page_both_write_json(const struct page_both *both, struct output *output, struct err *err);

#endif
