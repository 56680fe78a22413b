#include "archive/context.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "archive/counters.h"
#include "base/clock.h"
#include "system/rtnetlink.h"
#include "system/sock_diag.h"

#define MEMBER_MIN 4096 /* bytes of room, below which a member is not begun */
#define SOCKET_ROW 256	/* bytes of a row of /proc/net/tcp and the like: 150 to 180 */
#define KERNEL_PAGE 4096

/* What can be long comes last, so that it is what finds no room. */
/* clang-format off */
const struct context_source context_sources[] = {
	{"interfaces.json", NULL, netstate_interfaces},
	{"routes.json", NULL, netstate_routes},
	{"neighbours.json", NULL, netstate_neighbours},
	{"resolv.conf", "/etc/resolv.conf"},
	{"hosts", "/etc/hosts"},
	{"proc-net-snmp", "/proc/net/snmp", .counters = true},
	{"proc-net-snmp6", "/proc/net/snmp6", .counters = true},
	{"proc-net-netstat", "/proc/net/netstat", .counters = true},
	{"counters.json"},
	{"proc-net-sockstat", "/proc/net/sockstat"},
	{"proc-net-sockstat6", "/proc/net/sockstat6"},
	{"sockets.json", NULL, netstate_sockets, .open = sock_diag_open},
	{"proc-net-tcp", "/proc/net/tcp", netstate_tcp, .row = SOCKET_ROW},
	{"proc-net-tcp6", "/proc/net/tcp6", netstate_tcp6, .row = SOCKET_ROW},
	{"proc-net-udp", "/proc/net/udp", .row = SOCKET_ROW},
	{"proc-net-udp6", "/proc/net/udp6", .row = SOCKET_ROW},
};
/* clang-format on */
const size_t context_source_count = sizeof(context_sources) / sizeof(context_sources[0]);

static const char cut_line[] = "# cut here: tarcap keeps 64 KiB of a file\n";
#define CUT_LINE_SIZE (sizeof(cut_line) - 1)

/* Has it a descriptor of its own? */
static bool is_own(const struct context_source *source)
{
	return source->path || source->open;
}

