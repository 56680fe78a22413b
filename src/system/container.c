#include "system/container.h"

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

#include "base/clock.h"

#define CGROUP_SIZE 4096	       /* of /proc/PID/cgroup, compared */
#define WORDS_MAX 4096		       /* of a command line */
#define COMMAND_SIZE ((size_t)1 << 18) /* of /proc/PID/cmdline; the rest of a longer one is not looked at */

/* All of /proc/PID/NAME that fits, with a NUL behind. Its length, or -1. */
static ssize_t read_proc(const char *pid, const char *name, char *text, size_t size)
{
	char path[64];
	ssize_t n;
	size_t used = 0;
	int fd;

	snprintf(path, sizeof(path), "/proc/%.20s/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	while (used < size - 1 && (n = read(fd, text + used, size - 1 - used)) > 0)
		used += (size_t)n;
	close(fd);
	text[used] = '\0';
	return (ssize_t)used;
}

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static const char *next_word(const char *word, const char *end)
{
	const char *next = word + strlen(word) + 1;

	return next < end ? next : "";
}

/* The last word of "tar cf - PATH", as command_tar.c takes it. */
static bool is_snapshot_path(const char *words, const char *end)
{
	const char *path = words;

	for (const char *next; *(next = next_word(path, end));)
		path = next;
	path += strspn(path, "/");
	return strncmp(path, "snapshot", strlen("snapshot")) == 0 && strchr("/", path[strlen("snapshot")]);
}

/* --record SIZE, or --record=SIZE; what is behind "--" is the filter. */
static bool has_record(const char *words, const char *end)
{
	static const char flag[] = "--record";

	for (const char *word = words; *word && strcmp(word, "--") != 0; word = next_word(word, end)) {
		if (strncmp(word, flag, strlen(flag)) == 0 && strchr("=", word[strlen(flag)]))
			return true;
	}
	return false;
}

/* By the words it was started with; false for what neither holds nor captures. */
static bool role_of(const char *words, const char *end, struct container_process *process)
{
	static const char *const others[] = {"stop", "check", "join", "summary"};
	const char *name = last_part(words), *first = next_word(words, end);

	process->role = CONTAINER_CAPTURE;
	process->snapshot = process->records = false;
	if (strcmp(name, "tar") == 0) {
		process->snapshot = is_snapshot_path(words, end);
		return true; /* it copies, or captures: an end is an end */
	}
	if (strcmp(name, "tarcap") != 0)
		return false;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		if (strcmp(first, others[i]) == 0)
			return false;
	}
	if (strcmp(first, "hold") == 0)
		process->role = CONTAINER_HOLD;
	process->snapshot = strcmp(first, "snapshot") == 0;
	process->records = process->role == CONTAINER_CAPTURE && !process->snapshot && has_record(first, end);
	return true;
}

static bool is_own_file(const char *path)
{
	struct stat own, other;

	return stat("/proc/self/exe", &own) == 0 && stat(path, &other) == 0 && own.st_dev == other.st_dev &&
	       own.st_ino == other.st_ino;
}

/*
 * comm is the name of the file that was executed; it may also be the real tar, outside of our image. A process that has
 * file capabilities, or more than we have left, does not let us see the file: then the name has to do.
 */
static bool is_tarcap(const char *pid)
{
	struct stat status;
	char name[32], path[64];

	if (read_proc(pid, "comm", name, sizeof(name)) <= 0 ||
	    (strcmp(name, "tarcap\n") != 0 && strcmp(name, "tar\n") != 0))
		return false;
	snprintf(path, sizeof(path), "/proc/%.20s/exe", pid);
	if (stat(path, &status) < 0)
		return (errno == EACCES || errno == EPERM) &&
		       (strcmp(name, "tarcap\n") == 0 || is_own_file("/usr/bin/tar"));
	return is_own_file(path);
}

static bool is_in_container(const char *pid, const char *own_cgroup)
{
	char cgroup[CGROUP_SIZE];

	return read_proc(pid, "cgroup", cgroup, sizeof(cgroup)) > 0 && strcmp(cgroup, own_cgroup) == 0;
}

static bool look_at_process(const char *pid, const char *own_cgroup, char *command, struct container_process *process)
{
	ssize_t size;

	process->pid = (pid_t)strtol(pid, NULL, 10);
	if (process->pid <= 0 || process->pid == getpid() || !is_tarcap(pid) || !is_in_container(pid, own_cgroup))
		return false;
	size = read_proc(pid, "cmdline", command, COMMAND_SIZE);
	return size > 0 && role_of(command, command + size, process);
}

bool container_is_visible(void)
{
	return access("/proc/self/cgroup", R_OK) == 0;
}

