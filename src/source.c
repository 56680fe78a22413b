#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int source_open(const char *path, struct err *err)
{
	int fd;

	if (!path && isatty(STDIN_FILENO))
		return err_set(err, STATUS_USAGE, "stdin is a terminal: add '< capture.tar', or name the FILE");
	if (!path)
		return STDIN_FILENO;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		err_sys(err, errno, "%.200s", path);
	return fd;
}

ssize_t source_read(void *context, void *data, size_t size)
{
	const int *fd = context;
	ssize_t n;

	while ((n = read(*fd, data, size)) < 0 && errno == EINTR)
		;
	return n < 0 ? -errno : n;
}
