/* The text of a manifest, of a part of one, or of capture.json, as it is read back. Nothing in it is trusted. */
#ifndef TARCAP_LISTING_H
#define TARCAP_LISTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

#define LISTING_TEXT_MAX ((size_t)4 << 20)    /* bytes; manifest.c writes less */
#define LISTING_VALUES_MAX 65536	      /* in it; a full table of files has 40,000 */
#define LISTING_MEMORY_MAX ((size_t)64 << 20) /* bytes that parsing may take */

struct listing;

/* Texts are the listing's, and valid until it is closed; "" where there is none. */
struct listing_file {
	const char *name, *interface;
	uint64_t packets, bytes, stored_bytes;
	uint64_t dropped;	  /* packets that the kernel dropped before it */
	const char *first, *last; /* RFC 3339 */
};

struct listing_account {
	const char *name;
	uint64_t received, written, dropped_by_kernel, dropped_at_stop, dropped_output_failed, after_limit,
		filtered_in_user_space;
	uint64_t dropped_reader_slow;	     /* of those dropped by the kernel */
	uint64_t dropped_before_no_file;     /* of these, too; UINT64_MAX where it is not told */
	uint64_t link_type, snapshot_length; /* the first as files have it */
};

struct listing_context {
	const char *name;
	bool left_out;
	uint64_t bytes, stored_bytes;
};

struct listing_summary {
	uint64_t files, packets, bytes, parts;
	const char *cause, *detail;
	const char *format; /* of the files; "" where it is not told */
	bool left_out_told; /* these are: */
	uint64_t left_out;  /* interfaces that were not captured */
	size_t named;	    /* of these, by name */
};

enum listing_kind { LISTING_CAPTURE, LISTING_MANIFEST };

#define LISTING_SHARED 9

/* What both kinds tell: a number for the value of each field, 0 where there is none. */
struct listing_shared {
	uint64_t values[LISTING_SHARED];
};

/* What capture.json tells; "" for what it does not. */
struct listing_request {
	const char *name, *filter, *reason;
};

/*
 * To be called while files can still be opened: jansson reads a number from /dev/urandom, so that nobody can know which
 * names would all come into one chain of its tables. Else it makes do with the time.
 */
void listing_prepare(void);

/* NULL with a short reason in *reason when it is no manifest: no JSON, or too large. */
struct listing *listing_open(const char *text, size_t size, const char **reason);
void listing_close(struct listing *listing);

/* What its fields say. version is 0 and part is UINT64_MAX when they are no numbers; part is 0 in manifest.json. */
uint64_t listing_version(const struct listing *listing);
uint64_t listing_part(const struct listing *listing);

size_t listing_files(const struct listing *listing);
size_t listing_accounts(const struct listing *listing);
size_t listing_contexts(const struct listing *listing);

/* The name of the same interface, also as capture.json has it; NULL when it has none. */
const char *listing_interface(const struct listing *listing, size_t i);

/* False when a field is missing or of another type. */
bool listing_file(const struct listing *listing, size_t i, struct listing_file *file);
bool listing_account(const struct listing *listing, size_t i, struct listing_account *account);
bool listing_context(const struct listing *listing, size_t i, struct listing_context *context);
bool listing_summary(const struct listing *listing, struct listing_summary *summary);
void listing_request(const struct listing *listing, struct listing_request *request);

/* Of capture.json: its version, 0 when that is no number; is there what says who has captured? */
uint64_t listing_request_version(const struct listing *listing);
bool listing_request_whole(const struct listing *listing);

void listing_shared(const struct listing *listing, enum listing_kind kind, struct listing_shared *shared);

/* What the fields are called, for a sentence. */
const char *listing_shared_name(int i);

#endif
