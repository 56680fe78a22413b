/* Which of many interfaces have packets, without a look at each: the kernel keeps a list, epoll(7). */
#ifndef TARCAP_READY_H
#define TARCAP_READY_H

#include <sys/epoll.h>

struct capture_set;

#define READY_MANY 8 /* interfaces for which it pays, and for which it pays to rest: intake_rest() */

/* A descriptor that is readable while an interface has packets; 0 where they are few, or there is no such list. */
int ready_open(const struct capture_set *captures);
void ready_close(int fd);

/*
 * Those that have packets or an error now, by their places in captures->list, without waiting. Returns how many: at
 * most captures->count, for which list has to have room.
 */
unsigned ready_now(const struct capture_set *captures, struct epoll_event *list);

#endif
