#include "read/source.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "read/manifest_read.h"
#include "system/sandbox.h"

int source_path(const char **path, const char *command, char *const *words, struct err *err)
{
	if (words[0] && words[1])
		return err_set(err, STATUS_USAGE, "%s '%.100s': allowed is one FILE (see tarcap %s --help)", command,
			       words[1], command);
	*path = words[0] && strcmp(words[0], "-") != 0 ? words[0] : NULL;
	return 0;
}

static bool is_directory(int fd)
{
	struct stat status;

	return fstat(fd, &status) == 0 && S_ISDIR(status.st_mode);
}

static int open_file(const char *path, const char *command, struct err *err)
{
	int fd;

	if (!path && isatty(STDIN_FILENO))
		return err_set(err, STATUS_USAGE, "stdin is a terminal: add '< capture.tar', or name the FILE");
	if (!path)
		return STDIN_FILENO;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return err_sys(err, errno, "%.200s", path);
	if (is_directory(fd)) {
		close(fd);
		return err_set(err, STATUS_USAGE,
			       "%.150s is a directory: make an archive of the files in it: (cd '%.150s' && tar c *) | "
			       "tarcap %s",
			       path, path, command);
	}
	return fd;
}

int source_open(const char *path, const char *command, struct err *err)
{
	struct sandbox sandbox;
	int fd = open_file(path, command, err);

	if (fd < 0)
		return -1;
	signal(SIGPIPE, SIG_IGN);
	manifest_read_prepare();
	if (sandbox_enter(SANDBOX_CONVERT, &sandbox, err) == 0)
		return fd;
	source_close(fd);
	return -1;
}

void source_close(int fd)
{
	if (fd != STDIN_FILENO)
		close(fd);
}

ssize_t source_read(void *context, void *data, size_t size)
{
	const int *fd = context;
	ssize_t n;

	while ((n = read(*fd, data, size)) < 0 && errno == EINTR)
		;
	return n < 0 ? -errno : n;
}
