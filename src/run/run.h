/* What the parts of a capture's life share: loop, intake, sending, stopping. */
#ifndef TARCAP_RUN_H
#define TARCAP_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "archive/deliver.h"
#include "base/err.h"
#include "capture/capture_set.h"
#include "capture/segments.h"
#include "request/options.h"
#include "run/ending.h"
#include "run/intake.h"
#include "run/loop.h"
#include "run/reader.h"
#include "run/sending.h"
#include "run/until.h"
#include "run/watch.h"

struct run {
	const struct run_parts *parts;
	const struct options *options; /* these five as in parts */
	struct capture_set *captures;
	struct segments *segments;
	struct delivery *delivery;
	struct recorder *recorder; /* or NULL */
	struct err *err;
	uint64_t now; /* boot time */
	struct ending ending;
	struct watch watch;
	struct intake intake;
	struct sending sending;
	struct reader reader;
	struct waiting waiting;
};

/* What is captured is a file: there is neither a ring nor a descriptor for it. */
static inline bool run_reads_file(const struct run *run)
{
	return !run->ending.ring;
}

static inline bool run_is_over(const struct run *run)
{
	return run->ending.stage == STAGE_OVER;
}

/* Of deadlines, of which 0 is none. */
static inline void run_earlier(uint64_t *deadline, uint64_t candidate)
{
	if (candidate && (!*deadline || candidate < *deadline))
		*deadline = candidate;
}

#endif
