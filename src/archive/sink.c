#include "archive/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define SINK_PIPE_SIZE (1 << 20)

int sink_init(struct sink *sink, int fd, struct err *err)
{
	struct stat status;

	*sink = (struct sink){.fd = fd, .kind = SINK_BLOCKING, .saved_flags = -1, .start = -1};
	if (fstat(fd, &status) < 0)
		return err_sys(err, errno, "stdout");
	if ((fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY)
		return err_set(err, STATUS_FAILED, "stdout is not open for writing: add '> capture.tar'");
	if (S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode))
		sink->kind = SINK_NOWAIT;
	if (S_ISREG(status.st_mode))
		sink->start = (fcntl(fd, F_GETFL) & O_APPEND) ? status.st_size : lseek(fd, 0, SEEK_CUR);
	if (sink->start < status.st_size)
		sink->start = -1; /* what lies behind is somebody's */
	if (S_ISFIFO(status.st_mode))
		(void)fcntl(fd, F_SETPIPE_SZ, SINK_PIPE_SIZE);
	return 0;
}

void sink_restore(struct sink *sink)
{
	if (sink->saved_flags >= 0)
		(void)fcntl(sink->fd, F_SETFL, sink->saved_flags);
	sink->saved_flags = -1;
}

void sink_fall_back(struct sink *sink)
{
	int flags = fcntl(sink->fd, F_GETFL);

	sink->kind = SINK_NONBLOCK;
	if (!(flags & O_NONBLOCK) && fcntl(sink->fd, F_SETFL, flags | O_NONBLOCK) == 0)
		sink->saved_flags = flags;
}

int sink_cut_back(struct sink *sink, uint64_t size)
{
	off_t end = sink->start + (off_t)size;
	struct stat status;

	if (sink->start < 0 || fstat(sink->fd, &status) < 0 || status.st_size != sink->start + (off_t)sink->written)
		return -1;
	if (ftruncate(sink->fd, end) < 0 || lseek(sink->fd, end, SEEK_SET) != end)
		return -1;
	sink->written = size;
	return 0;
}

/*
 * Of pwritev2(): this kernel, or this kind of descriptor, has no RWF_NOWAIT; or a runtime's seccomp profile does not
 * know the call, which older ones say by EPERM and some by EACCES. Where it is the descriptor after all, writev() will
 * say so again.
 */
static bool is_unknown_call(int errnum)
{
	return errnum == EOPNOTSUPP || errnum == ENOSYS || errnum == EINVAL || errnum == EPERM || errnum == EACCES;
}

ssize_t sink_write(struct sink *sink, const struct iovec *parts, int count)
{
	ssize_t n;

	do {
		n = sink->kind == SINK_NOWAIT ? pwritev2(sink->fd, parts, count, -1, RWF_NOWAIT)
					      : writev(sink->fd, parts, count);
		if (n < 0 && sink->kind == SINK_NOWAIT && is_unknown_call(errno)) {
			sink_fall_back(sink);
			errno = EINTR;
		}
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	sink->written += (uint64_t)n;
	return n;
}
