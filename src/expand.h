/* A zstd member back into what was compressed, as the bytes come. */
#ifndef TARCAP_EXPAND_H
#define TARCAP_EXPAND_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"

#define EXPAND_WINDOW_LOG 24 /* a member that wants a larger window than 16 MiB is refused: that is the memory */

struct expand;

enum expand_event {
	EXPAND_SOME,	/* data and size: valid until the next call */
	EXPAND_MORE,	/* all that was fed is used: feed more */
	EXPAND_DAMAGED, /* no zstd, or one with too large a window; begin anew */
};

#define EXPAND_LOOK 4 /* bytes by which a compressed file is known */

/* Do these first bytes claim to be what is expanded here? */
bool expand_begins(const unsigned char *data, size_t size);

/* NULL when there is no memory. */
struct expand *expand_open(struct err *err);
void expand_close(struct expand *expand);

/* Begin a member. */
void expand_begin(struct expand *expand);

/* More bytes, when all fed before are used. They stay the caller's, and must stay until EXPAND_MORE. */
void expand_feed(struct expand *expand, const unsigned char *data, size_t size);

enum expand_event expand_next(struct expand *expand, const unsigned char **data, size_t *size);

/* Does the member end well if it ends here? */
bool expand_complete(const struct expand *expand);

/* The decompression library's name and version. */
const char *expand_library(void);

#endif
