/* The descriptor that the archive leaves through. */
#ifndef TARCAP_SINK_H
#define TARCAP_SINK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/err.h"

enum sink_kind {
	SINK_NOWAIT,   /* pwritev2(RWF_NOWAIT): leaves the shared file description as it is */
	SINK_NONBLOCK, /* O_NONBLOCK was set on the file description, and is taken back at the end */
	SINK_BLOCKING, /* files and devices, where a write does not wait for a reader */
};

struct sink {
	int fd;
	enum sink_kind kind;
	int saved_flags;
	off_t start;	  /* where a regular file begins for us, behind which there is nothing; -1: it is none */
	uint64_t written; /* bytes, what was cut off again not counted */
};

/*
 * Prepare fd, which stays the caller's. Pipes are asked to hold 1 MiB (fewer wake-ups; not granted is
 * fine). RWF_NOWAIT on pipes needs Linux 5.5 or so and is refused by FIFOs, and by seccomp profiles that are older than
 * the call: then it is O_NONBLOCK.
 */
MUST_CHECK int sink_init(struct sink *sink, int fd, struct err *err);

/* Write with O_NONBLOCK from now on. sink_write() does this by itself where RWF_NOWAIT is refused. */
void sink_fall_back(struct sink *sink);

/* Put the file description back as it was: it is shared with whoever gave it to us. */
void sink_restore(struct sink *sink);

/*
 * Cut a regular file back to the first size bytes that were written to it, and go on from there. -1 where that is not
 * possible, or not ours to do: something lay behind where we began, or it does not end where we ended (with O_APPEND
 * others may write there, too).
 */
MUST_CHECK int sink_cut_back(struct sink *sink, uint64_t size);

/* Write without waiting: bytes taken (> 0), 0 when none can be taken now, or -errno. */
MUST_CHECK ssize_t sink_write(struct sink *sink, const struct iovec *parts, int count);

#endif
