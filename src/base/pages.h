/* Memory for what is in packets: whole pages, zeros, which are in no core dump. */
#ifndef TARCAP_PAGES_H
#define TARCAP_PAGES_H

#include <stddef.h>

/* NULL, with errno, when there is no such memory. The caller gives it back, with the same size. */
void *pages_take(size_t size);

/* Take no more of it than is used, also where the kernel would give more at once: MADV_NOHUGEPAGE in madvise(2). */
void pages_keep_small(void *memory, size_t size);

/* What is in these whole pages is not needed any more, and they cost nothing until they are used again. */
void pages_forget(void *memory, size_t size);

/* NULL is nothing to give back. */
void pages_give(void *memory, size_t size);

#endif
