/* Memory for what is in packets: whole pages, zeros, which are in no core dump. */
#ifndef TARCAP_PAGES_H
#define TARCAP_PAGES_H

#include <stddef.h>

/* NULL, with errno, when there is no such memory. The caller gives it back, with the same size. */
void *pages_take(size_t size);

/* NULL is nothing to give back. */
void pages_give(void *memory, size_t size);

#endif
