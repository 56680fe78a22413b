#include "read/verify.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/manifest_layout.h"
#include "read/manifest_read.h"
#include "read/plus.h"
#include "read/request_match.h"

struct verify {
	struct defects defects;
	struct verify_told told;
	struct match *match;
	struct request_match request;
	struct account_match accounts;
	struct recorder_match recorder;
	uint64_t version; /* of the latest text of the manifest that came; 0: none has */
	uint64_t listed, listed_packets, listed_bytes;
	struct manifest_read_summary summary;  /* its texts are in told */
	bool summary_read, unread;	       /* unread: some text could not be */
	unsigned char parts[VERIFY_PARTS + 1]; /* 0: manifest.json */
};

uint64_t verify_lost(const struct verify_told *told)
{
	return plus(plus(told->dropped_by_kernel, told->dropped_at_stop), told->dropped_output_failed);
}

static uint64_t lost(const struct manifest_read_account *account)
{
	return plus(plus(account->dropped_by_kernel, account->dropped_at_stop), account->dropped_output_failed);
}

struct verify *verify_open(struct err *err)
{
	struct verify *verify = calloc(1, sizeof(*verify));

	if (!verify)
		err_sys(err, ENOMEM, "memory for verifying");
	else if ((verify->match = match_open(&verify->defects, err)))
		return verify;
	free(verify);
	return NULL;
}

void verify_close(struct verify *verify)
{
	if (!verify)
		return;
	match_close(verify->match);
	free(verify);
}

struct defects *verify_defects(struct verify *verify)
{
	return &verify->defects;
}

const struct verify_told *verify_told(const struct verify *verify)
{
	return &verify->told;
}

bool verify_complete(const struct verify *verify)
{
	return verify->parts[0] && match_complete(verify->match);
}

static void overflow(struct verify *verify, const char *what)
{
	defects_note(&verify->defects, DEFECT_OVERFLOW, "there are too many %s to verify", what);
}

uint64_t verify_begin(struct verify *verify, const char *name)
{
	return match_begin(verify->match, name);
}

void verify_end(struct verify *verify, const struct match_file *file)
{
	match_end(verify->match, file);
	if (file->whole)
		account_match_file(&verify->accounts, file);
}

void verify_context(struct verify *verify, const char *name, uint64_t size)
{
	match_context_came(verify->match, name, size);
}

/* --- the manifest --- */

static void name_text(uint64_t number, char name[40])
{
	if (number == 0)
		snprintf(name, 40, "manifest.json");
	else
		snprintf(name, 40, "manifest_%05" PRIu64 ".json", number);
}

static void bad_manifest(struct verify *verify, uint64_t number, const char *why)
{
	char name[40];

	name_text(number, name);
	verify->unread = true;
	defects_note(&verify->defects, DEFECT_BAD_MANIFEST, "%s is damaged (%s)", name, why);
}

bool verify_counters(const struct verify *verify, const char *series, uint64_t *received, uint64_t *dropped)
{
	return account_match_counters(&verify->accounts, series, received, dropped);
}

static void count_listed(struct verify *verify, const struct manifest_read_file *listed)
{
	verify->listed++;
	verify->listed_packets = plus(verify->listed_packets, listed->packets);
	verify->listed_bytes = plus(verify->listed_bytes, listed->bytes);
	account_match_listed(&verify->accounts, &verify->defects, listed);
	recorder_match_listed(&verify->recorder, listed);
}

/* Of equal ones the earlier stays before. */
static void note_loss(struct verify_told *told, const struct manifest_read_file *listed)
{
	struct verify_loss *losses = told->losses;
	size_t at = VERIFY_LOSSES;

	told->lossy_files++;
	told->lost_before_files = plus(told->lost_before_files, listed->dropped);
	while (at > 0 && losses[at - 1].packets < listed->dropped)
		at--;
	if (at == VERIFY_LOSSES)
		return;
	memmove(losses + at + 1, losses + at, (VERIFY_LOSSES - 1 - at) * sizeof(*losses));
	snprintf(losses[at].name, sizeof(losses[at].name), "%s", listed->name);
	losses[at].packets = listed->dropped;
}

