#include "record/held.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "record/area.h"
#include "system/container.h"
#include "system/signals.h"

#define LINK_OF_AREA "/memfd:" AREA_MEMFD " " /* memfd_create(2); "(deleted)" is behind it */

static int cannot_open_held(pid_t hold, int errnum, struct err *err)
{
	struct stat status;
	char path[32];
	uid_t uid;

	/* Its files in /proc are root's when it may not be looked at, but its directory is of its own uid: proc(5). */
	snprintf(path, sizeof(path), "/proc/%d", (int)hold);
	uid = stat(path, &status) == 0 ? status.st_uid : geteuid();
	if (uid != geteuid())
		return err_set(
			err, STATUS_FAILED,
			"snapshot: the hold (process %d) is of uid %u, and only that uid may read what it records: "
			"run snapshot as that user (docker exec --user %u)",
			(int)hold, uid, uid);
	return err_sys(
		err, errnum,
		"snapshot: what the hold (process %d) records cannot be opened, as a policy forbids it, or the hold "
		"has capabilities that this process lacks",
		(int)hold);
}

enum { NO_AREA = -1, REFUSED = -2 };

/* Of a process's descriptors, this one, if it is the area. */
static int open_if_area(int directory, const char *name)
{
	char link[sizeof(LINK_OF_AREA) + 16];
	ssize_t size = readlinkat(directory, name, link, sizeof(link));
	int fd;

	if (size < 0)
		return errno == EACCES || errno == EPERM ? REFUSED : NO_AREA;
	if (size < (ssize_t)strlen(LINK_OF_AREA) || strncmp(link, LINK_OF_AREA, strlen(LINK_OF_AREA)) != 0)
		return NO_AREA;
	fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return REFUSED;
	return fd;
}

/* REFUSED: *errnum says why. */
static int open_area_of(pid_t pid, int *errnum)
{
	const struct dirent *entry;
	char path[48];
	int fd = NO_AREA;
	DIR *files;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	files = opendir(path);
	while (files && fd == NO_AREA && (entry = readdir(files)))
		fd = open_if_area(dirfd(files), entry->d_name);
	*errnum = errno;
	if (!files)
		return REFUSED;
	closedir(files);
	return fd;
}

int held_open(pid_t *hold, struct err *err)
{
	struct container_process found[CONTAINER_PROCESSES];
	size_t all = container_find(found), holds = 0;

	for (size_t i = 0; i < all; i++) {
		int fd, errnum;

		if (found[i].role != CONTAINER_HOLD)
			continue;
		*hold = found[i].pid;
		holds++;
		fd = open_area_of(*hold, &errnum);
		if (fd == REFUSED)
			return cannot_open_held(*hold, errnum, err);
		if (fd >= 0)
			return fd;
	}
	if (!container_is_visible())
		return err_set(err, STATUS_FAILED,
			       "snapshot: /proc is not there, and nothing else tells where the hold is");
	return err_set(
		err, STATUS_FAILED,
		holds ? "snapshot: the hold of this container records nothing: start it as 'tarcap hold --record "
			"64M'"
		      : "snapshot: there is no hold in this container: 'tarcap hold --record 64M' as its main process "
			"records");
}

static int cannot_tell(pid_t hold, int errnum, struct err *err)
{
	return err_sys(err, errnum, "snapshot: cannot signal the hold (process %d)", (int)hold);
}

int held_ask_to_seal(pid_t hold, struct err *err)
{
	return kill(hold, SIGNALS_SEAL) < 0 ? cannot_tell(hold, errno, err) : 0;
}

int held_ask_to_resume(pid_t hold, uint64_t account, struct err *err)
{
	/* NOLINTNEXTLINE(performance-no-int-to-ptr): a pointer is what a signal has 64 bits of room in */
	const union sigval value = {.sival_ptr = (void *)(uintptr_t)account};

	return sigqueue(hold, SIGNALS_RESUME, value) < 0 ? cannot_tell(hold, errno, err) : 0;
}
