/* A hold's recorder: a process of its own, with the sockets that the hold never has, seen from the hold. */
#ifndef TARCAP_RECORDER_PROCESS_H
#define TARCAP_RECORDER_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "record/channel.h"
#include "request/options.h"
#include "system/signals.h"

struct recorder_process {
	int channel; /* -1: there is none, or none any more */
	int area;    /* the memfd that a snapshot opens through the hold; -1: none */
};

/* There is none. */
void recorder_process_init(struct recorder_process *recorder);

/*
 * Take the area, and fork the process that records into it. To be called before a socket is open, by one that still has
 * NET_RAW: from then on the child has it, and whoever called gives it up. The child never comes back from here; it
 * ignores the terminal, is called "tarcap-recorder" (so that container.h takes it for a part of its hold), ends with
 * its parent, and cannot be traced.
 */
MUST_CHECK int recorder_process_start(struct recorder_process *recorder, const struct options *options,
				      struct err *err);

/*
 * Wait until it records. -1: it cannot (then *err is what it says, with its status), or a signal that ends us has come
 * (then *err is not set).
 */
MUST_CHECK int recorder_process_await(struct recorder_process *recorder, const struct signals *signals,
				      struct err *err);

/* The next message, as channel_receive() has it; CHANNEL_CLOSED: it has ended. */
enum channel_result recorder_process_hear(struct recorder_process *recorder, struct channel_message *message);

/* The process asker takes a snapshot: what is open is to be sealed. Nothing without a recorder. */
void recorder_process_seal(const struct recorder_process *recorder, pid_t asker);

/* Record again, if it is frozen at this account. */
void recorder_process_resume(const struct recorder_process *recorder, uint64_t account);

/* End it, and wait for that at most a second: what is discarded by it is in *message, of kind 0 when it did not say. */
void recorder_process_end(struct recorder_process *recorder, struct channel_message *message);

#endif
