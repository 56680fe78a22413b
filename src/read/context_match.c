#include "read/context_match.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Its place, which may be new; -1 when there are too many. */
static int find(struct context_match *match, struct defects *defects, const char *name)
{
	size_t i = 0;

	while (i < match->count && strncmp(match->members[i].name, name, sizeof(match->members[i].name) - 1) != 0)
		i++;
	if (i == CONTEXT_MATCH_MEMBERS) {
		defects_note(defects, DEFECT_OVERFLOW, "there are too many members of the context to verify");
		return -1;
	}
	if (i == match->count) {
		snprintf(match->members[i].name, sizeof(match->members[i].name), "%s", name);
		match->count++;
	}
	return (int)i;
}

static void compare(struct defects *defects, const char *name, uint64_t came, uint64_t listed)
{
	if (came != listed)
		defects_note(defects, DEFECT_DIFFERENT, "%s has %" PRIu64 " bytes where %" PRIu64 " are listed", name,
			     came, listed);
}

void context_match_came(struct context_match *match, struct defects *defects, const char *name, uint64_t size)
{
	int i = find(match, defects, name);

	if (i < 0)
		return;
	if (match->members[i].came)
		defects_note(defects, DEFECT_TWICE, "%s came twice", name);
	else if (match->members[i].listed)
		compare(defects, name, size, match->members[i].size);
	match->members[i].came = true;
	match->members[i].size = size;
}

void context_match_listed(struct context_match *match, struct defects *defects,
			  const struct manifest_read_context *listed)
{
	const char *name = listed->name;
	uint64_t size = listed->stored_bytes;
	int i = find(match, defects, name);

	if (i < 0)
		return;
	if (listed->bytes != size) /* they are not compressed */
		defects_note(defects, DEFECT_DIFFERENT, "%s is listed with %" PRIu64 " bytes and %" PRIu64 " stored",
			     name, listed->bytes, size);
	if (match->members[i].listed)
		defects_note(defects, DEFECT_DIFFERENT, "%s is listed twice", name);
	else if (match->members[i].came)
		compare(defects, name, match->members[i].size, size);
	match->members[i].listed = true;
	match->members[i].size = size;
}

void context_match_finish(const struct context_match *match, struct defects *defects, bool all_read)
{
	for (size_t i = 0; i < match->count; i++) {
		if (!match->members[i].came)
			defects_note(defects, DEFECT_MISSING, "%s is missing", match->members[i].name);
		else if (!match->members[i].listed && all_read)
			defects_note(defects, DEFECT_UNLISTED, "%s is not in the manifest", match->members[i].name);
	}
}
