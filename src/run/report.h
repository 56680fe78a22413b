/* What a capture says of itself on stderr. */
#ifndef TARCAP_REPORT_H
#define TARCAP_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "archive/context.h"
#include "archive/manifest.h"
#include "base/account.h"
#include "capture/capture_set.h"
#include "capture/pool.h"
#include "record/recorder.h"
#include "request/options.h"
#include "run/idle.h"
#include "system/sandbox.h"

/* Who asked for which capture, for whoever reads the log: as audit.h has it. */
void report_asked(const struct options *options);

/* What the kernel granted of the sandbox, with -v. */
void report_sandbox(const struct sandbox *sandbox, const struct options *options);

#define REPORT_LOWERED_SIZE 80

/* " (whose limit has lowered the memory)", or that it is above the container's all the same; or "". */
char *report_lowered(const struct options *options, char text[REPORT_LOWERED_SIZE]);

/* What was opened differs from what was asked for. */
void report_warnings(const struct capture_set *captures, const struct options *options);

/* The readiness line: what is captured, when it ends by itself, and the memory there is. context is NULL without one.
 */
void report_ready(const struct capture_set *captures, const struct options *options, const struct pool *pool,
		  const struct context *context);

/* Stdin has ended so early that it tells nothing; when the capture ends by the clock: ns from its start, 0 never. */
void report_without_stdin(const struct options *options, uint64_t limit);

/* The event that --until waits for has come. ends: which sets the end. */
void report_event(const struct capture_event *event, const struct options *options, bool ends);

/* A line of progress; elapsed in ns, packets and bytes captured, and files that wait for the reader. */
void report_progress(uint64_t elapsed, uint64_t packets, uint64_t bytes, uint64_t dropped, uint64_t waiting);

/* The same of a recorder: what it has in memory. */
void report_held(uint64_t elapsed, const struct recorder_held *held, uint64_t dropped);

/* Of what is in the archive of a recorder. */
void report_window(const struct manifest_window *window, const struct options *options);

/* Is stderr a pipe or a socket, as docker and kubectl have it without a terminal? Then somebody sees what comes. */
bool report_has_reader(void);

/* The account at the end, in tcpdump's words, so that scripts which look for them go on working. */
void report_account(const struct capture_set *captures, const struct options *options, const struct idle *idle);

/* Of an encrypted archive, which nobody can check without the key: what its manifest says is in it. */
void report_encrypted(struct manifest_totals totals, const struct options *options);

#endif
