/* What is missing or wrong in an archive, collected into one sentence. */
#ifndef TARCAP_DEFECTS_H
#define TARCAP_DEFECTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In the order in which they are said. */
enum defect {
	DEFECT_CUT,
	DEFECT_NO_MANIFEST,
	DEFECT_VERSION,
	DEFECT_BAD_MANIFEST,
	DEFECT_NO_PART,
	DEFECT_REQUEST,
	DEFECT_BYTES,
	DEFECT_DAMAGED,
	DEFECT_PASSED,
	DEFECT_MISSING,
	DEFECT_UNLISTED,
	DEFECT_DIFFERENT,
	DEFECT_HEADER,
	DEFECT_TWICE,
	DEFECT_TOTALS,
	DEFECT_ACCOUNT,
	DEFECT_OVERFLOW,
	DEFECTS,
};

#define DEFECTS_CLAUSE_SIZE 160

struct defects {
	struct {
		uint64_t count;
		char first[DEFECTS_CLAUSE_SIZE];
	} of[DEFECTS];
};

/* One more of a kind. The clause says all of it, "x.pcap is missing"; the first of each kind is kept. */
void defects_note(struct defects *defects, enum defect kind, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

bool defects_any(const struct defects *defects);

/* Is nothing known to be wrong, but not all could be compared (DEFECT_VERSION, DEFECT_OVERFLOW)? */
bool defects_unverified(const struct defects *defects);

/*
 * "it is cut inside x.pcap, manifest.json is missing, y.pcap is damaged after 3 packets (and 2 more)". What does not
 * fit into size is left out, and its number said. Returns text.
 */
char *defects_sentence(const struct defects *defects, char *text, size_t size);

#endif
