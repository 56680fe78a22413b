#include "say.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void put(const char *prefix, const char *format, va_list args)
{
	struct pollfd stderr_poll = {.fd = STDERR_FILENO, .events = POLLOUT};
	char line[1024];
	size_t used = strlen(prefix);
	int ready;

	memcpy(line, prefix, used);
	vsnprintf(line + used, sizeof(line) - used - 1, format, args);
	used = strlen(line);
	/* Names and filters come back in messages: they must not make lines of their own, or move the cursor. */
	for (size_t i = 0; i < used; i++) {
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	}
	line[used++] = '\n';
	while ((ready = poll(&stderr_poll, 1, 0)) < 0 && errno == EINTR)
		;
	/* A pipe that polls writable has a free page, more than a line: this write cannot block. */
	if (ready == 1 && (stderr_poll.revents & POLLOUT) && write(STDERR_FILENO, line, used) < 0)
		return; /* there is nowhere left to complain to */
}

void say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put("tarcap: ", format, args);
	va_end(args);
}

void say_bare(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put("", format, args);
	va_end(args);
}
