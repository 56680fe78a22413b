/* The clocks, and times as text. */
#ifndef TARCAP_CLOCK_H
#define TARCAP_CLOCK_H

#include <stdint.h>

#define CLOCK_SECOND UINT64_C(1000000000) /* nanoseconds */
#define CLOCK_TEXT_SIZE 40

/* Nanoseconds of CLOCK_BOOTTIME: what limits and deadlines count in. It also runs in suspend and is never set. */
uint64_t clock_boot(void);

/* Nanoseconds since the epoch, as packets are stamped. */
uint64_t clock_real(void);

/* RFC 3339 in UTC with nanoseconds: "2026-11-22T08:45:00.123456789Z". Returns text. */
char *clock_rfc3339(uint64_t real, char text[CLOCK_TEXT_SIZE]);

/* "20261122084500", as dumpcap puts into file names, UTC. Returns text. */
char *clock_compact(uint64_t real, char text[CLOCK_TEXT_SIZE]);

/* Seconds with nine decimals. Returns text. */
char *clock_seconds(uint64_t nanoseconds, char text[CLOCK_TEXT_SIZE]);

#endif
