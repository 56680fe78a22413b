/* The two JSON members: capture.json, what was asked for, and manifest.json, what came of it. */
#ifndef TARCAP_MANIFEST_H
#define TARCAP_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "archive/context.h"
#include "base/account.h"
#include "base/err.h"
#include "base/json.h"
#include "capture/capture_set.h"
#include "capture/pool.h"
#include "format/manifest_layout.h"
#include "request/options.h"

#define MANIFEST_FILES 4096   /* then a part is written and the table restarts */
#define MANIFEST_NAME_SIZE 80 /* of a member, without the archive's prefix, with the end */

/* What does not change during a capture. Pointers stay the caller's. */
struct manifest_setup {
	const struct options *options;
	const struct capture_set *captures;
	const struct pool *pool;
	const struct context *context; /* NULL: there is none */
	/*
	 * Of a recorder in another process, whose archive this is: its capture.json, which has all that it was asked
	 * for and where; and when its account began, ns since the epoch. NULL, and 0: it is our own.
	 */
	json_t *told;
	uint64_t told_started;
	bool told_live; /* and it goes on */
};

struct manifest;

/* All memory for MANIFEST_FILES files and their text is taken here (pages cost nothing until used). */
MUST_CHECK struct manifest *manifest_open(const struct manifest_setup *setup, struct err *err);
void manifest_close(struct manifest *manifest);

/* What is in the archive, as its manifest says at the end. */
struct manifest_totals {
	uint64_t files, packets, bytes;
};

struct manifest_totals manifest_totals(const struct manifest *manifest);

/* Bytes of memory taken. */
size_t manifest_memory(void);

/*
 * "eth0_00001_20261122084500.pcap" or .pcapng, by dumpcap's pattern; the time is the earliest packet's, UTC. Compressed
 * (stored is less than used), with ".zst" behind it. Returns name.
 */
char *manifest_file_name(const struct segment *segment, char name[MANIFEST_NAME_SIZE]);

/* Enter a file; the table must not be full. */
void manifest_add(struct manifest *manifest, const struct segment *segment);

/* Take the last file out again: it was not sent after all. */
void manifest_take_back(struct manifest *manifest, const struct segment *segment);

/*
 * Take the last file out again: it is cut off, its series has given it up. False when the table is empty; else its
 * packets and stored bytes.
 */
MUST_CHECK bool manifest_cut_last(struct manifest *manifest, uint64_t *packets, uint64_t *stored);

/* The last part was not sent after all: its files are in the table again. */
void manifest_take_back_part(struct manifest *manifest);
bool manifest_full(const struct manifest *manifest);

/* From the first to the last packet of the files so far, ns since the epoch. */
struct manifest_window {
	bool any; /* there are some */
	uint64_t from, to;
};
struct manifest_window manifest_window(const struct manifest *manifest);

/*
 * The members' texts. Each uses the one text buffer: it is valid until the next of these calls.
 * part: the files so far as manifest_NNNNN.json, whose name is put into name; the table then restarts.
 */
MUST_CHECK int manifest_capture_text(struct manifest *manifest, const char **text, size_t *size, struct err *err);
MUST_CHECK int manifest_part_text(struct manifest *manifest, char name[MANIFEST_NAME_SIZE], const char **text,
				  size_t *size, struct err *err);
MUST_CHECK int manifest_text(struct manifest *manifest, enum cause cause, const char *detail, const char **text,
			     size_t *size, struct err *err);

#endif
