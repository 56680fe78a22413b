#include "request_match.h"

#include <inttypes.h>

#include "manifest.h"

void request_match_begin(struct request_match *match, struct findings *findings)
{
	if (++match->came > 1)
		findings_note(findings, FINDING_TWICE, "capture.json came twice");
}

static void damaged(struct findings *findings, const char *why)
{
	findings_note(findings, FINDING_REQUEST, "capture.json is damaged (%s)", why);
}

void request_match_asked(struct request_match *match, struct findings *findings, const struct listing *listing,
			 const char *reason)
{
	uint64_t version = listing ? listing_request_version(listing) : 0;

	if (!listing)
		damaged(findings, reason);
	else if (version == 0)
		damaged(findings, "no version");
	else if (version != MANIFEST_VERSION)
		findings_note(findings, FINDING_VERSION,
			      "capture.json was written by another version of tarcap (%" PRIu64 ", here %d)", version,
			      MANIFEST_VERSION);
	else if (!listing_request_whole(listing))
		damaged(findings, "a field is missing");
	else if (!match->asked_read) {
		listing_shared(listing, LISTING_CAPTURE, &match->asked);
		match->asked_read = true;
	}
}

void request_match_told(struct request_match *match, const struct listing *listing)
{
	listing_shared(listing, LISTING_MANIFEST, &match->told);
	match->told_read = true;
}

void request_match_finish(const struct request_match *match, struct findings *findings)
{
	if (match->came == 0)
		findings_note(findings, FINDING_REQUEST, "capture.json is missing");
	for (int i = 0; i < LISTING_SHARED && match->asked_read && match->told_read; i++) {
		uint64_t asked = match->asked.values[i], told = match->told.values[i];

		if (asked && told && asked != told)
			findings_note(findings, FINDING_REQUEST, "capture.json and manifest.json differ in %s",
				      listing_shared_name(i));
	}
}
