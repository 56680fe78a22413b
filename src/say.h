/* Lines on stderr. Only main and the commands speak; every other part returns what it knows. */
#ifndef TARCAP_SAY_H
#define TARCAP_SAY_H

/*
 * One line "tarcap: MESSAGE". Never waits: where stderr cannot take a line now (a full pipe
 * nobody reads) the line is dropped, because a stuck stderr must not hold up the capture.
 */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same without the prefix, for the lines that tcpdump prints without one. */
void say_bare(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
