/* Memory for tables that are looked into all over: zeros, on large pages where there are any. */
#ifndef TARCAP_LARGE_H
#define TARCAP_LARGE_H

#include <stddef.h>

#include "base/err.h"

struct large {
	void *at;    /* what it is for; begins with a line of the cache */
	void *whole; /* to be freed */
};

/*
 * Untouched pages cost nothing, but 2 MiB are touched at once: madvise(2), MADV_HUGEPAGE. -1 when there is no memory
 * for what, with *err set.
 */
int large_open(struct large *large, size_t size, const char *what, struct err *err);
void large_close(struct large *large);

#endif
