#include "read/verify.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/link_type.h"
#include "format/manifest_layout.h"
#include "format/naming.h"
#include "read/manifest_read.h"
#include "read/request_match.h"

/* What the manifest says of an interface, and the packets of the files that are listed for it. */
struct listed_interface {
	char name[64];
	uint64_t hash; /* of it */
	uint64_t written, listed;
	bool told; /* the manifest has an account of it */
	uint64_t received, dropped;
	uint64_t before_files;	 /* of those dropped, as the files that are listed have them */
	uint64_t before_no_file; /* and as the account has the others; UINT64_MAX where it does not tell */
	uint64_t link_type, snapshot_length;
};

/* What the headers of a series' files say; the first of them, and whether others say something else. */
struct series_header {
	char name[ROLL_NAME_SIZE];
	uint32_t link_type, snapshot_length;
};

struct verify {
	struct defects defects;
	struct verify_told told;
	struct match *match;
	struct request_match request;
	struct series_header headers[VERIFY_INTERFACES];
	size_t header_count;
	uint64_t listed, listed_packets, listed_bytes;
	struct manifest_read_summary summary;  /* its texts are in told */
	bool summary_read, unread;	       /* unread: some text could not be */
	unsigned char parts[VERIFY_PARTS + 1]; /* 0: manifest.json */
	struct listed_interface interfaces[VERIFY_INTERFACES];
	size_t interface_count;
};

/* Sums of what a manifest says, which may say anything: none wraps around, and all are numbers in JSON. */
static uint64_t plus(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return __builtin_add_overflow(a, b, &sum) || sum > INT64_MAX ? INT64_MAX : sum;
}

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

/* FNV-1a of as much as is compared: of many long names that begin alike, few are. */
static uint64_t hash_of(const char *name)
{
	uint64_t hash = UINT64_C(14695981039346656037);

	for (size_t i = 0; i < sizeof(((struct listed_interface *)NULL)->name) - 1 && name[i]; i++)
		hash = (hash ^ (unsigned char)name[i]) * UINT64_C(1099511628211);
	return hash;
}

static struct listed_interface *find_interface(struct verify *verify, const char *name)
{
	struct listed_interface *interface = verify->interfaces;
	uint64_t hash = hash_of(name);

	for (size_t i = 0; i < verify->interface_count; i++, interface++) {
		if (interface->hash == hash && strncmp(interface->name, name, sizeof(interface->name) - 1) == 0)
			return interface;
	}
	if (verify->interface_count == VERIFY_INTERFACES) {
		overflow(verify, "interfaces");
		return NULL;
	}
	verify->interface_count++;
	interface->hash = hash;
	snprintf(interface->name, sizeof(interface->name), "%s", name);
	return interface;
}

bool verify_counters(const struct verify *verify, const char *series, uint64_t *received, uint64_t *dropped)
{
	for (size_t i = 0; i < verify->interface_count; i++) {
		const struct listed_interface *interface = &verify->interfaces[i];

		if (!interface->told || !naming_is_series(series, interface->name))
			continue;
		*received = interface->received;
		*dropped = interface->dropped;
		return true;
	}
	return false;
}

static void count_listed(struct verify *verify, const struct manifest_read_file *listed)
{
	struct listed_interface *interface = find_interface(verify, listed->interface);

	verify->listed++;
	verify->listed_packets = plus(verify->listed_packets, listed->packets);
	verify->listed_bytes = plus(verify->listed_bytes, listed->bytes);
	if (interface) {
		interface->listed = plus(interface->listed, listed->packets);
		interface->before_files = plus(interface->before_files, listed->dropped);
	}
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
	struct listed_interface *interface = find_interface(verify, account->name);

	uint64_t all = plus(plus(plus(account->written, lost(account)), account->after_limit),
			    account->filtered_in_user_space);

	if (account->received != all || all == INT64_MAX || account->dropped_reader_slow > account->dropped_by_kernel)
		defects_note(&verify->defects, DEFECT_ACCOUNT, "the account of %.40s does not add up", account->name);
	if (interface) {
		interface->written = plus(interface->written, account->written);
		interface->received = plus(interface->received, account->received);
		interface->dropped = plus(interface->dropped, account->dropped_by_kernel);
		interface->before_no_file = account->dropped_before_no_file;
		interface->link_type = account->link_type;
		interface->snapshot_length = account->snapshot_length;
		interface->told = true;
	}
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

	if (!manifest_read_summary(listing, &verify->summary) || !take_context(verify, listing))
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
	uint64_t version = manifest_read_version(listing);

	if (version == 0) {
		bad_manifest(verify, number, "no version");
	} else if (version != MANIFEST_VERSION) {
		verify->unread = true;
		defects_note(&verify->defects, DEFECT_VERSION,
			     "it was written by another version of tarcap (manifest version %" PRIu64 ", here %d)",
			     version, MANIFEST_VERSION);
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

/* --- the headers of files --- */

/* More series than there is room for are not verified, which other parts say. */
void verify_header(struct verify *verify, const char *series, uint32_t link_type, uint32_t snapshot_length)
{
	struct series_header *header = verify->headers;

	for (size_t i = 0; i < verify->header_count; i++, header++) {
		if (strncmp(header->name, series, sizeof(header->name) - 1) == 0)
			return;
	}
	if (verify->header_count == VERIFY_INTERFACES)
		return;
	verify->header_count++;
	snprintf(header->name, sizeof(header->name), "%s", series);
	header->link_type = link_type;
	header->snapshot_length = snapshot_length;
}

static void check_header(struct verify *verify, const struct series_header *header)
{
	for (size_t i = 0; i < verify->interface_count; i++) {
		const struct listed_interface *interface = &verify->interfaces[i];
		bool link = interface->link_type == link_type_of_file(header->link_type);

		if (!interface->told || !naming_is_series(header->name, interface->name) ||
		    (link && interface->snapshot_length == header->snapshot_length))
			continue;
		defects_note(&verify->defects, DEFECT_DIFFERENT, "%.40s has %s %" PRIu32 " where %" PRIu64 " is listed",
			     interface->name, link ? "snapshot length" : "link type",
			     link ? header->snapshot_length : header->link_type,
			     link ? interface->snapshot_length : interface->link_type);
	}
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

/* What the kernel dropped, by files: without the rest at least no more than in all. */
static void check_dropped(struct verify *verify, const struct listed_interface *interface)
{
	uint64_t all = interface->dropped, before = interface->before_files, rest = interface->before_no_file;

	if (before > all || (rest != UINT64_MAX && all - before != rest))
		defects_note(&verify->defects, DEFECT_ACCOUNT,
			     "the account of %.40s has %" PRIu64 " dropped packets where %" PRIu64
			     " are listed before files",
			     interface->name, all, before);
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
	for (size_t i = 0; i < verify->interface_count; i++) {
		const struct listed_interface *interface = &verify->interfaces[i];

		if (interface->written != interface->listed)
			defects_note(&verify->defects, DEFECT_ACCOUNT,
				     "the account of %.40s has %" PRIu64 " packets where %" PRIu64 " are listed",
				     interface->name, interface->written, interface->listed);
		else if (interface->told)
			check_dropped(verify, interface);
	}
	for (size_t i = 0; i < verify->header_count; i++)
		check_header(verify, &verify->headers[i]);
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
