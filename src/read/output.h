/* A descriptor that is written through a buffer, and waited for. (sink.c is the one that never waits.) */
#ifndef TARCAP_OUTPUT_H
#define TARCAP_OUTPUT_H

#include <stddef.h>

#include "base/err.h"

#define OUTPUT_BUFFER ((size_t)256 << 10)
#define OUTPUT_DIRECT ((size_t)64 << 10) /* what is as long as this is written from where it lies */

struct output {
	int fd;
	size_t used;
	int errnum; /* set once writing has failed: then nothing more is written */
	unsigned char buffer[OUTPUT_BUFFER];
};

/* The descriptor stays the caller's. */
void output_init(struct output *output, int fd);

/*
 * Both return -1 when it cannot be written: STATUS_READER if whoever reads has gone away (SIGPIPE must be ignored),
 * else STATUS_FAILED.
 */
int output_put(struct output *output, const void *data, size_t size, struct err *err);
int output_flush(struct output *output, struct err *err);

#endif
