/*
 * The tarcap processes of this container. With a shared process namespace other containers' are visible, too: a
 * process is one of ours only if it is in our own cgroup. All that is read of it stays readable to its own uid, also
 * where its binary has file capabilities (proc(5)).
 */
#ifndef TARCAP_CONTAINER_H
#define TARCAP_CONTAINER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "system/audit.h"

#define CONTAINER_PROCESSES 256 /* found at most */

enum container_role { CONTAINER_HOLD, CONTAINER_CAPTURE };

struct container_process {
	pid_t pid;
	enum container_role role;
};

/* Can processes be found at all? Not without /proc. */
bool container_is_visible(void);

/* The hold and the captures there are, but for the calling process. Returns how many. */
size_t container_find(struct container_process found[CONTAINER_PROCESSES]);

/*
 * The words of the hold's command line behind its "--", which captures by kubectl cp begin with: argv-like, and valid
 * until the next call. Empty when there is no hold, or nothing behind its "--".
 */
char **container_hold_words(void);

/* SIGTERM to every capture; one that was told already (told, of *count) is not told again: that would cut it. */
void container_end_captures(pid_t told[CONTAINER_PROCESSES], size_t *count);

/*
 * Called by a capture: SIGUSR1 to the hold of the container that it was started in from outside, by docker exec or
 * kubectl exec. (Such a process has no parent here.)
 */
void container_tell_hold(void);

/* Who asked for the capture that process pid is, as audit_text() has it; false if it is none of this container's. */
bool container_describe(pid_t pid, char text[AUDIT_TEXT_SIZE]);

/* How many captures there are. */
size_t container_captures(void);

#endif
