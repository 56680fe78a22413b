/* Files that end because somebody asks for it, and not because they are full or old enough. */
#ifndef TARCAP_SEALING_H
#define TARCAP_SEALING_H

#include <stdint.h>
#include <sys/types.h>

struct run;

/* Seal what is open, and have a recorder say in its area that it was done, to this process (0: nobody waits for it). */
void sealing_now(struct run *run, pid_t asker);

/* A word of the hold to its recorder has come. */
void sealing_hear(struct run *run);

/*
 * A snapshot that is asked for has what had come by then, also what the kernel has not handed over yet: it is sealed
 * when that has been read, or a block's time has gone by. To be called in each turn; and when (boot time, 0: never).
 */
void sealing_look(struct run *run);
uint64_t sealing_due(const struct run *run);

#endif
