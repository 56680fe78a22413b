/* Members of the archive, through libarchive into the outbox. The only part that sees <archive.h>. */
#ifndef TARCAP_TAR_H
#define TARCAP_TAR_H

#include <stddef.h>
#include <stdint.h>

#include "archive/outbox.h"
#include "base/err.h"

struct tar;

/*
 * An archive whose members are all named PREFIX/NAME. prefix and outbox stay the caller's.
 * ustar, no blocking: a member's header, data and padding reach the outbox at once
 * (archive_write_set_bytes_per_block(3): size zero passes each write through). NULL on failure.
 */
MUST_CHECK struct tar *tar_open(struct outbox *outbox, const char *prefix, struct err *err);
void tar_close(struct tar *tar);

/*
 * One member, mode 0600, owned by 0:0, last changed at mtime (s since the epoch). The outbox must be
 * empty; data stays the caller's and must stay until the outbox is empty again.
 */
MUST_CHECK int tar_member(struct tar *tar, const char *name, uint64_t mtime, const void *data, size_t size,
			  struct err *err);

/* The two zero blocks that end an archive. */
MUST_CHECK int tar_end(struct tar *tar, struct err *err);

/* What was put in last is cut off: members, and an end, may follow again. */
MUST_CHECK int tar_go_on(struct tar *tar, struct err *err);

#define TAR_BLOCK 512 /* bytes of a header; data is filled up to a multiple of it */

/* libarchive's name and version. */
const char *tar_library(void);

#endif
