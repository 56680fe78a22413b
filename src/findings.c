#include "findings.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define TAIL_SIZE 40 /* of ", and N more kinds of damage" */

void findings_note(struct findings *findings, enum finding kind, const char *format, ...)
{
	va_list args;

	if (findings->of[kind].count++ > 0)
		return;
	va_start(args, format);
	vsnprintf(findings->of[kind].first, FINDINGS_CLAUSE_SIZE, format, args);
	va_end(args);
}

bool findings_any(const struct findings *findings)
{
	for (int kind = 0; kind < FINDINGS; kind++) {
		if (findings->of[kind].count)
			return true;
	}
	return false;
}

bool findings_unverified(const struct findings *findings)
{
	bool found = false;

	for (int kind = 0; kind < FINDINGS; kind++) {
		if (findings->of[kind].count && kind != FINDING_VERSION && kind != FINDING_OVERFLOW)
			return false;
		found |= findings->of[kind].count > 0;
	}
	return found;
}

static size_t clause(const struct findings *findings, int kind, char text[FINDINGS_CLAUSE_SIZE + 40])
{
	uint64_t more = findings->of[kind].count - 1;
	int length = snprintf(text, FINDINGS_CLAUSE_SIZE + 40, "%s", findings->of[kind].first);

	if (more)
		length += snprintf(text + length, 40, " (and %" PRIu64 " more)", more);
	return (size_t)length;
}

char *findings_sentence(const struct findings *findings, char *text, size_t size)
{
	size_t used = 0;
	int left_out = 0;

	text[0] = '\0';
	for (int kind = 0; kind < FINDINGS; kind++) {
		char one[FINDINGS_CLAUSE_SIZE + 40];
		const char *comma = used ? ", " : "";

		if (!findings->of[kind].count)
			continue;
		if (used + strlen(comma) + clause(findings, kind, one) + TAIL_SIZE < size)
			used += (size_t)snprintf(text + used, size - used, "%s%s", comma, one);
		else
			left_out++;
	}
	if (left_out)
		snprintf(text + used, size - used, ", and %d more kind%s of damage", left_out,
			 left_out == 1 ? "" : "s");
	return text;
}
