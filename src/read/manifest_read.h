/* The text of a manifest, of a part of one, or of capture.json, as it is read back. Nothing in it is trusted. */
#ifndef TARCAP_MANIFEST_READ_H
#define TARCAP_MANIFEST_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/account.h"
#include "base/err.h"
#include "base/sizes.h"

#define MANIFEST_READ_TEXT_MAX ((size_t)TABLE_OF(4 * MIB)) /* bytes; manifest.c writes less */
#define MANIFEST_READ_VALUES_MAX 65536			   /* in it; a full table of files has 40,000 */
#define MANIFEST_READ_MEMORY_MAX ((size_t)64 << 20)	   /* bytes that parsing may take */

struct manifest_read;

/* Texts are the listing's, and valid until it is closed; "" where there is none. */
struct manifest_read_file {
	const char *name, *interface;
	uint64_t packets, bytes, stored_bytes;
	uint64_t dropped;	  /* packets that the kernel dropped before it */
	const char *first, *last; /* RFC 3339 */
};

/* What version 2 adds, to the whole and to each interface; what does not apply is not told. */
struct manifest_read_recorder {
	bool overwritten_told, not_yet_stored_told, cut_told;
	struct overwritten overwritten;
	uint64_t not_yet_stored; /* packets */
	struct cut_by_first cut;
};

/* Of the packets in the archive; from is NULL when there are none. */
struct manifest_read_window {
	bool told;
	const char *from, *to;
};

/* what is NULL when no event came. */
struct manifest_read_event {
	bool told;
	uint64_t events; /* with those after the first */
	const char *what, *time, *interface, *member;
	uint64_t packet; /* within the member, from 1; 0 where there is no member */
};

struct manifest_read_account {
	const char *name;
	uint64_t received, written, dropped_by_kernel, dropped_at_stop, dropped_output_failed, after_limit,
		filtered_in_user_space;
	uint64_t dropped_reader_slow;	     /* of those dropped by the kernel */
	uint64_t dropped_before_no_file;     /* of these, too; UINT64_MAX where it is not told */
	uint64_t link_type, snapshot_length; /* the first as files have it */
	struct manifest_read_recorder recorder;
};

struct manifest_read_context {
	const char *name;
	bool left_out;
	uint64_t bytes, stored_bytes;
};

struct manifest_read_summary {
	uint64_t files, packets, bytes, parts;
	const char *cause, *detail;
	const char *format; /* of the files; "" where it is not told */
	bool left_out_told; /* these are: */
	uint64_t left_out;  /* interfaces that were not captured */
	size_t named;	    /* of these, by name */
};

enum manifest_read_kind { MANIFEST_READ_CAPTURE, MANIFEST_READ_MANIFEST };

#define MANIFEST_READ_SHARED 10

/* What both kinds tell: a number for the value of each field, 0 where there is none. */
struct manifest_read_shared {
	uint64_t values[MANIFEST_READ_SHARED];
};

/* What capture.json tells; "" for what it does not. */
struct manifest_read_request {
	const char *name, *filter, *reason;
};

/*
 * To be called while files can still be opened: jansson reads a number from /dev/urandom, so that nobody can know which
 * names would all come into one chain of its tables. Else it makes do with the time.
 */
void manifest_read_prepare(void);

/* NULL with a short reason in *reason when it is no manifest: no JSON, or too large. */
struct manifest_read *manifest_read_open(const char *text, size_t size, const char **reason);
void manifest_read_close(struct manifest_read *listing);

/* What its fields say. version is 0 and part is UINT64_MAX when they are no numbers; part is 0 in manifest.json. */
uint64_t manifest_read_version(const struct manifest_read *listing);
uint64_t manifest_read_part(const struct manifest_read *listing);

size_t manifest_read_files(const struct manifest_read *listing);
size_t manifest_read_accounts(const struct manifest_read *listing);
size_t manifest_read_contexts(const struct manifest_read *listing);

/* The name of the same interface, also as capture.json has it; NULL when it has none. */
const char *manifest_read_interface(const struct manifest_read *listing, size_t i);

/* False when a field is missing or of another type. */
bool manifest_read_file(const struct manifest_read *listing, size_t i, struct manifest_read_file *file);
bool manifest_read_account(const struct manifest_read *listing, size_t i, struct manifest_read_account *account);
bool manifest_read_context(const struct manifest_read *listing, size_t i, struct manifest_read_context *context);
bool manifest_read_summary(const struct manifest_read *listing, struct manifest_read_summary *summary);
bool manifest_read_recorder(const struct manifest_read *listing, struct manifest_read_recorder *recorder);
bool manifest_read_window(const struct manifest_read *listing, struct manifest_read_window *window);
bool manifest_read_event(const struct manifest_read *listing, struct manifest_read_event *event);
void manifest_read_request(const struct manifest_read *listing, struct manifest_read_request *request);

/* Of capture.json: its version, 0 when that is no number; is there what says who has captured? */
uint64_t manifest_read_request_version(const struct manifest_read *listing);
bool manifest_read_request_whole(const struct manifest_read *listing);

void manifest_read_shared(const struct manifest_read *listing, enum manifest_read_kind kind,
			  struct manifest_read_shared *shared);

/* What the fields are called, for a sentence. */
const char *manifest_read_shared_name(int i);

#endif
