/* What the kernel counted meanwhile, on the page and in JSON. */
#ifndef TARCAP_PAGE_KERNEL_H
#define TARCAP_PAGE_KERNEL_H

#include "base/json.h"
#include "summary/kernel_counters.h"
#include "summary/page_text.h"

void page_kernel(struct page *page);

/* null where the archive does not tell. */
json_t *page_kernel_json(const struct kernel_counters *counters);

#endif
