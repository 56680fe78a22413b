/* A capture's life: the one poll loop, and its deadlines. */
#ifndef TARCAP_LOOP_H
#define TARCAP_LOOP_H

#include "archive/deliver.h"
#include "base/err.h"
#include "capture/capture_set.h"
#include "capture/segments.h"
#include "record/recorder.h"
#include "request/options.h"
#include "run/channel_words.h"
#include "system/signals.h"

/* All parts are open, the capture is armed, and they stay the caller's. */
struct run_parts {
	const struct options *options;
	struct capture_set *captures;
	int links_fd; /* see link_watch.h; -1: nobody asks */
	struct segments *segments;
	struct delivery *delivery;
	const struct signals *signals;
	struct recorder *recorder;   /* NULL: what is sealed is sent */
	bool shared;		     /* nothing is: what the recorder has stays for whoever reads its area */
	struct channel_words *words; /* of the hold whose recorder it is; NULL: there is none */
	struct idle *idle;	     /* filled by the way */
	int stdin_fd;		     /* watched for its end; -1: not */
	bool watch_sink;	     /* the sink can tell that its reader has gone */
	bool guarded;		     /* the archive may come back as packets: feedback.h */
	bool live;		     /* stderr is a terminal that wants the live line: say_live_open() */
	bool lines;		     /* or it gets a line of progress now and then */
};

/*
 * Fire, say the readiness line, and run to the end. Fills the interfaces' accounts. Says what the user has to know on
 * the way. Returns the exit status; with STATUS_FAILED *err says why.
 */
enum status loop_run(const struct run_parts *parts, struct err *err);

#endif
