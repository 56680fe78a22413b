#include "archive/copy.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/sink.h"

#define STALL 60000 /* ms */
#define FOLDERS_OPEN 16

/* nftw(3) gives its callback no context. */
static struct copy {
	struct archive *archive;
	struct archive_entry *entry;
	struct sink sink;
	copy_tell *tell;
	struct err *err;
	int missing;
} copy;

static int await_reader(void)
{
	struct pollfd polled = {.fd = copy.sink.fd, .events = POLLOUT};
	int result = poll(&polled, 1, STALL);

	return result > 0 || (result < 0 && errno == EINTR) ? 0 : -1;
}

static la_ssize_t to_sink(struct archive *archive, void *context, const void *data, size_t size)
{
	struct iovec part = {(void *)data, size};
	ssize_t n;

	(void)context;
	while ((n = sink_write(&copy.sink, &part, 1)) == 0) {
		if (await_reader() < 0) {
			err_set(copy.err, STATUS_READER, "the reader has stalled: the copy is cut");
			n = -EPIPE;
			break;
		}
	}
	if (n == -EPIPE)
		err_set(copy.err, STATUS_READER, "the reader has gone away: the copy is cut");
	if (n < 0)
		archive_set_error(archive, (int)-n, "cannot write");
	return n < 0 ? -1 : n;
}

static int archive_failed(void)
{
	const char *text = archive_error_string(copy.archive);

	return err_set(copy.err, STATUS_FAILED, "the copy: %s", text ? text : "out of memory");
}

static void missing(const char *path, const char *what)
{
	copy.missing++;
	copy.tell(path, what);
}

/* Exactly the size that the header says. */
static int put_content(int fd, uint64_t size)
{
	static unsigned char data[1 << 16];

	while (size > 0) {
		size_t want = size < sizeof(data) ? (size_t)size : sizeof(data);
		ssize_t n = read(fd, data, want);

		if (n <= 0) {
			memset(data, 0, want);
			n = (ssize_t)want;
		}
		if (archive_write_data(copy.archive, data, (size_t)n) != n)
			return archive_failed();
		size -= (uint64_t)n;
	}
	return 0;
}

static int put_header(const char *path, const struct stat *status)
{
	struct archive_entry *entry = archive_entry_clear(copy.entry);
	char target[PATH_MAX];
	ssize_t length;

	archive_entry_copy_stat(entry, status);
	archive_entry_set_pathname(entry, path[strspn(path, "/")] ? path + strspn(path, "/") : ".");
	if (S_ISLNK(status->st_mode)) {
		length = readlink(path, target, sizeof(target) - 1);
		if (length < 0) {
			missing(path, strerror(errno));
			return 1;
		}
		target[length] = '\0';
		archive_entry_set_symlink(entry, target);
	}
	return archive_write_header(copy.archive, entry) < ARCHIVE_WARN ? archive_failed() : 0;
}

static int put_file(const char *path)
{
	/* What is there may be another thing than a moment ago: what has been opened counts. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY), result = 0;
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0)
		missing(path, strerror(errno));
	else if (!S_ISREG(status.st_mode))
		missing(path, "has changed meanwhile");
	else if ((result = put_header(path, &status)) == 0)
		result = put_content(fd, (uint64_t)status.st_size);
	if (fd >= 0)
		close(fd);
	return result;
}

static int put_entry(const char *path, const struct stat *status, int type, struct FTW *place)
{
	int result = 0;

	(void)place;
	if (type == FTW_NS)
		missing(path, "cannot be looked at");
	else if (S_ISSOCK(status->st_mode))
		copy.tell(path, "is a socket, and left out");
	else if (S_ISREG(status->st_mode))
		result = put_file(path);
	else
		result = put_header(path, status);
	if (type == FTW_DNR)
		missing(path, "cannot be opened");
	return result < 0 ? -1 : 0;
}

static int open_archive(int fd)
{
	if (sink_init(&copy.sink, fd, copy.err) < 0)
		return -1;
	copy.archive = archive_write_new();
	copy.entry = archive_entry_new();
	if (!copy.archive || !copy.entry)
		return err_sys(copy.err, ENOMEM, "the copy");
	/* As ustar, but for names and sizes that it has no room for. */
	if (archive_write_set_format_pax_restricted(copy.archive) != ARCHIVE_OK ||
	    archive_write_open(copy.archive, NULL, NULL, to_sink, NULL) != ARCHIVE_OK)
		return archive_failed();
	return 0;
}

int copy_trees(char *const *paths, int fd, copy_tell *tell, struct err *err)
{
	struct stat status;

	copy = (struct copy){.tell = tell, .err = err};
	if (open_archive(fd) == 0) {
		for (; *paths && !err->status; paths++) {
			if (lstat(*paths, &status) < 0)
				missing(*paths, strerror(errno));
			else if (nftw(*paths, put_entry, FOLDERS_OPEN, FTW_PHYS) < 0)
				err_sys(err, errno, "%.200s", *paths);
		}
		if (!err->status && archive_write_close(copy.archive) != ARCHIVE_OK)
			archive_failed();
	}
	archive_entry_free(copy.entry);
	archive_write_free(copy.archive);
	sink_restore(&copy.sink);
	return err->status ? -1 : copy.missing;
}
