/*
 * Failures on demand: linked in front of everything by -Wl,--wrap, also inside the static libraries.
 *
 * FAULT=GROUP:N[:HOW] makes the N-th call of GROUP fail; N+ every one from there on. Groups are malloc, pcap, archive,
 * json, write (but not to stderr), read, system, socket and clock. HOW is an errno's name as below, or SHORT (a write
 * of some of the bytes). clock: from the N-th reading on, the real time is an hour earlier; N+ an
 * hour more with each.
 * FAULT_LOG=FILE: at the end, a line "GROUP CALLS" for each group goes there.
 */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pcap/pcap.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define SHORT (-1)
#define HOUR 3600

enum group {
	GROUP_MALLOC,
	GROUP_PCAP,
	GROUP_ARCHIVE,
	GROUP_JSON,
	GROUP_WRITE,
	GROUP_READ,
	GROUP_SYSTEM,
	GROUP_SOCKET,
	GROUP_CLOCK,
	GROUPS,
};

static const struct {
	const char *name;
	int error; /* unless FAULT says how */
} groups[GROUPS] = {
	[GROUP_MALLOC] = {"malloc", ENOMEM}, [GROUP_PCAP] = {"pcap", ENOMEM},	  [GROUP_ARCHIVE] = {"archive", ENOMEM},
	[GROUP_JSON] = {"json", ENOMEM},     [GROUP_WRITE] = {"write", EIO},	  [GROUP_READ] = {"read", EIO},
	[GROUP_SYSTEM] = {"system", ENOMEM}, [GROUP_SOCKET] = {"socket", ENOMEM}, [GROUP_CLOCK] = {"clock", 0},
};

static const struct {
	const char *name;
	int error;
} hows[] = {
	{"EAGAIN", EAGAIN}, {"EINTR", EINTR}, {"EIO", EIO},	{"EMFILE", EMFILE}, {"ENOMEM", ENOMEM},
	{"ENOSPC", ENOSPC}, {"EPERM", EPERM}, {"EPIPE", EPIPE}, {"SHORT", SHORT},
};

static unsigned long calls[GROUPS];
static enum group faulty = GROUPS; /* none */
static unsigned long at;
static bool from_there_on;
static int error;
static bool inside_archive; /* what libarchive calls of itself does not count */

/* The libraries' functions as they are. */
#define REAL(type, name, parameters) type __real_##name parameters
/* A function is declared, as the linker calls it, and then defined to fail when it is its turn. */
#define WRAP(group, type, name, parameters, arguments, failure) \
	REAL(type, name, parameters); \
	type __wrap_##name parameters; \
	type __wrap_##name parameters \
	{ \
		if (fails(group)) \
			return failure; \
		return __real_##name arguments; \
	}

REAL(ssize_t, write, (int fd, const void *data, size_t size));
REAL(int, open, (const char *path, int flags, ...));

static void die(const char *why)
{
	dprintf(STDERR_FILENO, "fault: FAULT=%s: %s\n", getenv("FAULT"), why);
	_exit(99);
}

/* Before what libgcov does at the end, which allocates, too. */
static void at_end(void)
{
	const char *path = getenv("FAULT_LOG");
	char text[512];
	int used = 0, fd;

	faulty = GROUPS;
	if (!path)
		return;
	for (int group = 0; group < GROUPS; group++)
		used += snprintf(text + used, sizeof(text) - (size_t)used, "%s %lu\n", groups[group].name,
				 calls[group]);
	fd = __real_open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (fd < 0 || __real_write(fd, text, (size_t)used) != used)
		die("cannot write FAULT_LOG");
	close(fd);
}

