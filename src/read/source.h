/* What join and summary read: a file that was named, or stdin. */
#ifndef TARCAP_SOURCE_H
#define TARCAP_SOURCE_H

#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

/* path NULL is stdin, which must be no terminal. command is who reads it, for the message where it is a directory. The
 * caller closes what is not STDIN_FILENO. -1 on failure. */
int source_open(const char *path, const char *command, struct err *err);

/* A members_source; context is a pointer to the descriptor. */
ssize_t source_read(void *context, void *data, size_t size);

#endif
