/* Interfaces that come up while a capture runs: rtnetlink(7) tells of them. */
#ifndef TARCAP_NEWCOMERS_H
#define TARCAP_NEWCOMERS_H

#include <stdbool.h>

#include "err.h"

#define NEWCOMERS_NAME_SIZE 16 /* IFNAMSIZ */
#define NEWCOMERS_MAX 512      /* in a call: a message takes 32 bytes at least, and 16 KiB are read */

struct newcomer {
	int ifindex;
	char name[NEWCOMERS_NAME_SIZE];
};

/* A descriptor to poll, the caller's to close; from now on nothing is missed. */
MUST_CHECK int newcomers_open(struct err *err);

/*
 * Some of what has been told since the last call: interfaces that are up, known ones again and again. Returns how many;
 * *missed: the kernel had more to say than it could keep. Never waits.
 */
int newcomers_read(int fd, struct newcomer newcomers[NEWCOMERS_MAX], bool *missed);

#endif
