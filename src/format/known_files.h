/* What a file is by its first bytes, where it cannot be read as it is. */
#ifndef TARCAP_KNOWN_FILES_H
#define TARCAP_KNOWN_FILES_H

#include <stddef.h>

#define KNOWN_FILES_LOOK 36 /* first bytes from which it is known what a file is */

/*
 * "an xz file: xz -dc FILE | tarcap COMMAND", or NULL for first bytes that nobody knows; a file of packets is not among
 * them. Returns text.
 */
const char *known_files_hint(const unsigned char *first, size_t first_size, const char *command, char *text,
			     size_t size);

#endif
