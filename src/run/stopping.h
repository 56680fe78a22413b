/* Does what ending.h says is to be done: disarm, close the account, drop what is late, say what is cut. */
#ifndef TARCAP_STOPPING_H
#define TARCAP_STOPPING_H

#include "base/account.h"
#include "run/ending.h"

struct run;

/* The actions that an ending_by_... function has returned. */
void stopping_do(struct run *run, unsigned actions);

/* The same for a cause, or an event without one. */
void stop(struct run *run, enum cause cause);
void stop_by(struct run *run, enum ending_event event);

#endif
