/* What does not go together in a request for a capture, and names that promise what is not done. */
#ifndef TARCAP_CONFLICTS_H
#define TARCAP_CONFLICTS_H

#include "base/err.h"
#include "request/options.h"

/*
 * STATUS_USAGE, and one line that names both, for the first two flags that cannot be combined. write_file is not "-"
 * (that is NULL), and precision still PRECISION_NOT_GIVEN where no flag gave it.
 */
int conflicts_check(const struct options *options, struct err *err);

/* The part of it that is about the name of -w. */
int conflicts_check_write_file(const struct options *options, struct err *err);

#endif
