/* What only start-up writes, made read-only. */
#ifndef TARCAP_RELRO_H
#define TARCAP_RELRO_H

/*
 * Make the program's pointers that are settled at start (PT_GNU_RELRO) read-only, so that no stray write turns a call.
 * A dynamic loader does that for its programs, but a static one has no loader, and musl 1.2.5's start-up leaves it
 * undone: without this call /proc/PID/maps has all of these pages as rw-p. To be called once, first. A kernel that
 * refuses is no reason not to run.
 */
void relro_protect(void);

#endif
