/* What main can be asked for. Each takes the words from its own name on, and returns the exit status. */
#ifndef TARCAP_COMMAND_H
#define TARCAP_COMMAND_H

#include "err.h"

enum status command_capture(int argc, char **argv, struct err *err);

#endif
