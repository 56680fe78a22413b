#include "read/output.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/copy.h"

void output_init(struct output *output, int fd)
{
	output->fd = fd;
	output->used = 0;
	output->errnum = 0;
}

static int failed(struct output *output, struct err *err)
{
	if (output->errnum == EPIPE || output->errnum == ECONNRESET)
		return err_set(err, STATUS_READER, "the reader has gone away");
	return err_sys(err, output->errnum, "cannot write to stdout");
}

/* A descriptor that somebody else has made non-blocking is waited for as well. */
static ssize_t write_some(int fd, const unsigned char *data, size_t size)
{
	struct pollfd ready = {.fd = fd, .events = POLLOUT};
	ssize_t n;

	while ((n = write(fd, data, size)) < 0 && (errno == EINTR || errno == EAGAIN)) {
		if (errno == EAGAIN)
			poll(&ready, 1, -1);
	}
	return n;
}

static int write_all(struct output *output, const unsigned char *data, size_t size, struct err *err)
{
	size_t done = 0;

	while (!output->errnum && done < size) {
		ssize_t n = write_some(output->fd, data + done, size - done);

		if (n < 0)
			output->errnum = errno;
		else
			done += (size_t)n;
	}
	return output->errnum ? failed(output, err) : 0;
}

int output_flush(struct output *output, struct err *err)
{
	size_t size = output->used;

	output->used = 0;
	return write_all(output, output->buffer, size, err);
}

static int put_some(struct output *output, const unsigned char **from, size_t *size, struct err *err)
{
	size_t room = OUTPUT_BUFFER - output->used;
	size_t part = *size < room ? *size : room;

	copy(output->buffer + output->used, *from, part);
	output->used += part;
	*from += part;
	*size -= part;
	return output->used == OUTPUT_BUFFER ? output_flush(output, err) : 0;
}

int output_put(struct output *output, const void *data, size_t size, struct err *err)
{
	const unsigned char *from = data;

	if (size >= OUTPUT_DIRECT)
		return output_flush(output, err) < 0 ? -1 : write_all(output, from, size, err);
	while (size > 0) {
		if (put_some(output, &from, &size, err) < 0)
			return -1;
	}
	return 0;
}
