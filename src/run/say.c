#include "run/say.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int out = STDERR_FILENO;
static pid_t group;	 /* our process group */
static unsigned columns; /* of the terminal that a line may have, as it was last */
static const char *live; /* the line that stands at the bottom of the terminal, or NULL */
static size_t live_size; /* columns that it takes */

/* By overwriting, which every terminal understands. If the terminal has shrunk, no more than it has. */
static size_t put_over(char *to)
{
	size_t size = live_size < columns ? live_size : columns;

	if (size == 0)
		return 0;
	to[0] = '\r';
	memset(to + 1, ' ', size);
	to[1 + size] = '\r';
	return size + 2;
}

static size_t put_live(char *to)
{
	live_size = live ? strnlen(live, SAY_LIVE_MAX) : 0;
	if (live_size > 0)
		memcpy(to, live, live_size);
	return live_size;
}

static bool send_now(const char *bytes, size_t size)
{
	struct pollfd polled = {.fd = out, .events = POLLOUT};
	int ready;

	while ((ready = poll(&polled, 1, 0)) < 0 && errno == EINTR)
		;
	/* A pipe that polls writable has a free page, more than a line: this write cannot block. */
	return ready == 1 && (polled.revents & POLLOUT) && write(out, bytes, size) >= 0;
}

static void put_line(const char *prefix, const char *format, va_list args)
{
	char line[1024 + 2 * SAY_LIVE_MAX + 2];
	size_t front = put_over(line), used = front + (size_t)snprintf(line + front, 1024, "%s", prefix);

	vsnprintf(line + used, 1024 - (used - front) - 1, format, args);
	used += strlen(line + used);
	/* Names and filters come back in messages: they must not make lines of their own, or move the cursor. */
	for (size_t i = front; i < used; i++) {
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	}
	line[used++] = '\n';
	used += put_live(line + used);
	(void)send_now(line, used); /* there is nowhere left to complain to */
}

bool say_live_open(void)
{
	int own;

	if (!isatty(STDERR_FILENO))
		return false;
	group = getpgrp();
	own = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (own >= 0)
		out = own;
	return true;
}

unsigned say_live_columns(void)
{
	struct winsize size = {0};
	pid_t foreground = tcgetpgrp(out); /* -1 where it is not our controlling terminal: then nobody is */

	if (ioctl(out, TIOCGWINSZ, &size) < 0 || (foreground > 0 && foreground != group)) {
		live = NULL; /* it is somebody else's line by now */
		live_size = 0;
		return 0;
	}
	columns = size.ws_col > 1 ? size.ws_col - 1U : 79; /* in the last one it might wrap */
	return columns;
}

void say_live(const char *text)
{
	char line[2 * SAY_LIVE_MAX + 2];
	size_t used = put_over(line);

	live = text;
	used += put_live(line + used);
	if (used > 0)
		(void)send_now(line, used);
}

void say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put_line("tarcap: ", format, args);
	va_end(args);
}

void say_bare(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put_line("", format, args);
	va_end(args);
}
