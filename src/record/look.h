/* What looks at every packet that passed the filter, where --until or --first asks for it: capture.h calls it. */
#ifndef TARCAP_LOOK_H
#define TARCAP_LOOK_H

#include <stdint.h>

#include "base/err.h"
#include "capture/capture_set.h"
#include "capture/segments.h"
#include "request/options.h"

struct look;
struct first;

struct looks {
	const struct options *options;
	struct capture_set *captures;
	struct segments *segments;
	struct look *list; /* one for each interface */
	struct first *first;
	int silence;   /* see look_silence() */
	uint64_t last; /* reading a file: the latest packet's time, ns since the epoch; 0: none has come */
};

/*
 * All that it takes, for captures that are open; nothing, and nobody is called for a packet, where neither is asked
 * for. captures and segments stay the caller's, and stay until looks_close(). The first event goes to captures->event;
 * when a file is read, it also sets the end, by the packets' time. STATUS_USAGE for an expression that is none.
 */
MUST_CHECK int looks_open(struct looks *looks, struct capture_set *captures, struct segments *segments,
			  const struct options *options, struct err *err);
void looks_close(struct looks *looks);

/* The silence that is waited for, of several the shortest: which of options->until; -1: none. */
int look_silence(const struct options *options);

/* That event has come, at a time in ns since the epoch: the first, to be said, or one more. */
bool look_note(struct capture_event *event, const struct options *options, unsigned until, uint64_t time);

#endif
