/*
 * The tarcap processes of this container. With a shared process namespace other containers' are visible, too: a
 * process is one of ours only if it is in our own cgroup. All that is read of it stays readable to its own uid, also
 * where its binary has file capabilities (proc(5)).
 *
 * A hold's recorder, a child of it with the same words, is a part of its hold: it is neither found nor signalled. It
 * has another name (CONTAINER_RECORDER, as comm: PR_SET_NAME) than the binary's, which all others have.
 */
#ifndef TARCAP_CONTAINER_H
#define TARCAP_CONTAINER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "system/audit.h"

#define CONTAINER_PROCESSES 256 /* found at most */
#define CONTAINER_RECORDER "tarcap-recorder"

enum container_role { CONTAINER_HOLD, CONTAINER_CAPTURE };

struct container_process {
	pid_t pid;
	enum container_role role;
	bool snapshot; /* what it sends is what a hold's recorder has */
	bool records;  /* it sends only once it is told to end (--record) */
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

/* The captures that were told to end; all zero: none. */
struct container_told {
	size_t count;
	struct {
		pid_t pid;
		uint64_t at; /* boot time */
		bool twice;
	} list[CONTAINER_PROCESSES];
};

/*
 * SIGTERM to every capture. One that was told already is not told again, which would cut it; but one that records is,
 * after a second: the first only lets it begin to send, the second has it send no more than its manifest.
 */
void container_end_captures(struct container_told *told, uint64_t now);

/*
 * Called by a capture: SIGUSR1 to the hold of the container that it was started in from outside, by docker exec or
 * kubectl exec. (Such a process has no parent here.)
 */
void container_tell_hold(void);

/* Who asked for the capture that this is, as audit_text() has it; false if process pid is none of this container's. */
bool container_describe(pid_t pid, struct container_process *process, char text[AUDIT_TEXT_SIZE]);

/* How many captures there are. */
size_t container_captures(void);

/* Can processes of other containers be seen? In a shared process namespace they can look at ours as well. */
bool container_sees_others(void);

#endif
