/* What version 2 of a manifest tells of the whole: window, what was overwritten or cut, and the event. */
#ifndef TARCAP_RECORDER_MATCH_H
#define TARCAP_RECORDER_MATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "read/defects.h"
#include "read/manifest_read.h"
#include "read/match.h"
#include "read/numbering.h"
#include "read/roll.h"

/* All zeros where the manifest tells nothing, as one of version 1. Texts are cut where they are too long. */
struct recorder_told {
	struct manifest_read_recorder account;
	bool window_told, event_told;
	char from[CLOCK_TEXT_SIZE], to[CLOCK_TEXT_SIZE]; /* "" when there are no packets */

	uint64_t events;
	char what[128]; /* "" when none came */
	char time[CLOCK_TEXT_SIZE];
	char interface[64];		/* "" when it is of none */
	char member[ROLL_NAME_SIZE];	/* "" when its packet is not in the archive */
	uint64_t packet, joined_packet; /* in the member, and in join's output, from 1; 0: not known */
};

/* All zero is the beginning. */
struct recorder_match {
	struct recorder_told told;
	struct manifest_read_recorder sum;		    /* of the interfaces */
	char first[CLOCK_TEXT_SIZE], last[CLOCK_TEXT_SIZE]; /* of all files that are listed */
};

/* A file is listed. */
void recorder_match_listed(struct recorder_match *match, const struct manifest_read_file *file);

/* manifest.json has an account. */
void recorder_match_account(struct recorder_match *match, const struct manifest_read_account *account);

/* manifest.json itself; false when a field is missing or of another type. */
bool recorder_match_told(struct recorder_match *match, const struct manifest_read *listing);

/* The archive is over, and every text of the manifest has been read. */
void recorder_match_finish(const struct recorder_match *match, struct defects *defects);

/*
 * All packets have their place: that the event's is there, and at that time. What is not among the last packets is only
 * compared with its file's numbers.
 */
void recorder_match_event(struct recorder_match *match, struct defects *defects, const struct numbering *numbering,
			  const struct match *files);

#endif
