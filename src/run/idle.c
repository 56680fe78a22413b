#include "run/idle.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void idle_open(struct idle *idle)
{
	*idle = (struct idle){.fd = open("/proc/net/dev", O_RDONLY | O_CLOEXEC)};
}

void idle_close(struct idle *idle)
{
	if (idle->fd >= 0)
		close(idle->fd);
	idle->fd = -1;
}

static bool is_captured(const struct capture_set *captures, const char *name)
{
	for (unsigned i = 0; i < captures->count; i++) {
		const struct capture *capture = &captures->list[i].capture;

		if (capture->any || strcmp(capture->interface, name) == 0)
			return true;
	}
	return false;
}

/*
 * A row of /proc/net/dev: a name, ':', 8 numbers of what came in, 8 of what went out, each beginning with bytes and
 * packets. What goes out on lo comes in, too.
 */
static unsigned count_row(const char *row, const struct capture_set *captures, uint64_t *packets)
{
	char name[INTERFACES_NAME_SIZE];
	uint64_t in, out;

	if (sscanf(row, " %15[^:]: %*s %" SCNu64 " %*s %*s %*s %*s %*s %*s %*s %" SCNu64, name, &in, &out) != 3 ||
	    !is_captured(captures, name))
		return 0;
	*packets += strcmp(name, "lo") == 0 ? in : in + out;
	return 1;
}

/* False unless each that is captured has a row. */
static bool count_passed(const struct idle *idle, const struct capture_set *captures, uint64_t *packets)
{
	char text[4096 + 1];
	size_t used = 0;
	ssize_t n;
	unsigned rows = 0;

	*packets = 0;
	if (idle->fd < 0 || lseek(idle->fd, 0, SEEK_SET) != 0)
		return false;
	while ((n = read(idle->fd, text + used, sizeof(text) - 1 - used)) > 0 || (n < 0 && errno == EINTR)) {
		char *row = text, *end;

		used += n > 0 ? (size_t)n : 0;
		text[used] = '\0';
		for (; (end = strchr(row, '\n')); row = end + 1) {
			*end = '\0';
			rows += count_row(row, captures, packets);
		}
		used -= (size_t)(row - text);
		memmove(text, row, used);
	}
	return n == 0 && (captures->list[0].capture.any ? rows > 0 : rows == captures->count);
}

void idle_begin(struct idle *idle, const struct capture_set *captures)
{
	idle->begun = count_passed(idle, captures, &idle->before);
}

void idle_end(struct idle *idle, const struct capture_set *captures)
{
	if (idle->begun && !idle->ended)
		idle->ended = count_passed(idle, captures, &idle->after);
}

bool idle_passed(const struct idle *idle, uint64_t *packets)
{
	/* An interface that was made anew meanwhile has counted from 0. */
	if (!idle->ended || idle->after < idle->before)
		return false;
	*packets = idle->after - idle->before;
	return true;
}
