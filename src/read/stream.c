#include "read/stream.h"

void stream_note(const struct members *members, const char *latest, const struct input *input, struct defects *defects)
{
	const char *places = members->gaps == 1 ? "1 place" : "several places";

	if (members->gaps && members->skipped)
		defects_note(defects, DEFECT_BYTES, "%llu bytes are damaged at %s",
			     (unsigned long long)members->skipped, places);
	else if (members->gaps)
		defects_note(defects, DEFECT_BYTES, "bytes are missing at %s", places);
	if (!members->ended && !defects->of[DEFECT_CUT].count)
		defects_note(defects, DEFECT_CUT, "it is cut after %s", latest[0] ? latest : "its beginning");
	if (input_damage(input))
		defects_note(defects, DEFECT_BYTES, "%s", input_damage(input));
}
