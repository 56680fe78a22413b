/* What the kernel drops, while a capture runs: counted, charged to the file in which the gap is, said. */
#ifndef TARCAP_LOSSES_H
#define TARCAP_LOSSES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/account.h"
#include "base/clock.h"
#include "capture/capture_set.h"

#define LOSSES_EVERY (10 * CLOCK_SECOND) /* a line about an interface, at most; now is boot time */

/* Say what is new in an interface's count. */
void losses_say(struct interface *interface, uint64_t now);

/* After a segment of the interface, or of any, may have been sealed. */
void losses_sealed(struct interface *interface, uint64_t now);
void losses_all_sealed(struct capture_set *captures, uint64_t now);

/* Ask the kernel for its counters. */
void losses_count(struct capture_set *captures);

/* What was given up of what was counted as written: see ledger_take_back(). */
void losses_take_back(struct capture_set *captures, enum cause cause);

/* The pool is full because the reader takes too little, or no longer. */
void losses_hold(struct interface *interface, bool held, uint64_t now);

#endif
