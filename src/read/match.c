#include "read/match.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "format/naming.h"

#define SERIES 64

/* The highest number that came in a series of files. */
struct series {
	char name[ROLL_NAME_SIZE];
	uint64_t number;
};

struct match {
	struct defects *defects;
	struct roll *roll;
	uint64_t came, listed; /* files */
	uint64_t awaited;      /* of those listed, how many have not come */
	uint64_t reordered;
	char first_reordered[ROLL_NAME_SIZE];
	uint64_t came_latest, listed_latest; /* their running numbers, where both sides have met */
	struct series series[SERIES];
	size_t series_count;
};

struct match *match_open(struct defects *defects, struct err *err)
{
	struct match *match = calloc(1, sizeof(*match));

	if (!match) {
		err_sys(err, ENOMEM, "memory for matching files");
		return NULL;
	}
	match->defects = defects;
	if ((match->roll = roll_open(err)))
		return match;
	free(match);
	return NULL;
}

void match_close(struct match *match)
{
	if (!match)
		return;
	roll_close(match->roll);
	free(match);
}

static void overflow(struct match *match)
{
	defects_note(match->defects, DEFECT_OVERFLOW,
		     "there are too many files to verify (more than %d apart from their list)", ROLL_FILES);
}

/* Its entry, which may be new; NULL when there are too many. */
static struct roll_file *entry_of(struct match *match, const char *name)
{
	struct roll_file *file = roll_find(match->roll, name);

	if (!file && !(file = roll_add(match->roll, name)))
		overflow(match);
	return file;
}

/* Is its number higher than those of its series before? With more series than the table has: nobody knows. */
static bool follows_series(struct match *match, const char *name)
{
	uint64_t number;
	size_t length = naming_series(name, &number), i = 0;
	struct series *series = match->series;

	if (length == 0 || length >= sizeof(series->name))
		return true;
	while (i < match->series_count && (strncmp(series[i].name, name, length) != 0 || series[i].name[length]))
		i++;
	if (i == SERIES)
		return true;
	if (i == match->series_count) {
		memcpy(series[match->series_count++].name, name, length);
	} else if (number <= series[i].number) {
		return false;
	}
	series[i].number = number;
	return true;
}

static void out_of_order(struct match *match, const char *name)
{
	if (match->reordered++ == 0)
		snprintf(match->first_reordered, sizeof(match->first_reordered), "%s", name);
}

/* One that came and is listed. Among those, the order of coming and that of listing are the same. */
static void check_order(struct match *match, const struct roll_file *file)
{
	if (file->came_as < match->came_latest || file->listed_as < match->listed_latest) {
		if (match->reordered == 0)
			out_of_order(match, file->name);
		return;
	}
	match->came_latest = file->came_as;
	match->listed_latest = file->listed_as;
}

uint64_t match_begin(struct match *match, const char *name)
{
	struct roll_file *file = entry_of(match, name);

	if (!file)
		return 0;
	if (file->came) {
		defects_note(match->defects, DEFECT_TWICE, "%s came twice", name);
		return file->whole ? UINT64_MAX : file->delivered;
	}
	file->came = true;
	file->came_as = ++match->came;
	if (!follows_series(match, name))
		out_of_order(match, name);
	if (file->listed) {
		match->awaited--;
		check_order(match, file);
	}
	return 0;
}

static void compare(struct match *match, const char *name, const struct roll_counts *came,
		    const struct roll_counts *listed)
{
	const struct {
		uint64_t came, listed;
		const char *what;
	} numbers[] = {
		{came->packets, listed->packets, "packets"},
		{came->bytes, listed->bytes, "bytes"},
		{came->stored_bytes, listed->stored_bytes, "stored bytes"},
	};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		if (numbers[i].came != numbers[i].listed) {
			defects_note(match->defects, DEFECT_DIFFERENT,
				     "%s has %" PRIu64 " %s where %" PRIu64 " are listed", name, numbers[i].came,
				     numbers[i].what, numbers[i].listed);
			return;
		}
	}
	if (strcmp(came->first, listed->first) != 0 || strcmp(came->last, listed->last) != 0)
		defects_note(match->defects, DEFECT_DIFFERENT, "%s %s at another time than listed", name,
			     strcmp(came->first, listed->first) != 0 ? "begins" : "ends");
}

