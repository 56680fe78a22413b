/* What join and summary read: files that were named, those of a directory, or stdin. */
#ifndef TARCAP_SOURCE_H
#define TARCAP_SOURCE_H

#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

#define SOURCES_MAX 64

struct source {
	char *path; /* NULL: stdin */
	int fd;	    /* -1 until it is open */
};

struct sources {
	size_t count; /* 1 or more, once they are found */
	struct source list[SOURCES_MAX];
};

/*
 * The FILEs that command reads, of its words up to NULL: "-" is stdin, as is none at all, and a directory means the
 * files in it whose names end in .tar, by name. -1 with STATUS_USAGE where there are too many, or none in a directory.
 * In both cases they are for sources_close().
 */
int sources_find(struct sources *sources, const char *command, char *const *words, struct err *err);

/*
 * Open them all, and give up all that the rest of the work does not take: nothing can be opened from here on. Stdin
 * must be no terminal. A reader of the output that goes away is EPIPE from here on, no signal.
 */
int sources_open(struct sources *sources, struct err *err);
void sources_close(struct sources *sources);

/* What a person calls it: its path, or "stdin". */
const char *source_name(const struct source *source);

/* The same in a sentence: the end of a long path, which tells it from others. */
#define SOURCE_SHORT_NAME 100
const char *source_short_name(const struct source *source);

/* A members_source; context is the struct source. */
ssize_t source_read(void *context, void *data, size_t size);

/* From its beginning once more; -1 where that cannot be. */
int source_again(struct source *source);

#endif
