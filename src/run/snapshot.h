/* The archive of what a hold's recorder has in memory, taken by another process of its container. */
#ifndef TARCAP_SNAPSHOT_H
#define TARCAP_SNAPSHOT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "request/number.h"
#include "request/options.h"

#define SNAPSHOT_STALL (60 * CLOCK_SECOND) /* by default */

/* What --last and --after may be. */
extern const struct number_range snapshot_duration;

struct snapshot_asked {
	uint64_t last;	/* ns: whole files, but those that end earlier are left out; 0: everything */
	uint64_t after; /* ns that it waits before */
	uint64_t stall; /* ns, as a capture's */
	bool resume;	/* what was frozen may be recorded over, once it was taken whole */
	bool quiet;
	char name[NAME_MAX_LENGTH + 1]; /* empty: the recorder's, as reason */
	const char *reason;
	const char *write_file;	       /* NULL: stdout */
	bool as_tar;		       /* the reader can take nothing but a tar */
	struct recipients *recipients; /* of --to; NULL: none */
};

/*
 * Find the hold, open its recorder's area, have the recorder seal what is open, and send the archive, in a sandbox.
 * It is encrypted to the recipients that are asked for (which it releases), to TARCAP_TO's, and to the recorder's.
 * Gives up all capabilities first. The status: 1 where there is nothing to take it from, or it cannot be read.
 */
enum status snapshot_take(struct snapshot_asked *asked, struct err *err);

#endif