/* Whichever is known first waits for the other. */
static void note_whole(struct match *match, struct roll_file *file, const struct roll_counts *came)
{
	file->whole = true;
	if (!file->listed) {
		file->counts = *came;
		return;
	}
	roll_settle(match->roll, file);
	compare(match, file->name, came, &file->counts);
}

static bool note_listed(struct match *match, struct roll_file *file, const struct roll_counts *listed)
{
	if (file->listed) {
		defects_note(match->defects, DEFECT_DIFFERENT, "%s is listed twice", file->name);
		return false;
	}
	file->listed = true;
	if (file->whole) {
		roll_settle(match->roll, file);
		compare(match, file->name, &file->counts, listed);
	}
	file->counts = *listed;
	return true;
}

void match_end(struct match *match, const struct match_file *came)
{
	struct roll_file *file = roll_find(match->roll, came->name);
	struct roll_counts counts = {came->packets, came->bytes, came->stored_bytes};

	if (!file)
		return;
	if (came->delivered > file->delivered)
		file->delivered = came->delivered;
	if (!came->whole || file->whole)
		return;
	clock_rfc3339(came->first, counts.first);
	clock_rfc3339(came->last, counts.last);
	note_whole(match, file, &counts);
}

void match_listed(struct match *match, const struct manifest_read_file *listed)
{
	struct roll_file *file = entry_of(match, listed->name);
	struct roll_counts counts = {listed->packets, listed->bytes, listed->stored_bytes};

	match->listed++;
	if (!file)
		return;
	snprintf(counts.first, sizeof(counts.first), "%s", listed->first);
	snprintf(counts.last, sizeof(counts.last), "%s", listed->last);
	if (!note_listed(match, file, &counts))
		return;
	file->listed_as = match->listed;
	if (file->came)
		check_order(match, file);
	else
		match->awaited++;
}

void match_context_came(struct match *match, const char *name, uint64_t size)
{
	struct roll_file *file = entry_of(match, name);

	if (!file)
		return;
	if (file->came)
		defects_note(match->defects, DEFECT_TWICE, "%s came twice", name);
	else
		note_whole(match, file, &(struct roll_counts){.bytes = size, .stored_bytes = size});
	file->came = true;
}

void match_context_listed(struct match *match, const struct manifest_read_context *listed)
{
	struct roll_file *file = entry_of(match, listed->name);

	if (!file)
		return;
	note_listed(match, file, &(struct roll_counts){.bytes = listed->bytes, .stored_bytes = listed->stored_bytes});
	file->listed_as = UINT64_MAX;
}

bool match_complete(const struct match *match)
{
	return match->awaited == 0;
}

const struct roll_file *match_find(const struct match *match, const char *name)
{
	return roll_find(match->roll, name);
}

bool match_knows_all(const struct match *match)
{
	return !roll_at(match->roll, ROLL_FILES - 1);
}

uint64_t match_reordered(const struct match *match, const char **first)
{
	*first = match->first_reordered;
	return match->reordered;
}

/* The first of the list is the one to name; the table has lost the order when places were given to others. */
static const struct roll_file *first_missing(const struct match *match)
{
	const struct roll_file *first = NULL, *file;

	for (size_t i = 0; (file = roll_at(match->roll, i)); i++) {
		if (file->listed && !file->came && (!first || file->listed_as < first->listed_as))
			first = file;
	}
	return first;
}

static void note_missing(struct match *match, const struct roll_file *file)
{
	defects_note(match->defects, DEFECT_MISSING, "%s is missing", file->name);
}

void match_finish(struct match *match, bool all_read)
{
	const struct roll_file *first = first_missing(match), *file;

	if (match->defects->of[DEFECT_OVERFLOW].count)
		return;
	if (first)
		note_missing(match, first);
	for (size_t i = 0; (file = roll_at(match->roll, i)); i++) {
		if (file->listed && !file->came && file != first)
			note_missing(match, file);
		else if (!file->listed && all_read)
			defects_note(match->defects, DEFECT_UNLISTED, "%s is not in the manifest", file->name);
	}
}
