#include "read/source.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "read/manifest_read.h"
#include "system/sandbox.h"

const char *source_name(const struct source *source)
{
	return source->path ? source->path : "stdin";
}

const char *source_short_name(const struct source *source)
{
	const char *name = source_name(source);
	size_t length = strlen(name);

	return length > SOURCE_SHORT_NAME ? name + length - SOURCE_SHORT_NAME : name;
}

/* path: to be freed; NULL for stdin. */
static int add_source(struct sources *sources, const char *command, char *path, struct err *err)
{
	if (sources->count == SOURCES_MAX) {
		err_set(err, STATUS_USAGE, "%s '%.100s': at most %d FILEs are allowed", command, path ? path : "-",
			SOURCES_MAX);
		free(path);
		return -1;
	}
	sources->list[sources->count++] = (struct source){path, -1};
	return 0;
}

static int add_file(struct sources *sources, const char *command, const char *path, struct err *err)
{
	char *copy = strdup(path);

	return copy ? add_source(sources, command, copy, err) : err_sys(err, ENOMEM, "memory for names");
}

static int add_stdin(struct sources *sources, const char *command, struct err *err)
{
	for (size_t i = 0; i < sources->count; i++) {
		if (!sources->list[i].path)
			return err_set(err, STATUS_USAGE, "%s '-': stdin can be read once", command);
	}
	return add_source(sources, command, NULL, err);
}

/* --- a directory --- */

static int is_tar(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name);

	return length > 4 && entry->d_name[0] != '.' && strcmp(entry->d_name + length - 4, ".tar") == 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int add_in_directory(struct sources *sources, const char *command, const char *path, const char *name,
			    struct err *err)
{
	char *whole = malloc(strlen(path) + strlen(name) + 2);

	if (!whole)
		return err_sys(err, ENOMEM, "memory for names");
	sprintf(whole, "%s/%s", path, name);
	return add_source(sources, command, whole, err);
}

static int add_directory(struct sources *sources, const char *command, const char *path, struct err *err)
{
	struct dirent **entries;
	int count = scandir(path, &entries, is_tar, by_name), result = 0;

	if (count < 0)
		return err_sys(err, errno, "%.200s", path);
	for (int i = 0; i < count; i++) {
		if (result == 0)
			result = add_in_directory(sources, command, path, entries[i]->d_name, err);
		free(entries[i]);
	}
	free(entries);
	if (count == 0)
		return err_set(err, STATUS_USAGE,
			       "%.150s is a directory without a .tar file: make an archive of the files in it: "
			       "(cd '%.150s' && tar c *) | tarcap %s",
			       path, path, command);
	return result;
}

static bool is_directory(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

int sources_find(struct sources *sources, const char *command, char *const *words, struct err *err)
{
	int result = 0;

	sources->count = 0;
	for (; *words && result == 0; words++) {
		if (strcmp(*words, "-") == 0)
			result = add_stdin(sources, command, err);
		else if (is_directory(*words))
			result = add_directory(sources, command, *words, err);
		else
			result = add_file(sources, command, *words, err);
	}
	return result == 0 && sources->count == 0 ? add_source(sources, command, NULL, err) : result;
}

/* --- opening and reading --- */

static int open_source(struct source *source, struct err *err)
{
	if (!source->path && isatty(STDIN_FILENO))
		return err_set(err, STATUS_USAGE, "stdin is a terminal: add '< capture.tar', or name the FILE");
	source->fd = source->path ? open(source->path, O_RDONLY | O_CLOEXEC | O_NOCTTY) : STDIN_FILENO;
	return source->fd < 0 ? err_sys(err, errno, "%.200s", source->path) : 0;
}

int sources_open(struct sources *sources, struct err *err)
{
	struct sandbox sandbox;

	for (size_t i = 0; i < sources->count; i++) {
		if (open_source(&sources->list[i], err) < 0)
			return -1;
	}
	signal(SIGPIPE, SIG_IGN);
	manifest_read_prepare();
	return sandbox_enter(SANDBOX_CONVERT, &sandbox, err);
}

void sources_close(struct sources *sources)
{
	for (size_t i = 0; i < sources->count; i++) {
		struct source *source = &sources->list[i];

		if (source->path && source->fd >= 0)
			close(source->fd);
		free(source->path);
	}
	sources->count = 0;
}

ssize_t source_read(void *context, void *data, size_t size)
{
	const struct source *source = context;
	ssize_t n;

	while ((n = read(source->fd, data, size)) < 0 && errno == EINTR)
		;
	return n < 0 ? -errno : n;
}

int source_again(struct source *source)
{
	return lseek(source->fd, 0, SEEK_SET) == 0 ? 0 : -1;
}
