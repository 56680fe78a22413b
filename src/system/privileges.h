/* What the kernel lets this process do: taking the one capability that a capture needs, and giving all of them up. */
#ifndef TARCAP_PRIVILEGES_H
#define TARCAP_PRIVILEGES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define PRIVILEGES_NET_RAW (UINT64_C(1) << 13) /* CAP_NET_RAW, as a set of capabilities: capabilities(7) */
#define PRIVILEGES_KILL (UINT64_C(1) << 5)     /* CAP_KILL */
#define PRIVILEGES_READ_ALL (UINT64_C(3) << 1) /* CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH */

/* As the kernel says it, without /proc. Sets of capabilities have bit N for the capability N. */
struct privileges {
	unsigned uid, gid;
	uint64_t permitted, effective, bounding;
	bool no_new_privs;
	int seccomp;	  /* the mode: 0 none, 2 a filter; -1 unknown */
	bool whole_range; /* of user ids: not in a user namespace that maps some of them */
	bool range_known; /* that is in /proc alone */
};

void privileges_read(struct privileges *privileges);

/*
 * To be called by what captures, before a socket is open: when memory is short, the kernel is to end us before the
 * service beside us (oom_score_adj 1000, proc(5)), and nobody who shares our user and PID namespace is to trace us or
 * to take the socket (not dumpable: prctl(2), PR_SET_DUMPABLE). Docker starts a binary with file capabilities so that
 * it is not dumpable, and its files in /proc belong to root: then it is, while that one number is written. Nobody can
 * make use of that moment: tracing takes every capability that we are permitted (ptrace(2)), and NET_RAW still is.
 */
void privileges_stand_back(void);

/*
 * Make NET_RAW effective, where it is permitted only. That is how the binary's file capability gives it: with one that
 * is effective at once, execve(2) itself fails where the bounding set has no NET_RAW, and nobody could say why.
 * Without the permission nothing happens; the socket that is refused then tells.
 */
void privileges_raise(void);

/*
 * Give up every capability that is not in keep, for good: from the effective, permitted, inheritable and ambient sets,
 * from the bounding set where that is allowed (it takes CAP_SETPCAP), and set no_new_privs, so that execve(2) cannot
 * bring any back.
 */
int privileges_drop(uint64_t keep, struct err *err);

/*
 * May whoever has our uid, and every capability that we still are permitted, look at our open files by /proc/PID/fd
 * (dumpable: prctl(2), PR_SET_DUMPABLE; ptrace(2), access mode checking)? A runtime may have started us so that only
 * root may. It may then trace us, too: to be called by one that has no packet socket, and nothing that it could be made
 * to give.
 */
int privileges_be_seen(struct err *err);

/* A reason why a packet socket is refused, and what cures it. */
struct refusal {
	const char *why;
	const char *docker, *kubernetes; /* flags, and YAML */
};

/* The one that applies to a process that has these privileges, and was refused. */
const struct refusal *privileges_refusal(const struct privileges *privileges);

#endif
