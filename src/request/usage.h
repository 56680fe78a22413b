/* The commands, a line each: what --help lists, and what a word that is none is compared with. */
#ifndef TARCAP_USAGE_H
#define TARCAP_USAGE_H

#include <stddef.h>

struct usage {
	const char *name;
	const char *synopsis; /* what follows the name */
	const char *line;
};

extern const struct usage usage_commands[];
extern const size_t usage_command_count;

/* Print the lines to stdout, each below 80 columns. */
void usage_print(void);

#endif
