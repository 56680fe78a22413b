/* What passed the captured interfaces, by their own counters: were they idle, or did nothing match the filter? */
#ifndef TARCAP_IDLE_H
#define TARCAP_IDLE_H

#include <stdbool.h>
#include <stdint.h>

#include "capture/capture_set.h"

struct idle {
	int fd; /* /proc/net/dev, or -1 */
	bool begun, ended;
	uint64_t before, after; /* packets, both ways */
};

/* Before the sandbox. Where the kernel does not tell, nothing is known later. */
void idle_open(struct idle *idle);
void idle_close(struct idle *idle);

/* When the capture has begun, and when it has ended. */
void idle_begin(struct idle *idle, const struct capture_set *captures);
void idle_end(struct idle *idle, const struct capture_set *captures);

/* Packets that passed in between; false where that is not known. */
bool idle_passed(const struct idle *idle, uint64_t *packets);

#endif
