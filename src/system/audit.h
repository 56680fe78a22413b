/*
 * Who asked for which capture, where somebody may look for it later. A capture says it on its own stderr, which goes
 * wherever its archive goes. So the hold of a container, whose stderr is the container's log, says it once more: each
 * capture that was started in its container tells it by SIGUSR1.
 */
#ifndef TARCAP_AUDIT_H
#define TARCAP_AUDIT_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define AUDIT_TEXT_SIZE 900 /* what is longer is cut */

/* "uid 65532: tarcap -i eth0 'tcp port 443'", of a NULL-terminated list of words. */
char *audit_text(uid_t uid, char *const *words, char text[AUDIT_TEXT_SIZE]);

#define AUDIT_MAX 64 /* captures at once; of further ones the end is not seen */

/* The captures that a hold knows of. All zero: none. */
struct audit {
	struct audited {
		pid_t pid;
		int fd;		/* pidfd_open(2): readable when the process has ended */
		uint64_t since; /* boot time */
	} captures[AUDIT_MAX];
	unsigned count;
};

/* A capture is there from now on: takes note of its process. False if that was noted before. */
bool audit_begin(struct audit *audit, pid_t pid, uint64_t now);

/* Fill polled with a descriptor for each capture that is noted, to be polled for its end. */
void audit_poll(const struct audit *audit, struct pollfd polled[AUDIT_MAX]);

/* Forget a capture that has ended: its process id and when it began, or 0 if none has. */
pid_t audit_ended(struct audit *audit, uint64_t *since);

#endif
