/* All that a capture takes, opened in order, run to its end, and closed in one place. */
#ifndef TARCAP_CAPTURING_H
#define TARCAP_CAPTURING_H

#include "archive/compress.h"
#include "archive/context.h"
#include "archive/deliver.h"
#include "archive/encrypt.h"
#include "archive/manifest.h"
#include "archive/sink.h"
#include "archive/tar.h"
#include "base/err.h"
#include "capture/capture_set.h"
#include "capture/pool.h"
#include "capture/segments.h"
#include "record/look.h"
#include "record/recorder.h"
#include "request/options.h"
#include "run/idle.h"
#include "system/signals.h"

/* Large: not for the stack. */
struct capturing {
	struct capture_set captures;
	struct sink sink;
	struct pool pool;
	struct segments segments;
	struct delivery delivery;
	struct compress *compress; /* or NULL */
	struct recorder recorder;  /* with --record */
	int area_fd;		   /* what its memory is: to be set before capturing_open(); -1: it takes its own */
	struct encrypt *encrypt;   /* or NULL */
	struct context context;
	struct looks looks;
	struct tar *tar;
	struct manifest *manifest;
	struct signals signals;
	struct idle idle;
	int output_fd;
	int links_fd;
	struct channel_words *words;	/* of the hold whose recorder it is; NULL: nobody else has the area */
	unsigned char *front, *trailer; /* of a raw stream */
};

/* Nothing is open yet. */
void capturing_init(struct capturing *c);

/*
 * Sockets or file, signals, output, memory: all but the sandbox. What is open is closed by capturing_close(), also
 * after -1.
 */
MUST_CHECK int capturing_open(struct capturing *c, const struct options *options, struct err *err);

/* One of these steps by itself: the output, -w or stdout, and its sink; signals have to be open. */
MUST_CHECK int capturing_open_output(struct capturing *c, const struct options *options, struct err *err);

/* Enter the sandbox, and capture until something ends it. */
enum status capturing_run(struct capturing *c, const struct options *options, struct err *err);

/*
 * A hold's recorder is frozen then. Empty its area, and capture into it from now on: another account has begun, which
 * capturing_go_on() takes to its end.
 */
MUST_CHECK int capturing_begin_anew(struct capturing *c, struct err *err);
enum status capturing_go_on(struct capturing *c, const struct options *options, struct err *err);
void capturing_close(struct capturing *c);

#endif
