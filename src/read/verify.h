/* What came of an archive against what its manifest says. */
#ifndef TARCAP_VERIFY_H
#define TARCAP_VERIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "read/account_match.h"
#include "read/defects.h"
#include "read/match.h"
#include "read/numbering.h"
#include "read/recorder_match.h"
#include "read/roll.h"

#define VERIFY_INTERFACES ACCOUNT_MATCH_INTERFACES /* in a manifest */
#define VERIFY_PARTS 4096			   /* of a manifest */

struct verify;

#define VERIFY_LOSSES 4 /* files with losses that are told one by one */

/* Packets that are accounted for as lost: of an interface, or before a file. */
struct verify_loss {
	char name[ROLL_NAME_SIZE];
	uint64_t packets;
};

/* What is told of a capture that needs no excuse: losses that are accounted for, how it ended, what was asked for. */
struct verify_told {
	uint64_t dropped_by_kernel, dropped_at_stop, dropped_output_failed;
	uint64_t link_type,
		snapshot_length;    /* of the first interface, as files have them; 0, 0 when it tells nothing */
	char interface[64];	    /* its name */
	bool pcapng;		    /* its files are */
	char cause[40], detail[80]; /* "" when it tells nothing */

	/* By file, also from parts of the manifest: those with most, most first. In all: */
	struct verify_loss losses[VERIFY_LOSSES];
	uint64_t lossy_files, lost_before_files;

	uint64_t reordered; /* files in another order than they were written in; that is no damage */
	char first_reordered[ROLL_NAME_SIZE];

	struct verify_loss interfaces[VERIFY_INTERFACES]; /* by interface, also those that lost nothing */
	size_t interface_count;

	/* From capture.json; "" when it tells nothing. Longer ones are cut. */
	char name[80], filter[240], reason[240];
	const char *request_unread; /* why it could not be read, or NULL */

	struct recorder_told recorder; /* from a manifest of version 2, after verify_event() */
};

/* Packets lost in all. As all sums of what a manifest says: at most INT64_MAX, whatever it says. */
uint64_t verify_lost(const struct verify_told *told);

/* NULL when there is no memory. */
struct verify *verify_open(struct err *err);
void verify_close(struct verify *verify);

/* As match_begin() and match_end(). */
uint64_t verify_begin(struct verify *verify, const char *name);
void verify_end(struct verify *verify, const struct match_file *file);

/* A member of the context has come, to its last byte. */
void verify_context(struct verify *verify, const char *name, uint64_t size);

/*
 * A manifest: number 0 is manifest.json, others are parts. A size above MANIFEST_READ_TEXT_MAX is refused; then text is
 * not looked at.
 */
void verify_manifest(struct verify *verify, uint64_t number, const char *text, size_t size);

/* A file of packets of that series has a header that says so. */
void verify_header(struct verify *verify, const char *series, uint32_t link_type, uint32_t snapshot_length);

/* A capture.json begins. */
void verify_request_begin(struct verify *verify);

/* capture.json, of whatever size; no text is a wrong one. */
void verify_request(struct verify *verify, const char *text, size_t size);

/* Have manifest.json and all that it lists come? Else more is to come, or something is missing. */
bool verify_complete(const struct verify *verify);

/* An interface's counters, as manifest.json tells them; false when it does not tell of that series of files. */
bool verify_counters(const struct verify *verify, const char *series, uint64_t *received, uint64_t *dropped);

/* Is it, by its capture.json, one of which the manifest may tell an event? */
bool verify_is_recorders(const struct verify *verify);

/* The archive is over: settle what is still open. */
void verify_finish(struct verify *verify);

/* And all its packets have their place in the output, as far as numbering (which may be NULL) tells. */
void verify_event(struct verify *verify, const struct numbering *numbering);

/* What was found; others may note theirs. */
struct defects *verify_defects(struct verify *verify);
const struct verify_told *verify_told(const struct verify *verify);

#endif