static bool take_files(struct verify *verify, const struct manifest_read *listing)
{
	struct manifest_read_file file;

	for (size_t i = 0; i < manifest_read_files(listing); i++) {
		if (!manifest_read_file(listing, i, &file))
			return false;
		count_listed(verify, &file);
		if (file.dropped)
			note_loss(&verify->told, &file);
		match_listed(verify->match, &file);
	}
	return true;
}

static void tell_losses(struct verify_told *told, const struct manifest_read_account *account)
{
	struct verify_loss *loss = &told->interfaces[told->interface_count];

	told->dropped_by_kernel = plus(told->dropped_by_kernel, account->dropped_by_kernel);
	told->dropped_at_stop = plus(told->dropped_at_stop, account->dropped_at_stop);
	told->dropped_output_failed = plus(told->dropped_output_failed, account->dropped_output_failed);
	if (told->interface_count == VERIFY_INTERFACES)
		return;
	told->interface_count++;
	snprintf(loss->name, sizeof(loss->name), "%s", account->name);
	loss->packets = lost(account);
}

static void take_account(struct verify *verify, const struct manifest_read_account *account)
{
	account_match_told(&verify->accounts, &verify->defects, account);
	recorder_match_account(&verify->recorder, account);
	if (verify->told.snapshot_length == 0) {
		verify->told.snapshot_length = account->snapshot_length;
		verify->told.link_type = account->link_type;
		snprintf(verify->told.interface, sizeof(verify->told.interface), "%s", account->name);
	}
	tell_losses(&verify->told, account);
}

static bool take_context(struct verify *verify, const struct manifest_read *listing)
{
	struct manifest_read_context context;

	for (size_t i = 0; i < manifest_read_contexts(listing); i++) {
		if (!manifest_read_context(listing, i, &context))
			return false;
		if (!context.left_out)
			match_context_listed(verify->match, &context);
	}
	return true;
}

static bool take_summary(struct verify *verify, const struct manifest_read *listing)
{
	struct manifest_read_account account;

	if (!manifest_read_summary(listing, &verify->summary) || !take_context(verify, listing) ||
	    !recorder_match_told(&verify->recorder, listing))
		return false;
	if (verify->summary.left_out_told &&
	    (verify->summary.left_out < verify->summary.named ||
	     (verify->summary.left_out > verify->summary.named && verify->summary.named < MANIFEST_LEFT_OUT)))
		defects_note(&verify->defects, DEFECT_ACCOUNT,
			     "%" PRIu64 " interfaces were not captured where %zu are named", verify->summary.left_out,
			     verify->summary.named);
	for (size_t i = 0; i < manifest_read_accounts(listing); i++) {
		if (!manifest_read_account(listing, i, &account))
			return false;
		take_account(verify, &account);
	}
	snprintf(verify->told.cause, sizeof(verify->told.cause), "%s", verify->summary.cause);
	snprintf(verify->told.detail, sizeof(verify->told.detail), "%s", verify->summary.detail);
	request_match_told(&verify->request, listing);
	verify->told.pcapng = strcmp(verify->summary.format, "pcapng") == 0;
	verify->summary_read = true;
	return true;
}

static void take_listing(struct verify *verify, uint64_t number, const struct manifest_read *listing)
{
	uint64_t version = manifest_read_version(listing), others = verify->version;

	verify->version = version;
	if (version == 0) {
		bad_manifest(verify, number, "no version");
	} else if (version > MANIFEST_VERSION_RECORDER) {
		verify->unread = true;
		defects_note(&verify->defects, DEFECT_VERSION,
			     "it was written by another version of tarcap (manifest version %" PRIu64 ", here %d)",
			     version, MANIFEST_VERSION_RECORDER);
	} else if (others && version != others) {
		bad_manifest(verify, number, "another version than other parts");
	} else if (manifest_read_part(listing) != number) {
		bad_manifest(verify, number, "another part");
	} else if (!take_files(verify, listing) || (number == 0 && !take_summary(verify, listing))) {
		bad_manifest(verify, number, "a field is missing");
	}
}

