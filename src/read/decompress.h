/* A zstd member back into what was compressed, as the bytes come. */
#ifndef TARCAP_DECOMPRESS_H
#define TARCAP_DECOMPRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define DECOMPRESS_WINDOW_LOG 24 /* a member that wants a larger window than 16 MiB is refused: that is the memory */

struct decompress;

enum decompress_event {
	DECOMPRESS_SOME,    /* data and size: valid until the next call */
	DECOMPRESS_MORE,    /* all that was fed is used: feed more */
	DECOMPRESS_DAMAGED, /* no zstd, or one with too large a window; begin anew */
};

#define DECOMPRESS_LOOK 4 /* bytes by which a compressed file is known */

/* Do these first bytes claim to be what is expanded here? */
bool decompress_begins(const unsigned char *data, size_t size);

/* NULL when there is no memory. */
struct decompress *decompress_open(struct err *err);
void decompress_close(struct decompress *expand);

/* Begin a member. */
void decompress_begin(struct decompress *expand);

/* More bytes, when all fed before are used. They stay the caller's, and must stay until DECOMPRESS_MORE. */
void decompress_feed(struct decompress *expand, const unsigned char *data, size_t size);

enum decompress_event decompress_next(struct decompress *expand, const unsigned char **data, size_t *size);

/* Does the member end well if it ends here? */
bool decompress_complete(const struct decompress *expand);

/* The decompression library's name and version. */
const char *decompress_library(void);

#endif
