/*
 * What stands before a member's header where a name is longer, or a size larger, than the header has room for: pax's
 * extended headers (POSIX pax, "pax Extended Header", types x and g), and GNU tar's long names (types L and K).
 */
#ifndef TARCAP_EXTENDED_H
#define TARCAP_EXTENDED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXTENDED_NAME_SIZE 4096 /* PATH_MAX of Linux: of what is longer nobody has a file */

/* All zero: it says nothing. */
struct extended {
	char name[EXTENDED_NAME_SIZE]; /* "": as the header has it */
	bool sized;
	uint64_t size; /* in bytes */
};

/* Is that the type of a header that tells of the next one? */
bool extended_is(unsigned char type);

/* Take what the data of such a header says, in place of what was said before. Damaged records end it. */
void extended_take(struct extended *extended, unsigned char type, const unsigned char *data, size_t size);

#endif
