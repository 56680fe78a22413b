/* Interfaces that come up and go while a capture runs: rtnetlink(7) tells of them. */
#ifndef TARCAP_LINK_WATCH_H
#define TARCAP_LINK_WATCH_H

#include <stdbool.h>

#include "base/err.h"

#define LINK_WATCH_NAME_SIZE 16 /* IFNAMSIZ */
#define LINK_WATCH_MAX 512	/* in a call: a message takes 32 bytes at least, and 16 KiB are read */

struct link_change {
	int ifindex; /* may be that of another interface from the next message on */
	bool deleted;
	char name[LINK_WATCH_NAME_SIZE];
};

/* A descriptor to poll, the caller's to close; from now on nothing is missed. */
MUST_CHECK int link_watch_open(struct err *err);

/*
 * Some of what has been told since the last call: interfaces that are up, known ones again and again, and those that
 * are deleted, in the order in which that happened. Returns how many; *missed: the kernel had more to say than it could
 * keep. Never waits.
 */
int link_watch_read(int fd, struct link_change links[LINK_WATCH_MAX], bool *missed);

#endif
