/* What came of an archive against what its manifest says. */
#ifndef TARCAP_VERIFY_H
#define TARCAP_VERIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "findings.h"
#include "match.h"

#define VERIFY_INTERFACES 256 /* in a manifest */
#define VERIFY_PARTS 4096     /* of a manifest */

struct verify;

/* What manifest.json tells of a capture that needs no excuse: losses that are accounted for, and how it ended. */
struct verify_told {
	uint64_t dropped_by_kernel, dropped_at_stop, dropped_output_failed;
	uint64_t link_type, snapshot_length; /* of the first interface; 0, 0 when it tells nothing */
	char cause[40], detail[80];	     /* "" when it tells nothing */
};

/* NULL when there is no memory. */
struct verify *verify_open(struct err *err);
void verify_close(struct verify *verify);

/* As match_begin() and match_end(). */
uint64_t verify_begin(struct verify *verify, const char *name);
void verify_end(struct verify *verify, const struct match_file *file);

/*
 * A manifest: number 0 is manifest.json, others are parts. A size above LISTING_TEXT_MAX is refused; then text is not
 * looked at.
 */
void verify_manifest(struct verify *verify, uint64_t number, const char *text, size_t size);

/* Has manifest.json come? */
bool verify_has_manifest(const struct verify *verify);

/* The archive is over: settle what is still open. */
void verify_finish(struct verify *verify);

/* What was found; others may note theirs. */
struct findings *verify_findings(struct verify *verify);
const struct verify_told *verify_told(const struct verify *verify);

#endif
