/* The interfaces there are. */
#ifndef TARCAP_INTERFACES_H
#define TARCAP_INTERFACES_H

#include <stddef.h>

#include "err.h"

/* Print them to stdout as tcpdump -D does: "1.eth0 [Up, Running, Connected]". */
int interfaces_list(struct err *err);

/* The first that is up and not loopback, else the loopback. malloc'ed; NULL on failure. */
char *interfaces_default(struct err *err);

/* The names of all, with commas, cut at size. Returns names. */
char *interfaces_names(char *names, size_t size);

#endif