static void __attribute__((constructor)) at_start(void)
{
	const char *fault = getenv("FAULT");
	char name[16] = "", how[16] = "", plus[2] = "";

	atexit(at_end);
	memset(calls, 0, sizeof(calls)); /* what came before main is not ours */
	if (!fault)
		return;
	if (sscanf(fault, "%15[a-z]:%lu%1[+]:%15s", name, &at, plus, how) < 3 &&
	    sscanf(fault, "%15[a-z]:%lu:%15s", name, &at, how) < 2)
		die("is not GROUP:N[+][:HOW]");
	from_there_on = plus[0];
	for (int group = 0; group < GROUPS; group++) {
		if (strcmp(name, groups[group].name) == 0) {
			faulty = (enum group)group;
			error = groups[group].error;
		}
	}
	if (faulty == GROUPS)
		die("no such group");
	for (size_t i = 0; i < sizeof(hows) / sizeof(*hows); i++) {
		if (strcmp(how, hows[i].name) == 0) {
			error = hows[i].error;
			how[0] = '\0';
		}
	}
	if (how[0])
		die("no such errno");
}

static bool fails(enum group group)
{
	unsigned long call;

	if (group == GROUP_ARCHIVE && inside_archive)
		return false;
	call = ++calls[group];
	if (group != faulty || (from_there_on ? call < at : call != at))
		return false;
	errno = error;
	return true;
}

/* --- memory --- */

WRAP(GROUP_MALLOC, void *, malloc, (size_t size), (size), NULL)
WRAP(GROUP_MALLOC, void *, calloc, (size_t count, size_t size), (count, size), NULL)
WRAP(GROUP_MALLOC, void *, realloc, (void *old, size_t size), (old, size), NULL)
WRAP(GROUP_MALLOC, char *, strdup, (const char *text), (text), NULL)
WRAP(GROUP_MALLOC, void *, pages_take, (size_t size), (size), NULL) /* ours, of whole pages */

/* --- libpcap --- */

static char *injected(char *text)
{
	strcpy(text, "injected");
	return text;
}

/* libpcap's error text is where pcap_geterr() points. */
#define PCAP_FAILS(pcap, value) (injected(pcap_geterr(pcap)), value)

WRAP(GROUP_PCAP, pcap_t *, pcap_create, (const char *name, char *text), (name, text), (injected(text), NULL))
WRAP(GROUP_PCAP, int, pcap_set_snaplen, (pcap_t * p, int n), (p, n), PCAP_ERROR_ACTIVATED)
WRAP(GROUP_PCAP, int, pcap_set_promisc, (pcap_t * p, int n), (p, n), PCAP_ERROR_ACTIVATED)
WRAP(GROUP_PCAP, int, pcap_set_timeout, (pcap_t * p, int n), (p, n), PCAP_ERROR_ACTIVATED)
WRAP(GROUP_PCAP, int, pcap_set_buffer_size, (pcap_t * p, int n), (p, n), PCAP_ERROR_ACTIVATED)
WRAP(GROUP_PCAP, int, pcap_activate, (pcap_t * p), (p), PCAP_FAILS(p, PCAP_ERROR))
WRAP(GROUP_PCAP, int, pcap_setnonblock, (pcap_t * p, int on, char *text), (p, on, text), (injected(text), -1))
WRAP(GROUP_PCAP, int, pcap_setfilter, (pcap_t * p, struct bpf_program *f), (p, f), PCAP_FAILS(p, PCAP_ERROR))
WRAP(GROUP_PCAP, int, pcap_compile, (pcap_t * p, struct bpf_program *f, const char *text, int o, bpf_u_int32 mask),
     (p, f, text, o, mask), PCAP_FAILS(p, PCAP_ERROR))
WRAP(GROUP_PCAP, int, pcap_dispatch, (pcap_t * p, int count, pcap_handler handler, u_char *context),
     (p, count, handler, context), PCAP_FAILS(p, PCAP_ERROR))
WRAP(GROUP_PCAP, pcap_t *, pcap_fopen_offline, (FILE * file, char *text), (file, text), (injected(text), NULL))
WRAP(GROUP_PCAP, pcap_t *, pcap_open_dead, (int link, int snaplen), (link, snaplen), NULL)
WRAP(GROUP_PCAP, pcap_dumper_t *, pcap_dump_fopen, (pcap_t * p, FILE *file), (p, file), PCAP_FAILS(p, NULL))
WRAP(GROUP_PCAP, int, pcap_findalldevs, (pcap_if_t * *all, char *text), (all, text), (*all = NULL, injected(text), -1))
WRAP(GROUP_PCAP, int, pcap_get_selectable_fd, (pcap_t * p), (p), -1)
WRAP(GROUP_PCAP, const char *, pcap_datalink_val_to_name, (int link), (link), NULL)
WRAP(GROUP_PCAP, const char *, pcap_datalink_val_to_description, (int link), (link), NULL)

