/* The roll of files: which have come and which are listed, by name, in a table of fixed size. */
#ifndef TARCAP_ROLL_H
#define TARCAP_ROLL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/sizes.h"

#define ROLL_FILES TABLE_OF(8192)
#define ROLL_NAME_SIZE 80 /* of a name without the archive's directory, with the end */

struct roll_counts {
	uint64_t packets;
	uint64_t bytes;	       /* uncompressed */
	uint64_t stored_bytes; /* of the member */
	char first[CLOCK_TEXT_SIZE], last[CLOCK_TEXT_SIZE];
};

struct roll_file {
	char name[ROLL_NAME_SIZE];
	bool came, listed;
	bool whole;		   /* it came, once at least, undamaged */
	uint64_t delivered;	   /* packets of it that the output has */
	uint64_t came_as;	   /* running number, from 1 */
	uint64_t listed_as;	   /* the same among those listed */
	struct roll_counts counts; /* as it came if it is not listed yet, else as listed */
	uint16_t next;		   /* in its chain: place + 1 */
	bool settled;		   /* see roll_settle() */
	uint16_t next_settled;	   /* place + 1 */
};

struct roll;

/* NULL when there is no memory. */
struct roll *roll_open(struct err *err);
void roll_close(struct roll *roll);

/* NULL when the name is not in the table. */
struct roll_file *roll_find(struct roll *roll, const char *name);

/*
 * A new entry, for a name that is not in the table; a longer name is cut. When the table is full, the one that was
 * settled first gives its place. NULL when there is none.
 */
struct roll_file *roll_add(struct roll *roll, const char *name);

/* Nothing more is to be known of an entry: it is whole and listed. Once more is nothing. */
void roll_settle(struct roll *roll, struct roll_file *file);

/* How many entries have been looked at so far to find those that were asked for: what lookups cost. */
uint64_t roll_looked_at(const struct roll *roll);

/* Entry i, in the order of adding while nothing gave its place; NULL behind the last. */
const struct roll_file *roll_at(const struct roll *roll, size_t i);

#endif
