/* What is missing or wrong in an archive, collected into one sentence. */
#ifndef TARCAP_FINDINGS_H
#define TARCAP_FINDINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In the order in which they are said. */
enum finding {
	FINDING_CUT,
	FINDING_NO_MANIFEST,
	FINDING_VERSION,
	FINDING_BAD_MANIFEST,
	FINDING_NO_PART,
	FINDING_REQUEST,
	FINDING_BYTES,
	FINDING_DAMAGED,
	FINDING_PASSED,
	FINDING_MISSING,
	FINDING_UNLISTED,
	FINDING_DIFFERENT,
	FINDING_HEADER,
	FINDING_TWICE,
	FINDING_TOTALS,
	FINDING_ACCOUNT,
	FINDING_OVERFLOW,
	FINDINGS,
};

#define FINDINGS_CLAUSE_SIZE 160

struct findings {
	struct {
		uint64_t count;
		char first[FINDINGS_CLAUSE_SIZE];
	} of[FINDINGS];
};

/* One more of a kind. The clause says all of it, "x.pcap is missing"; the first of each kind is kept. */
void findings_note(struct findings *findings, enum finding kind, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

bool findings_any(const struct findings *findings);

/* Is nothing known to be wrong, but not all could be compared (FINDING_VERSION, FINDING_OVERFLOW)? */
bool findings_unverified(const struct findings *findings);

/*
 * "it is cut inside x.pcap, manifest.json is missing, y.pcap is damaged after 3 packets (and 2 more)". What does not
 * fit into size is left out, and its number said. Returns text.
 */
char *findings_sentence(const struct findings *findings, char *text, size_t size);

#endif