/* --- libarchive --- */

#define ARCHIVE_FAILS(a) (archive_set_error(a, error, "injected"), ARCHIVE_FATAL)

WRAP(GROUP_ARCHIVE, struct archive *, archive_write_new, (void), (), NULL)
WRAP(GROUP_ARCHIVE, struct archive_entry *, archive_entry_new, (void), (), NULL)
WRAP(GROUP_ARCHIVE, int, archive_write_set_format_ustar, (struct archive * a), (a), ARCHIVE_FAILS(a))
WRAP(GROUP_ARCHIVE, int, archive_write_set_bytes_per_block, (struct archive * a, int n), (a, n), ARCHIVE_FAILS(a))
WRAP(GROUP_ARCHIVE, int, archive_write_open,
     (struct archive * a, void *context, archive_open_callback *o, archive_write_callback *w,
      archive_close_callback *c),
     (a, context, o, w, c), ARCHIVE_FAILS(a))
/*
 * A header ends the entry before it, by the public function. Were that to fail, libarchive would give up the archive,
 * and then never release its output's state: a leak of its own, of 33 bytes.
 */
REAL(int, archive_write_header, (struct archive * a, struct archive_entry *e));
int __wrap_archive_write_header(struct archive *a, struct archive_entry *e);
int __wrap_archive_write_header(struct archive *a, struct archive_entry *e)
{
	int result;

	if (fails(GROUP_ARCHIVE))
		return ARCHIVE_FAILS(a);
	inside_archive = true;
	result = __real_archive_write_header(a, e);
	inside_archive = false;
	return result;
}

WRAP(GROUP_ARCHIVE, la_ssize_t, archive_write_data, (struct archive * a, const void *data, size_t size),
     (a, data, size), ARCHIVE_FAILS(a))
WRAP(GROUP_ARCHIVE, int, archive_write_finish_entry, (struct archive * a), (a), ARCHIVE_FAILS(a))
WRAP(GROUP_ARCHIVE, int, archive_write_close, (struct archive * a), (a), ARCHIVE_FAILS(a))

/* --- jansson --- */

WRAP(GROUP_JSON, json_t *, json_object, (void), (), NULL)
WRAP(GROUP_JSON, json_t *, json_array, (void), (), NULL)
WRAP(GROUP_JSON, json_t *, json_string, (const char *text), (text), NULL)
WRAP(GROUP_JSON, json_t *, json_integer, (json_int_t value), (value), NULL)
WRAP(GROUP_JSON, json_t *, json_real, (double value), (value), NULL)
WRAP(GROUP_JSON, json_t *, json_loadb, (const char *text, size_t size, size_t flags, json_error_t *why),
     (text, size, flags, why), NULL)
WRAP(GROUP_JSON, int, json_dump_callback, (const json_t *json, json_dump_callback_t back, void *context, size_t flags),
     (json, back, context, flags), -1)

/* It takes the value in any case. */
WRAP(GROUP_JSON, int, json_object_set_new, (json_t * object, const char *name, json_t *value), (object, name, value),
     (json_decref(value), -1))

/* --- writing and reading --- */

REAL(ssize_t, writev, (int fd, const struct iovec *parts, int count));
REAL(ssize_t, pwritev2, (int fd, const struct iovec *parts, int count, off_t offset, int flags));
ssize_t __wrap_write(int fd, const void *data, size_t size);
ssize_t __wrap_writev(int fd, const struct iovec *parts, int count);
ssize_t __wrap_pwritev2(int fd, const struct iovec *parts, int count, off_t offset, int flags);

