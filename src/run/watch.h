/* Interfaces that come and go while a capture runs. */
#ifndef TARCAP_WATCH_H
#define TARCAP_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "capture/capture_set.h"

struct watch {
	struct capture_set *captures;
	int links_fd; /* to be polled; see link_watch.h. -1: nobody asks */
	unsigned links_said;
	uint64_t down_check_at; /* boot time when to look at those that are down; 0: none is */
};

/* Both stay the caller's. */
void watch_init(struct watch *watch, struct capture_set *captures, int links_fd);

/*
 * See how an interface is, and say what has changed. now is boot time. True if it is gone, and was the last: then
 * nothing more can come.
 */
bool watch_interface(struct watch *watch, struct interface *interface, uint64_t now);

/* The same for those that are down: nothing tells when one of these is gone. */
bool watch_those_down(struct watch *watch, uint64_t now);

/* links_fd is readable: say and note what has come up and is not captured. True as above. */
bool watch_links(struct watch *watch, uint64_t now);

#endif
