/* Between the files that make the JSON of a summary. */
#ifndef TARCAP_PAGE_JSON_H
#define TARCAP_PAGE_JSON_H

#include "base/json.h"
#include "summary/summary.h"

/* Put the members "dns", "http" and "icmp" into *root (page_json_names.c). */
void page_json_names(json_t **root, const struct summary *summary);

/* null: there are none. */
json_t *page_json_durations(const struct durations *durations);

#endif