/* The first part's first half, at least one byte. */
static struct iovec shorter(const struct iovec *parts)
{
	return (struct iovec){parts->iov_base, parts->iov_len / 2 + (parts->iov_len == 1)};
}

ssize_t __wrap_write(int fd, const void *data, size_t size)
{
	if (fd == STDERR_FILENO || !fails(GROUP_WRITE))
		return __real_write(fd, data, size);
	return error == SHORT ? __real_write(fd, data, size > 1 ? size / 2 : size) : -1;
}

ssize_t __wrap_writev(int fd, const struct iovec *parts, int count)
{
	struct iovec first = shorter(parts);

	if (!fails(GROUP_WRITE))
		return __real_writev(fd, parts, count);
	return error == SHORT ? __real_writev(fd, &first, 1) : -1;
}

ssize_t __wrap_pwritev2(int fd, const struct iovec *parts, int count, off_t offset, int flags)
{
	struct iovec first = shorter(parts);

	if (!fails(GROUP_WRITE))
		return __real_pwritev2(fd, parts, count, offset, flags);
	return error == SHORT ? __real_pwritev2(fd, &first, 1, offset, flags) : -1;
}

WRAP(GROUP_READ, ssize_t, read, (int fd, void *data, size_t size), (fd, data, size), -1)

/* --- the system --- */

int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
	va_list more;
	int mode;

	va_start(more, flags);
	mode = flags & O_CREAT ? va_arg(more, int) : 0;
	va_end(more);
	return fails(GROUP_SYSTEM) ? -1 : __real_open(path, flags, mode);
}

WRAP(GROUP_SYSTEM, int, timerfd_create, (int clock, int flags), (clock, flags), -1)
WRAP(GROUP_SYSTEM, int, timerfd_settime, (int fd, int flags, const struct itimerspec *now, struct itimerspec *old),
     (fd, flags, now, old), -1)
WRAP(GROUP_SYSTEM, int, signalfd, (int fd, const sigset_t *set, int flags), (fd, set, flags), -1)
WRAP(GROUP_SYSTEM, int, fstat, (int fd, struct stat *status), (fd, status), -1)
WRAP(GROUP_SYSTEM, int, poll, (struct pollfd * polled, nfds_t count, int timeout), (polled, count, timeout), -1)
WRAP(GROUP_SYSTEM, void *, mmap, (void *where, size_t size, int protection, int flags, int fd, off_t offset),
     (where, size, protection, flags, fd, offset), MAP_FAILED)
WRAP(GROUP_SYSTEM, FILE *, fopen, (const char *path, const char *mode), (path, mode), NULL)
WRAP(GROUP_SYSTEM, FILE *, fopencookie, (void *cookie, const char *mode, cookie_io_functions_t functions),
     (cookie, mode, functions), NULL)

WRAP(GROUP_SOCKET, int, socket, (int family, int type, int protocol), (family, type, protocol), -1)
WRAP(GROUP_SOCKET, int, bind, (int fd, const struct sockaddr *address, socklen_t size), (fd, address, size), -1)
WRAP(GROUP_SOCKET, int, setsockopt, (int fd, int level, int name, const void *value, socklen_t size),
     (fd, level, name, value, size), -1)
WRAP(GROUP_SOCKET, int, getsockopt, (int fd, int level, int name, void *value, socklen_t *size),
     (fd, level, name, value, size), -1)

/* --- the clock --- */

REAL(int, clock_gettime, (clockid_t id, struct timespec *now));
int __wrap_clock_gettime(clockid_t id, struct timespec *now);
int __wrap_clock_gettime(clockid_t id, struct timespec *now)
{
	static bool asked, again;
	static long hours;
	int result = __real_clock_gettime(id, now);

	if (id == CLOCK_REALTIME && faulty == GROUP_CLOCK) {
		again = asked ? again : from_there_on;
		asked = from_there_on = true; /* a clock that was set stays so */
	}
	if (id == CLOCK_REALTIME && fails(GROUP_CLOCK)) {
		hours = again ? hours + 1 : 1;
		now->tv_sec -= hours * HOUR;
	}
	return result;
}
