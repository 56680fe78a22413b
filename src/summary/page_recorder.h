/* What a recorder's manifest tells, for the page and in its JSON. */
#ifndef TARCAP_PAGE_RECORDER_H
#define TARCAP_PAGE_RECORDER_H

#include "base/json.h"
#include "read/recorder_match.h"
#include "summary/page_text.h"

/* Nothing where the manifest tells nothing of it. */
void page_recorder(struct page *page);

/* The same: members of root. text makes a JSON text of what may hold anything. */
void page_recorder_json(json_t **root, const struct recorder_told *told, json_t *text(const char *));

#endif
