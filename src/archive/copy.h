/* Files of this container into a tar stream, as tar(1) would put them there. */
#ifndef TARCAP_COPY_H
#define TARCAP_COPY_H

#include "base/err.h"

/* What is left out or cannot be read is told, and does not end the copy. */
typedef void copy_tell(const char *path, const char *what);

/*
 * Write the trees at paths (NULL at their end) to fd, with a member for each file, directory, symbolic link and
 * special file; names lose their leading slashes. A file that shrinks meanwhile is filled up with zeros, of one that
 * grows comes what it had. Memory is bounded; a reader that takes nothing for 60 s is given up.
 * Returns the number of paths and files that were told to be missing, or -1 with *err (STATUS_READER: it went away).
 */
int copy_trees(char *const *paths, int fd, copy_tell *tell, struct err *err);

#endif
