#include "read/defects.h"

#include "request/number.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define TAIL_SIZE 40 /* of ", and N more kinds of damage" */

void defects_note(struct defects *defects, enum defect kind, const char *format, ...)
{
	va_list args;

	if (defects->of[kind].count++ > 0)
		return;
	va_start(args, format);
	vsnprintf(defects->of[kind].first, DEFECTS_CLAUSE_SIZE, format, args);
	va_end(args);
}

bool defects_any(const struct defects *defects)
{
	for (int kind = 0; kind < DEFECTS; kind++) {
		if (defects->of[kind].count)
			return true;
	}
	return false;
}

bool defects_unverified(const struct defects *defects)
{
	bool found = false;

	for (int kind = 0; kind < DEFECTS; kind++) {
		if (defects->of[kind].count && kind != DEFECT_VERSION && kind != DEFECT_OVERFLOW)
			return false;
		found |= defects->of[kind].count > 0;
	}
	return found;
}

static size_t clause(const struct defects *defects, int kind, char text[DEFECTS_CLAUSE_SIZE + 40])
{
	uint64_t more = defects->of[kind].count - 1;
	int length = snprintf(text, DEFECTS_CLAUSE_SIZE + 40, "%s", defects->of[kind].first);

	if (more)
		length += snprintf(text + length, 40, " (and %" PRIu64 " more)", more);
	return (size_t)length;
}

char *defects_sentence(const struct defects *defects, char *text, size_t size)
{
	size_t used = 0;
	unsigned left_out = 0;

	text[0] = '\0';
	for (int kind = 0; kind < DEFECTS; kind++) {
		char one[DEFECTS_CLAUSE_SIZE + 40];
		const char *comma = used ? ", " : "";

		if (!defects->of[kind].count)
			continue;
		if (used + strlen(comma) + clause(defects, kind, one) + TAIL_SIZE < size)
			used += (size_t)snprintf(text + used, size - used, "%s%s", comma, one);
		else
			left_out++;
	}
	if (left_out)
		snprintf(text + used, size - used, ", and %u more kind%s of damage", left_out, number_plural(left_out));
	return text;
}
