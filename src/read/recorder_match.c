#include "read/recorder_match.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "format/naming.h"
#include "read/plus.h"

static void add(struct manifest_read_recorder *sum, const struct manifest_read_recorder *more)
{
	sum->overwritten.files = plus(sum->overwritten.files, more->overwritten.files);
	sum->overwritten.packets = plus(sum->overwritten.packets, more->overwritten.packets);
	sum->overwritten.bytes = plus(sum->overwritten.bytes, more->overwritten.bytes);
	sum->overwritten.dropped = plus(sum->overwritten.dropped, more->overwritten.dropped);
	sum->not_yet_stored = plus(sum->not_yet_stored, more->not_yet_stored);
	sum->cut.packets = plus(sum->cut.packets, more->cut.packets);
	sum->cut.bytes = plus(sum->cut.bytes, more->cut.bytes);
}

void recorder_match_account(struct recorder_match *match, const struct manifest_read_account *account)
{
	add(&match->sum, &account->recorder);
}

/* Times as RFC 3339 sort as texts do. */
void recorder_match_listed(struct recorder_match *match, const struct manifest_read_file *file)
{
	if (!match->first[0] || strcmp(file->first, match->first) < 0)
		snprintf(match->first, sizeof(match->first), "%s", file->first);
	if (strcmp(file->last, match->last) > 0)
		snprintf(match->last, sizeof(match->last), "%s", file->last);
}

static void copy(char *to, size_t size, const char *text)
{
	snprintf(to, size, "%s", text ? text : "");
}

bool recorder_match_told(struct recorder_match *match, const struct manifest_read *listing)
{
	struct recorder_told *told = &match->told;
	struct manifest_read_window window;
	struct manifest_read_event event;

	if (!manifest_read_recorder(listing, &told->account) || !manifest_read_window(listing, &window) ||
	    !manifest_read_event(listing, &event))
		return false;
	told->window_told = window.told;
	copy(told->from, sizeof(told->from), window.from);
	copy(told->to, sizeof(told->to), window.to);
	told->event_told = event.told;
	told->events = event.events;
	copy(told->what, sizeof(told->what), event.what);
	copy(told->time, sizeof(told->time), event.time);
	copy(told->interface, sizeof(told->interface), event.interface);
	copy(told->member, sizeof(told->member), event.member);
	told->packet = event.packet;
	return true;
}

static void check_sum(struct defects *defects, const char *what, uint64_t told, uint64_t sum)
{
	if (told != sum)
		defects_note(defects, DEFECT_TOTALS,
			     "%" PRIu64 " %s are told in all, and %" PRIu64 " of the interfaces", told, what, sum);
}

static void check_sums(const struct recorder_match *match, struct defects *defects)
{
	const struct manifest_read_recorder *told = &match->told.account, *sum = &match->sum;

	check_sum(defects, "overwritten files", told->overwritten.files, sum->overwritten.files);
	check_sum(defects, "overwritten packets", told->overwritten.packets, sum->overwritten.packets);
	check_sum(defects, "overwritten bytes", told->overwritten.bytes, sum->overwritten.bytes);
	check_sum(defects, "packets dropped before overwritten files", told->overwritten.dropped,
		  sum->overwritten.dropped);
	check_sum(defects, "packets not yet stored", told->not_yet_stored, sum->not_yet_stored);
	check_sum(defects, "packets cut by --first", told->cut.packets, sum->cut.packets);
	check_sum(defects, "bytes cut by --first", told->cut.bytes, sum->cut.bytes);
}

void recorder_match_finish(const struct recorder_match *match, struct defects *defects)
{
	const struct recorder_told *told = &match->told;

	check_sums(match, defects);
	if (told->window_told && (strcmp(told->from, match->first) != 0 || strcmp(told->to, match->last) != 0))
		defects_note(defects, DEFECT_ACCOUNT, "the window %s at another time than the packets",
			     strcmp(told->from, match->first) != 0 ? "begins" : "ends");
	if (told->event_told && (told->events > 0) != (told->what[0] != '\0'))
		defects_note(defects, DEFECT_ACCOUNT, "%" PRIu64 " events are counted where %s is told", told->events,
			     told->what[0] ? "one" : "none");
}

/* Of the interface's files, and one of the packets in it, as far as its list tells. */
static bool is_within(const struct recorder_told *told, const struct roll_file *file)
{
	return told->packet >= 1 && told->packet <= file->counts.packets &&
	       strcmp(told->time, file->counts.first) >= 0 && strcmp(told->time, file->counts.last) <= 0;
}

static bool is_of(const char *member, const char *interface)
{
	char series[ROLL_NAME_SIZE];
	uint64_t number;

	snprintf(series, sizeof(series), "%.*s", (int)naming_series(member, &number), member);
	return naming_is_series(series, interface);
}

void recorder_match_event(struct recorder_match *match, struct defects *defects, const struct numbering *numbering,
			  const struct match *files)
{
	struct recorder_told *told = &match->told;
	char came[CLOCK_TEXT_SIZE] = "";
	uint64_t number, time;
	const struct roll_file *file = told->member[0] ? match_find(files, told->member) : NULL;

	if (!told->member[0])
		return;
	number = numbering_find(numbering, numbering_member(told->member), told->packet, &time);
	if (number)
		clock_rfc3339(time, came);
	if (!is_of(told->member, told->interface))
		defects_note(defects, DEFECT_DIFFERENT, "the event's file %s is not of %.40s", told->member,
			     told->interface);
	else if (number ? strcmp(came, told->time) != 0 : file ? !is_within(told, file) : match_knows_all(files))
		defects_note(defects, DEFECT_DIFFERENT, "the event's packet, number %" PRIu64 " of %s, is not there%s",
			     told->packet, told->member, number || file ? " at its time" : "");
	else
		told->joined_packet = number;
}
