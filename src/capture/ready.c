#include "capture/ready.h"

#include <unistd.h>

#include "capture/capture_set.h"

int ready_open(const struct capture_set *captures)
{
	int fd = captures->count >= READY_MANY ? epoll_create1(EPOLL_CLOEXEC) : -1;

	for (unsigned i = 0; fd > 0 && i < captures->count; i++) {
		struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};

		if (epoll_ctl(fd, EPOLL_CTL_ADD, captures->list[i].capture.fd, &event) < 0) {
			close(fd);
			return 0;
		}
	}
	return fd > 0 ? fd : 0;
}

void ready_close(int fd)
{
	if (fd > 0)
		close(fd);
}

unsigned ready_now(const struct capture_set *captures, struct epoll_event *list)
{
	/* In the sandbox there is the one call of these that every architecture has. No mask is none: epoll_wait(2). */
	/* cppcheck-suppress nullPointer */
	int count = epoll_pwait(captures->ready_fd, list, (int)captures->count, 0, NULL);

	return count > 0 ? (unsigned)count : 0;
}