static void open_source(struct context *context, size_t i)
{
	const struct context_source *source = &context->sources[i];

	context->fds[i] = context->netlink;
	context->errnums[i] = context->netlink_errnum;
	if (!is_own(source))
		return;
	/* O_NONBLOCK: whatever stands there, it keeps nobody waiting. */
	context->fds[i] =
		source->open ? source->open() : open(source->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	context->errnums[i] = errno;
}

int context_open(struct context *context, const struct context_source *sources, size_t count, struct err *err)
{
	*context = (struct context){.sources = sources, .count = count};
	context->netlink = rtnetlink_open();
	context->netlink_errnum = errno;
	for (size_t i = 0; i < count; i++)
		open_source(context, i);
	/* Its pages cost nothing until they are used. */
	context->memory = malloc(CONTEXT_MEMORY);
	return context->memory ? 0 : err_sys(err, ENOMEM, "memory for the context");
}

void context_close(struct context *context)
{
	for (size_t i = 0; i < context->count; i++) {
		if (is_own(&context->sources[i]) && context->fds[i] >= 0)
			close(context->fds[i]);
	}
	if (context->count && context->netlink >= 0)
		close(context->netlink);
	free(context->memory);
	*context = (struct context){0};
}

static bool is_collected(const struct context_source *source)
{
	return !source->path && !source->write;
}

/* Cut text of size bytes behind a line, so that what says so still fits into room. */
static void cut(struct context_member *member, char *text, size_t room)
{
	size_t most = room - CUT_LINE_SIZE, size = member->size < most ? member->size : most;
	const char *end = memrchr(text, '\n', size);

	if (end)
		size = (size_t)(end - text) + 1;
	memcpy(text + size, cut_line, CUT_LINE_SIZE);
	member->size = size + CUT_LINE_SIZE;
	member->cut = true;
}

/*
 * The kernel gives as many rows as go into a page (seq_read_iter()), so fewer are the last. To ask for more only to
 * hear that there are none, it would look through its whole table once more, which takes milliseconds.
 */
static bool is_last(const struct context_source *source, ssize_t n)
{
	return source->row && (size_t)n + source->row <= KERNEL_PAGE;
}

/* A file of /proc is made anew when it is read from its beginning. */
static void read_file(struct context_member *member, const struct context_source *source, int fd, bool again,
		      char *text, size_t room)
{
	char more;
	ssize_t n = again && lseek(fd, 0, SEEK_SET) < 0 ? -1 : 1;

	while (n > 0 && member->size < room) {
		n = read(fd, text + member->size, room - member->size);
		member->size += n > 0 ? (size_t)n : 0;
		if (is_last(source, n))
			break;
	}
	if (n < 0)
		member->left_out = strerror(errno);
	else if (member->size == room && read(fd, &more, 1) == 1)
		cut(member, text, room);
}

static void keep_answer(struct context_member *member, const struct netstate_text *answer)
{
	if (answer->errnum)
		member->left_out = strerror(answer->errnum);
	member->size = answer->used;
	member->cut = answer->cut;
}

static void ask_kernel(struct context_member *member, netstate_write *write, int fd, char *text, size_t room)
{
	struct netstate_text answer = {.size = room};

	answer.text = text;
	write(&answer, fd, member->time);
	keep_answer(member, &answer);
}

/* What a list in front of it has told of the same; false: nothing. */
static bool make_rows(struct context_member *member, netstate_write *write, char *text, size_t room)
{
	struct netstate_text answer = {.size = room};

	answer.text = text;
	write(&answer, -1, 0);
	if (answer.errnum)
		return false;
	member->time = answer.time;
	member->size = answer.used;
	if (answer.cut)
		cut(member, text, room);
	return true;
}

/* Of the files that have been read at this moment, in front of the member. Without any it is left out as they are. */
static void collect_counters(struct context *context, struct context_member *members, size_t i, char *text, size_t room)
{
	struct netstate_text answer = {.size = room};
	struct counters counters;
	const char *left_out = NULL;
	bool any = false;

	answer.text = text;
	counters_begin(&counters, &answer);
	for (size_t k = 0; k < i; k++) {
		if (!context->sources[k].counters)
			continue;
		counters_put(&counters, members[k].text, members[k].size);
		any |= !members[k].left_out;
		left_out = members[k].left_out;
	}
	counters_end(&counters);
	keep_answer(&members[i], &answer);
	if (!any)
		members[i].left_out = left_out;
}

/* Into text, which has so much room. */
static void read_member(struct context *context, enum context_moment moment, size_t i, char *text, size_t room)
{
	struct context_member *member = &context->members[moment][i];
	const struct context_source *source = &context->sources[i];
	int fd = context->fds[i];

	member->text = text;
	member->time = clock_real();
	if (room < MEMBER_MIN)
		member->left_out = "the memory for the context is full";
	else if (is_collected(source))
		collect_counters(context, context->members[moment], i, text, room);
	else if (source->path && source->write && make_rows(member, source->write, text, room))
		return;
	else if (fd < 0)
		member->left_out = strerror(context->errnums[i]);
	else if (source->path)
		read_file(member, source, fd, moment != CONTEXT_START, text, room);
	else
		ask_kernel(member, source->write, fd, text, room);
	if (member->left_out)
		member->size = 0;
}

void context_read(struct context *context, enum context_moment moment)
{
	char *text = context->memory + moment * (CONTEXT_MEMORY / 2);
	size_t room = CONTEXT_MEMORY / 2;

	if (context->count && context->members[moment][0].time)
		return;
	for (size_t i = 0; i < context->count; i++) {
		size_t *size = &context->members[moment][i].size;

		read_member(context, moment, i, text, room < CONTEXT_MEMBER_MAX ? room : CONTEXT_MEMBER_MAX);
		text += *size;
		room -= *size;
	}
}

char *context_name(const struct context *context, enum context_moment moment, size_t source,
		   char name[CONTEXT_NAME_SIZE])
{
	snprintf(name, CONTEXT_NAME_SIZE, "context/%s/%s", moment == CONTEXT_START ? "start" : "end",
		 context->sources[source].name);
	return name;
}

int context_next(const struct context *context, enum context_moment moment)
{
	for (size_t i = 0; i < context->count; i++) {
		const struct context_member *member = &context->members[moment][i];

		if (member->time && !member->sent && !member->left_out)
			return (int)i;
	}
	return -1;
}

void context_drop(struct context *context, const char *why)
{
	for (size_t i = 0; i < CONTEXT_MOMENTS * context->count; i++) {
		struct context_member *member = &context->members[i / context->count][i % context->count];

		if (member->time && !member->sent && !member->left_out)
			member->left_out = why;
	}
}
