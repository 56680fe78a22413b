/* Giving up, once everything is open, whatever the rest of the work does not take. */
#ifndef TARCAP_SANDBOX_H
#define TARCAP_SANDBOX_H

#include <stdbool.h>

#include "base/err.h"

enum sandbox_work {
	SANDBOX_CAPTURE, /* from sockets and files that are open */
	SANDBOX_CONVERT, /* from one descriptor to another */
};

/* What the kernel granted. */
struct sandbox {
	bool no_capabilities; /* and no_new_privs */
	int landlock;	      /* version of its ABI; 0: the kernel has none, or the container's policy refuses it */
	bool seccomp;	      /* false: the same */
	bool bind_open;	      /* the packet sockets' addresses could not be confined (bindings.h) */
};

/*
 * For good, in this order: all capabilities and no_new_privs (privileges_drop), Landlock without any exception
 * (landlock(7): no file is opened, made or removed any more; where it knows them, no TCP and no signal to others), and
 * a seccomp filter that allows the system calls of the work and answers EPERM to all others. Descriptors that are open
 * stay as they are; a packet socket stays on its interface (bindings.h). Landlock and seccomp may be absent: only what
 * cannot be absent is an error.
 */
int sandbox_enter(enum sandbox_work work, struct sandbox *granted, struct err *err);

/* One line of words about what was granted. */
#define SANDBOX_TEXT_SIZE 160
char *sandbox_text(const struct sandbox *granted, char text[SANDBOX_TEXT_SIZE]);

#endif
