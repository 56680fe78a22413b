/* The files, and the members of the context, that came against those that are listed, whichever is known first. */
#ifndef TARCAP_MATCH_H
#define TARCAP_MATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/account.h"
#include "base/err.h"
#include "read/defects.h"
#include "read/manifest_read.h"
#include "read/roll.h"

struct match;

/* A file as it came; its name is without the archive's directory. Times are ns since the epoch. */
struct match_file {
	const char *name;
	uint64_t packets, bytes, stored_bytes, first, last;
	uint64_t delivered;	 /* packets of it that the output has, from an earlier copy too */
	bool whole;		 /* it came to its end, undamaged */
	struct cut_by_first cut; /* packets of which not all bytes are there, and what they had */
};

/* So many packets more, with these times of the earliest and the latest. */
static inline void match_file_count(struct match_file *file, uint64_t packets, uint64_t first, uint64_t last,
				    const struct cut_by_first *cut)
{
	file->packets += packets;
	file->cut.packets += cut->packets;
	file->cut.bytes += cut->bytes;
	if (first < file->first)
		file->first = first;
	if (last > file->last)
		file->last = last;
}

/* Notes what it finds in defects, which stays the caller's. NULL when there is no memory. */
struct match *match_open(struct defects *defects, struct err *err);
void match_close(struct match *match);

/* A file begins. Returns how many of its packets have been delivered already; UINT64_MAX: all, by a whole copy. */
uint64_t match_begin(struct match *match, const char *name);

/* The same file has ended. */
void match_end(struct match *match, const struct match_file *came);

/* A manifest lists a file. */
void match_listed(struct match *match, const struct manifest_read_file *listed);

/*
 * A member of the context has come, to its last byte, and one is listed. There is no order among them, and nobody waits
 * for one. Of their content only the size is known.
 */
void match_context_came(struct match *match, const char *name, uint64_t size);
void match_context_listed(struct match *match, const struct manifest_read_context *listed);

/* Have all files come that are listed so far? */
bool match_complete(const struct match *match);

/* A file that came or is listed; NULL: there is none, or the table has given its place to another. */
const struct roll_file *match_find(const struct match *match, const char *name);

/* Has the table given no place to another, for sure? */
bool match_knows_all(const struct match *match);

/*
 * How many stood in another order than they were written in, and the name of the first: what another tar has packed may
 * do so, and nothing is missing for it.
 */
uint64_t match_reordered(const struct match *match, const char **first);

/* All has come: what is missing, and, if every list has been read, what is not listed. */
void match_finish(struct match *match, bool all_read);

#endif
