#include "read/account_match.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "format/link_type.h"
#include "format/naming.h"
#include "read/plus.h"

#define SNAPLEN_WHOLE 262144 /* nothing is longer: with it only --first cuts */

/* FNV-1a of as much as is compared: of many long names that begin alike, few are. */
static uint64_t hash_of(const char *name)
{
	uint64_t hash = UINT64_C(14695981039346656037);

	for (size_t i = 0; i < sizeof(((struct account_match_interface *)NULL)->name) - 1 && name[i]; i++)
		hash = (hash ^ (unsigned char)name[i]) * UINT64_C(1099511628211);
	return hash;
}

static struct account_match_interface *find_interface(struct account_match *match, struct defects *defects,
						      const char *name)
{
	struct account_match_interface *interface = match->interfaces;
	uint64_t hash = hash_of(name);

	for (size_t i = 0; i < match->interface_count; i++, interface++) {
		if (interface->hash == hash && strncmp(interface->name, name, sizeof(interface->name) - 1) == 0)
			return interface;
	}
	if (match->interface_count == ACCOUNT_MATCH_INTERFACES) {
		defects_note(defects, DEFECT_OVERFLOW, "there are too many interfaces to verify");
		return NULL;
	}
	match->interface_count++;
	interface->hash = hash;
	snprintf(interface->name, sizeof(interface->name), "%s", name);
	return interface;
}

static struct account_match_series *find_series(struct account_match *match, const char *name, size_t length)
{
	for (size_t i = 0; i < match->series_count; i++) {
		if (strncmp(match->series[i].name, name, length) == 0 && !match->series[i].name[length])
			return &match->series[i];
	}
	return NULL;
}

bool account_match_counters(const struct account_match *match, const char *series, uint64_t *received,
			    uint64_t *dropped)
{
	for (size_t i = 0; i < match->interface_count; i++) {
		const struct account_match_interface *interface = &match->interfaces[i];

		if (!interface->told || !naming_is_series(series, interface->name))
			continue;
		*received = interface->received;
		*dropped = interface->dropped;
		return true;
	}
	return false;
}

void account_match_listed(struct account_match *match, struct defects *defects, const struct manifest_read_file *file)
{
	struct account_match_interface *interface = find_interface(match, defects, file->interface);
	uint64_t number;

	if (!interface)
		return;
	interface->listed = plus(interface->listed, file->packets);
	interface->before_files = plus(interface->before_files, file->dropped);
	interface->files++;
	if (naming_series(file->name, &number) && number > interface->highest)
		interface->highest = number;
}

void account_match_told(struct account_match *match, struct defects *defects,
			const struct manifest_read_account *account)
{
	struct account_match_interface *interface = find_interface(match, defects, account->name);
	const struct manifest_read_recorder *recorder = &account->recorder;
	uint64_t after = plus(plus(account->dropped_at_stop, account->dropped_output_failed), account->after_limit);
	uint64_t all =
		plus(plus(plus(account->written, account->dropped_by_kernel), after), account->filtered_in_user_space);

	all = plus(all, plus(recorder->overwritten.packets, recorder->not_yet_stored));
	if (account->received != all || all == INT64_MAX || account->dropped_reader_slow > account->dropped_by_kernel)
		defects_note(defects, DEFECT_ACCOUNT, "the account of %.40s does not add up", account->name);
	if (!interface)
		return;
	interface->written = plus(interface->written, account->written);
	interface->received = plus(interface->received, account->received);
	interface->dropped = plus(interface->dropped, account->dropped_by_kernel);
	interface->lost_after = after;
	interface->before_no_file = account->dropped_before_no_file;
	interface->link_type = account->link_type;
	interface->snapshot_length = account->snapshot_length;
	interface->recorder = *recorder;
	interface->told = true;
}

/* More series than there is room for are not verified, which other parts say. */
void account_match_header(struct account_match *match, const char *name, uint32_t link_type, uint32_t snapshot_length)
{
	struct account_match_series *series = &match->series[match->series_count];

	if (match->series_count == ACCOUNT_MATCH_INTERFACES ||
	    find_series(match, name, strnlen(name, sizeof(series->name) - 1)))
		return;
	match->series_count++;
	snprintf(series->name, sizeof(series->name), "%s", name);
	series->link_type = link_type;
	series->snapshot_length = snapshot_length;
}

void account_match_file(struct account_match *match, const struct match_file *file)
{
	uint64_t number;
	size_t length = naming_series(file->name, &number);
	struct account_match_series *series = length ? find_series(match, file->name, length) : NULL;

	if (!series)
		return;
	series->cut.packets = plus(series->cut.packets, file->cut.packets);
	series->cut.bytes = plus(series->cut.bytes, file->cut.bytes);
}

