/* What lies in another process's area, on its way into an archive: copied one by one while the recorder goes on. */
#ifndef TARCAP_STORED_H
#define TARCAP_STORED_H

#include <stdint.h>

#include "archive/deliver.h"
#include "base/err.h"
#include "capture/capture_set.h"
#include "record/area.h"

struct stored {
	struct area_view *view;
	struct capture_set *captures; /* series as the area has them */
	uint64_t next, end;	      /* of the numbers in the area: what was stored when it began */
	uint64_t since;		      /* ns since the epoch; files that end before it are left out */
	unsigned char *copy;	      /* room for the largest */
	size_t room;
	struct segment sending;
	uint64_t from, to; /* of the packets that were given out; ns since the epoch, 0: none */
	uint64_t missed;   /* files that were overwritten while others were sent */
};

/*
 * Of a view that was looked at just now, with an interface for each of its series in captures, which is to be closed as
 * any. All else stays the caller's. since: as above; 0: everything.
 *
 * The interfaces' accounts are the recorder's, and always whole: of what is stored, what has not been given out (yet)
 * is overwritten, also where since leaves it out.
 */
MUST_CHECK int stored_open(struct stored *stored, struct area_view *view, struct capture_set *captures, uint64_t since,
			   struct err *err);
void stored_close(struct stored *stored);

/* For deliver.h: what is not given out any more is counted as given up by its series. */
struct deliver_store stored_source(struct stored *stored);

#endif
