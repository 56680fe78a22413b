/* Between the files that make the JSON of a summary. */
#ifndef TARCAP_PAGE_JSON_H
#define TARCAP_PAGE_JSON_H

#include "base/json.h"
#include "read/output.h"
#include "summary/summary.h"

/* Put the members "dns", "http" and "icmp" into *root (page_json_names.c). */
void page_json_names(json_t **root, const struct summary *summary);

/* null: there are none. */
json_t *page_json_durations(const struct durations *durations);

/* A finding, and where in its capture it was seen first. */
json_t *page_json_finding(const struct summary *summary, const struct finding *finding);

/* A whole summary. name: of the file. */
json_t *page_json_summary(const struct summary *summary, const char *name);

/* Write it, and let it go; NULL stands for no memory. */
int page_json_put(json_t *root, struct output *output, struct err *err);

#endif
