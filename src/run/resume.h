/* The word that lets a frozen recorder go on, for a process that can no longer send a signal by then. */
#ifndef TARCAP_RESUME_H
#define TARCAP_RESUME_H

#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/*
 * Before the sandbox: fork a process that does nothing but wait at the end of a pipe, with the right to signal that we
 * have now. It ends with us. Returns the other end, which resume_now() takes.
 */
MUST_CHECK int resume_prepare(pid_t hold, uint64_t account, struct err *err);

/* Have it signal the hold: what is frozen at that account was taken. */
void resume_now(int fd);

#endif
