/* One way for all commands to say what is wrong with a flag that getopt_long(3) does not know. */
#ifndef TARCAP_UNKNOWN_FLAG_H
#define TARCAP_UNKNOWN_FLAG_H

#include <getopt.h>

#include "base/err.h"

/*
 * word is the argument that getopt_long() was at (argv[optind] before the call), letter its optopt, longs the flags
 * that there are, command the command's name, or NULL for a capture. STATUS_USAGE, with what was probably meant;
 * returns -1.
 */
int unknown_flag(const char *command, const char *word, int letter, const struct option *longs, struct err *err);

#endif
