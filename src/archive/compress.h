/*
 * A segment into a zstd member, slice by slice, in memory that is taken once. This and decompress.c are the only parts
 * that see <zstd.h>.
 *
 * What comes out is one frame with the content's size and a checksum of it (4 bytes), so that a reader notices changed
 * payload, too.
 */
#ifndef TARCAP_COMPRESS_H
#define TARCAP_COMPRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define COMPRESS_LEVEL 2

struct compress;

/* For segments of at most largest bytes, in plan_compressor(largest) bytes. NULL when there is no memory. */
MUST_CHECK struct compress *compress_open(size_t largest, struct err *err);
void compress_close(struct compress *compress);

/*
 * Begin with a segment, which stays the caller's and must stay until compress_next() says true. A result of more than
 * most bytes, which are fewer than size, is not worth it.
 */
void compress_begin(struct compress *compress, const unsigned char *data, size_t size, size_t most);

/*
 * Compress one more slice, which takes some milliseconds. True when that was the last: *data and *size are what to
 * store. That is the frame, valid until the next compress_begin(), or the segment as it was given when that is smaller.
 */
MUST_CHECK bool compress_next(struct compress *compress, const unsigned char **data, size_t *size);

/* Put zeros where the last frame was, and where zstd has noted any of what it was made of. */
void compress_forget(struct compress *compress);

#endif