/* --- the end --- */

/* What the kernel dropped, by files: without the rest at least no more than in all. */
static void check_dropped(const struct account_match_interface *interface, struct defects *defects)
{
	uint64_t all = interface->dropped, rest = interface->before_no_file;
	uint64_t before = plus(interface->before_files, interface->recorder.overwritten.dropped);

	if (before > all || (rest != UINT64_MAX && all - before != rest))
		defects_note(defects, DEFECT_ACCOUNT,
			     "the account of %.40s has %" PRIu64 " dropped packets where %" PRIu64
			     " are listed before files",
			     interface->name, all, before);
}

static void check_header(const struct account_match_interface *interface, const struct account_match_series *series,
			 struct defects *defects)
{
	bool link = interface->link_type == link_type_of_file(series->link_type);

	if (link && interface->snapshot_length == series->snapshot_length)
		return;
	defects_note(defects, DEFECT_DIFFERENT, "%.40s has %s %" PRIu32 " where %" PRIu64 " is listed", interface->name,
		     link ? "snapshot length" : "link type", link ? series->snapshot_length : series->link_type,
		     link ? interface->snapshot_length : interface->link_type);
}

/*
 * Files are numbered from 1 on, and numbers are only missing where a file was overwritten, or was not sent at the end.
 * A recorder that goes on may overwrite files behind those that it has given away.
 */
static void check_numbers(const struct account_match_interface *interface, struct defects *defects)
{
	const struct manifest_read_recorder *recorder = &interface->recorder;
	uint64_t overwritten = recorder->overwritten.files, missing = interface->highest - interface->files;

	if (interface->files == 0 || interface->lost_after || missing == overwritten ||
	    (recorder->not_yet_stored_told && missing < overwritten))
		return;
	defects_note(defects, DEFECT_ACCOUNT,
		     "the account of %.40s has %" PRIu64 " overwritten files where %" PRIu64 " numbers are missing",
		     interface->name, overwritten, missing);
}

/* Something that is empty has nothing in it. */
static void check_overwritten(const struct account_match_interface *interface, struct defects *defects)
{
	const struct overwritten *overwritten = &interface->recorder.overwritten;

	if ((overwritten->packets < overwritten->files || overwritten->bytes < overwritten->packets) ||
	    (overwritten->files == 0 && (overwritten->packets || overwritten->bytes || overwritten->dropped)))
		defects_note(defects, DEFECT_ACCOUNT, "the account of %.40s has no such overwritten files",
			     interface->name);
	else
		check_numbers(interface, defects);
}

/*
 * What --first cut is counted when it is cut: so all is in the files where nothing else became of a packet. A lower
 * snapshot length cuts, too, and then nothing can be compared.
 */
static void check_cut(const struct account_match_interface *interface, const struct account_match_series *series,
		      struct defects *defects)
{
	const struct manifest_read_recorder *recorder = &interface->recorder;
	const struct cut_by_first *told = &recorder->cut, *came = &series->cut;
	bool all = !recorder->overwritten.packets && !recorder->not_yet_stored && !interface->lost_after;

	if (!recorder->cut_told || interface->snapshot_length < SNAPLEN_WHOLE)
		return;
	if (all ? told->packets == came->packets && told->bytes == came->bytes
		: told->packets >= came->packets && told->bytes >= came->bytes)
		return;
	defects_note(defects, DEFECT_ACCOUNT,
		     "the account of %.40s has %" PRIu64 " cut packets (%" PRIu64 " bytes) where %" PRIu64 " (%" PRIu64
		     ") came",
		     interface->name, told->packets, told->bytes, came->packets, came->bytes);
}

static void check_series(const struct account_match *match, const struct account_match_series *series,
			 struct defects *defects)
{
	for (size_t i = 0; i < match->interface_count; i++) {
		const struct account_match_interface *interface = &match->interfaces[i];

		if (!interface->told || !naming_is_series(series->name, interface->name))
			continue;
		check_header(interface, series, defects);
		if (!defects_any(defects))
			check_cut(interface, series, defects);
	}
}

void account_match_finish(const struct account_match *match, struct defects *defects)
{
	for (size_t i = 0; i < match->interface_count; i++) {
		const struct account_match_interface *interface = &match->interfaces[i];

		if (interface->written != interface->listed)
			defects_note(defects, DEFECT_ACCOUNT,
				     "the account of %.40s has %" PRIu64 " packets where %" PRIu64 " are listed",
				     interface->name, interface->written, interface->listed);
		else if (interface->told)
			check_dropped(interface, defects);
		if (interface->recorder.overwritten_told)
			check_overwritten(interface, defects);
	}
	for (size_t i = 0; i < match->series_count; i++)
		check_series(match, &match->series[i], defects);
}
