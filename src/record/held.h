/* The area of this container's hold, as another process finds it. */
#ifndef TARCAP_HELD_H
#define TARCAP_HELD_H

#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/*
 * Open it read-only, by /proc/HOLD/fd/N; *hold is its process. That takes the hold's uid, and no capability less than
 * the hold still has (ptrace(2), access mode checking). -1: there is no hold here, or none that records, or it may not
 * be opened: *err says which, and what helps.
 */
MUST_CHECK int held_open(pid_t *hold, struct err *err);

/*
 * Ask it to seal what is open (SIGNALS_SEAL), or to record again what is frozen at this account (SIGNALS_RESUME, by
 * sigqueue(3)).
 */
MUST_CHECK int held_ask_to_seal(pid_t hold, struct err *err);
MUST_CHECK int held_ask_to_resume(pid_t hold, uint64_t account, struct err *err);

#endif
