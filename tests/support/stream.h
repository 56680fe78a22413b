/* A stream in memory, for what reads one by a members_source (read/members.h). */
#ifndef TARCAP_TESTS_STREAM_H
#define TARCAP_TESTS_STREAM_H

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

struct stream {
	const unsigned char *data;
	size_t size, at, piece; /* at most piece bytes are given at once */
	int errnum;		/* what comes at the end, instead of it; 0: the end */
};

static inline ssize_t stream_read(void *context, void *data, size_t size)
{
	struct stream *stream = context;
	size_t n = stream->size - stream->at;

	if (size == 0)
		abort(); /* what asks for nothing takes the answer for the end */
	if (n == 0 && stream->errnum)
		return -stream->errnum;
	n = n < size ? n : size;
	n = n < stream->piece ? n : stream->piece;
	if (n)
		memcpy(data, stream->data + stream->at, n);
	stream->at += n;
	return (ssize_t)n;
}

#endif
