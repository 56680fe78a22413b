#include "read/request_match.h"

#include <inttypes.h>

#include "format/manifest_layout.h"

void request_match_begin(struct request_match *match, struct defects *defects)
{
	if (++match->came > 1)
		defects_note(defects, DEFECT_TWICE, "capture.json came twice");
}

static void damaged(struct defects *defects, const char *why)
{
	defects_note(defects, DEFECT_REQUEST, "capture.json is damaged (%s)", why);
}

void request_match_asked(struct request_match *match, struct defects *defects, const struct manifest_read *listing,
			 const char *reason)
{
	uint64_t version = listing ? manifest_read_request_version(listing) : 0;

	match->version = version;
	if (!listing)
		damaged(defects, reason);
	else if (version == 0)
		damaged(defects, "no version");
	else if (version > MANIFEST_VERSION_RECORDER)
		defects_note(defects, DEFECT_VERSION,
			     "capture.json was written by another version of tarcap (%" PRIu64 ", here %d)", version,
			     MANIFEST_VERSION_RECORDER);
	else if (!manifest_read_request_whole(listing))
		damaged(defects, "a field is missing");
	else if (!match->asked_read) {
		manifest_read_shared(listing, MANIFEST_READ_CAPTURE, &match->asked);
		match->asked_read = true;
	}
}

void request_match_told(struct request_match *match, const struct manifest_read *listing)
{
	manifest_read_shared(listing, MANIFEST_READ_MANIFEST, &match->told);
	match->told_read = true;
}

void request_match_finish(const struct request_match *match, struct defects *defects)
{
	if (match->came == 0)
		defects_note(defects, DEFECT_REQUEST, "capture.json is missing");
	for (int i = 0; i < MANIFEST_READ_SHARED && match->asked_read && match->told_read; i++) {
		uint64_t asked = match->asked.values[i], told = match->told.values[i];

		if (asked && told && asked != told)
			defects_note(defects, DEFECT_REQUEST, "capture.json and manifest.json differ in %s",
				     manifest_read_shared_name(i));
	}
}
