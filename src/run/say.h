/* Lines on stderr. Only main and the commands speak; every other part returns what it knows. */
#ifndef TARCAP_SAY_H
#define TARCAP_SAY_H

#include <stdbool.h>

/*
 * One line "tarcap: MESSAGE". Never waits: where stderr cannot take a line now (a full pipe
 * nobody reads) the line is dropped, because a stuck stderr must not hold up the capture.
 */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same without the prefix, for the lines that tcpdump prints without one. */
void say_bare(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define SAY_LIVE_MAX 200 /* bytes of a live line */

/*
 * Before the sandbox: is stderr a terminal, on which there can be a live line? From then on what is said goes to a
 * description of its own of that terminal, so that one that has stopped reading never makes a write wait.
 */
bool say_live_open(void);

/*
 * Columns that a live line may have now. 0 while another process group is in the foreground, whose lines it would
 * overwrite.
 */
unsigned say_live_columns(void);

/*
 * Below all lines, and in place of the last live one: text, which has to stay until the next call, and is one line of
 * plain ASCII. NULL takes it away. A line that is said meanwhile stands above it.
 */
void say_live(const char *text);

#endif
