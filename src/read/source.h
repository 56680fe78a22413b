/* What join and summary read: a file that was named, or stdin. */
#ifndef TARCAP_SOURCE_H
#define TARCAP_SOURCE_H

#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

/*
 * The FILE that command reads, of its words up to NULL: *path is NULL for stdin, which is "-", too. -1 with
 * STATUS_USAGE where there are several.
 */
int source_path(const char **path, const char *command, char *const *words, struct err *err);

/*
 * Open what is read, and give up all that the rest of the work does not take: nothing can be opened from here on.
 * path NULL is stdin, which must be no terminal. command is who reads it, for the message where it is a directory. A
 * reader of the output that goes away is EPIPE from here on, no signal. The descriptor is for source_close(); -1 on
 * failure.
 */
int source_open(const char *path, const char *command, struct err *err);
void source_close(int fd);

/* A members_source; context is a pointer to the descriptor. */
ssize_t source_read(void *context, void *data, size_t size);

#endif