size_t container_find(struct container_process found[CONTAINER_PROCESSES])
{
	static char own_cgroup[CGROUP_SIZE], command[COMMAND_SIZE];
	DIR *processes = opendir("/proc");
	const struct dirent *entry;
	size_t count = 0;

	if (!processes || read_proc("self", "cgroup", own_cgroup, sizeof(own_cgroup)) < 0)
		own_cgroup[0] = '\0';
	while (processes && own_cgroup[0] && count < CONTAINER_PROCESSES && (entry = readdir(processes))) {
		if (look_at_process(entry->d_name, own_cgroup, command, &found[count]))
			count++;
	}
	if (processes)
		closedir(processes);
	return count;
}

static void split(char *words, size_t size, char *list[WORDS_MAX + 1])
{
	size_t count = 0;

	for (char *word = words; word < words + size && count < WORDS_MAX; word += strlen(word) + 1)
		list[count++] = word;
	list[count] = NULL;
}

/* list: the words of a command line. Those behind its first "--". */
static char **behind_dashes(char **list)
{
	while (*list && strcmp(*list, "--") != 0)
		list++;
	return *list ? list + 1 : list;
}

char **container_hold_words(void)
{
	static char command[COMMAND_SIZE], *list[WORDS_MAX + 1];
	struct container_process found[CONTAINER_PROCESSES];
	size_t count = container_find(found);
	ssize_t size = 0;
	char pid[24];

	for (size_t i = 0; i < count && size <= 0; i++) {
		snprintf(pid, sizeof(pid), "%d", (int)found[i].pid);
		if (found[i].role == CONTAINER_HOLD)
			size = read_proc(pid, "cmdline", command, COMMAND_SIZE);
	}
	split(command, size > 0 ? (size_t)size : 0, list);
	return behind_dashes(list);
}

static void tell_to_end(struct container_told *told, const struct container_process *process, uint64_t now)
{
	size_t i = 0;

	while (i < told->count && told->list[i].pid != process->pid)
		i++;
	if (i < told->count) {
		if (!process->records || told->list[i].twice || now < told->list[i].at + CLOCK_SECOND)
			return;
		told->list[i].twice = true;
	} else if (told->count < CONTAINER_PROCESSES) {
		told->list[told->count].pid = process->pid;
		told->list[told->count++].at = now;
	}
	kill(process->pid, SIGTERM);
}

void container_end_captures(struct container_told *told, uint64_t now)
{
	struct container_process found[CONTAINER_PROCESSES];
	size_t all = container_find(found);

	for (size_t i = 0; i < all; i++) {
		if (found[i].role == CONTAINER_CAPTURE)
			tell_to_end(told, &found[i], now);
	}
}

void container_tell_hold(void)
{
	struct container_process found[CONTAINER_PROCESSES];
	size_t all = getppid() == 0 && getpid() != 1 ? container_find(found) : 0;

	for (size_t i = 0; i < all; i++) {
		if (found[i].role == CONTAINER_HOLD)
			kill(found[i].pid, SIGUSR1);
	}
}

bool container_describe(pid_t pid, struct container_process *process, char text[AUDIT_TEXT_SIZE])
{
	static char own_cgroup[CGROUP_SIZE], command[COMMAND_SIZE], *list[WORDS_MAX + 1];
	char directory[24], path[32];
	struct stat status;
	ssize_t size;

	snprintf(directory, sizeof(directory), "%d", (int)pid);
	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	if (read_proc("self", "cgroup", own_cgroup, sizeof(own_cgroup)) < 0 ||
	    !look_at_process(directory, own_cgroup, command, process) || process->role != CONTAINER_CAPTURE)
		return false;
	size = read_proc(directory, "cmdline", command, COMMAND_SIZE);
	if (size <= 0 || stat(path, &status) < 0)
		return false;
	split(command, (size_t)size, list);
	audit_text(status.st_uid, list, text);
	return true;
}

size_t container_captures(void)
{
	struct container_process found[CONTAINER_PROCESSES];
	size_t all = container_find(found), captures = 0;

	for (size_t i = 0; i < all; i++)
		captures += found[i].role == CONTAINER_CAPTURE;
	return captures;
}

/* Without its cgroup a process cannot be told from ours: it may have ended just now. */
static bool is_another_containers(const char *pid, const char *own_cgroup)
{
	char cgroup[CGROUP_SIZE];

	return strspn(pid, "0123456789") == strlen(pid) && read_proc(pid, "cgroup", cgroup, sizeof(cgroup)) > 0 &&
	       strcmp(cgroup, own_cgroup) != 0;
}

bool container_sees_others(void)
{
	static char own_cgroup[CGROUP_SIZE];
	DIR *processes = opendir("/proc");
	const struct dirent *entry;
	bool sees = false;

	if (processes && read_proc("self", "cgroup", own_cgroup, sizeof(own_cgroup)) > 0) {
		while (!sees && (entry = readdir(processes)))
			sees = is_another_containers(entry->d_name, own_cgroup);
	}
	if (processes)
		closedir(processes);
	return sees;
}