void verify_manifest(struct verify *verify, uint64_t number, const char *text, size_t size)
{
	struct manifest_read *listing;
	const char *reason;
	char name[40];

	if (number > VERIFY_PARTS) {
		overflow(verify, "parts");
		return;
	}
	if (verify->parts[number]) {
		name_text(number, name);
		defects_note(&verify->defects, DEFECT_TWICE, "%s came twice", name);
		return;
	}
	verify->parts[number] = true;
	listing = manifest_read_open(text, size, &reason);
	if (listing)
		take_listing(verify, number, listing);
	else
		bad_manifest(verify, number, reason);
	manifest_read_close(listing);
}

void verify_request(struct verify *verify, const char *text, size_t size)
{
	struct verify_told *told = &verify->told;
	struct manifest_read_request request;
	const char *reason;
	struct manifest_read *listing = manifest_read_open(text, size, &reason);

	request_match_asked(&verify->request, &verify->defects, listing, reason);
	told->request_unread = listing ? NULL : reason;
	if (!listing)
		return;
	manifest_read_request(listing, &request);
	snprintf(told->name, sizeof(told->name), "%s", request.name);
	snprintf(told->filter, sizeof(told->filter), "%s", request.filter);
	snprintf(told->reason, sizeof(told->reason), "%s", request.reason);
	manifest_read_close(listing);
}

void verify_request_begin(struct verify *verify)
{
	request_match_begin(&verify->request, &verify->defects);
}

void verify_header(struct verify *verify, const char *series, uint32_t link_type, uint32_t snapshot_length)
{
	account_match_header(&verify->accounts, series, link_type, snapshot_length);
}

bool verify_is_recorders(const struct verify *verify)
{
	return verify->request.version == MANIFEST_VERSION_RECORDER;
}

/* --- the end --- */

/* Returns whether every text of the manifest has been read. */
static bool check_parts(struct verify *verify)
{
	bool all = verify->summary_read && !verify->unread;
	char name[40];

	if (!verify->parts[0])
		defects_note(&verify->defects, DEFECT_NO_MANIFEST, "manifest.json is missing");
	for (uint64_t part = 1; part <= VERIFY_PARTS && verify->summary_read; part++) {
		name_text(part, name);
		if (part <= verify->summary.parts && !verify->parts[part]) {
			defects_note(&verify->defects, DEFECT_NO_PART, "%s is missing", name);
			all = false;
		} else if (part > verify->summary.parts && verify->parts[part]) {
			defects_note(&verify->defects, DEFECT_UNLISTED, "%s is not in the manifest", name);
		}
	}
	if (verify->summary_read && verify->summary.parts > VERIFY_PARTS)
		overflow(verify, "parts");
	return all;
}

static void check_totals(struct verify *verify)
{
	const struct manifest_read_summary *summary = &verify->summary;

	if (summary->files != verify->listed || summary->packets != verify->listed_packets ||
	    summary->bytes != verify->listed_bytes)
		defects_note(&verify->defects, DEFECT_TOTALS,
			     "the manifest lists %" PRIu64 " files with %" PRIu64
			     " packets where its totals say %" PRIu64 " with %" PRIu64,
			     verify->listed, verify->listed_packets, summary->files, summary->packets);
	account_match_finish(&verify->accounts, &verify->defects);
	recorder_match_finish(&verify->recorder, &verify->defects);
}

void verify_finish(struct verify *verify)
{
	bool all_read = check_parts(verify);
	const char *first;

	match_finish(verify->match, all_read);
	verify->told.reordered = match_reordered(verify->match, &first);
	snprintf(verify->told.first_reordered, sizeof(verify->told.first_reordered), "%s", first);
	request_match_finish(&verify->request, &verify->defects);
	if (all_read)
		check_totals(verify);
}

void verify_event(struct verify *verify, const struct numbering *numbering)
{
	if (verify->summary_read)
		recorder_match_event(&verify->recorder, &verify->defects, numbering, verify->match);
	verify->told.recorder = verify->recorder.told;
}
