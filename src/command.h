/* What main can be asked for. Each takes the words from its own name on, and returns the exit status. */
#ifndef TARCAP_COMMAND_H
#define TARCAP_COMMAND_H

#include "base/err.h"

struct options;

enum status command_capture(int argc, char **argv, struct err *err);
enum status command_check(int argc, char **argv, struct err *err);
enum status command_hold(int argc, char **argv, struct err *err);
enum status command_join(int argc, char **argv, struct err *err);
enum status command_snapshot(int argc, char **argv, struct err *err);
enum status command_stop(int argc, char **argv, struct err *err);
enum status command_summary(int argc, char **argv, struct err *err);
enum status command_tar(int argc, char **argv, struct err *err);

/* What options ask for, which were parsed already. */
enum status capture_as_asked(const struct options *options, struct err *err);

#endif
