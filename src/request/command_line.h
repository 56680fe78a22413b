/* A capture's command line: its flags, and what they make of the request (options.h). */
#ifndef TARCAP_COMMAND_LINE_H
#define TARCAP_COMMAND_LINE_H

#include "base/err.h"
#include "request/options.h"

/*
 * Fill *options from argv, with the defaults where nothing was given, read -F, and check what can be
 * checked without opening anything else. -1 with STATUS_USAGE on bad input. options_free() releases it either way.
 */
int command_line_parse(struct options *options, int argc, char **argv, struct err *err);

/* Print the help text to stdout. */
void command_line_help(void);

#endif
