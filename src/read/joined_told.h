/* What the output of join has from the manifest, beside its packets. */
#ifndef TARCAP_JOINED_TOLD_H
#define TARCAP_JOINED_TOLD_H

#include "base/err.h"
#include "read/joined.h"
#include "read/verify.h"

/* All packets are written: a file without packets, where there were none, and the counters of each interface. */
int joined_told_finish(struct joined *joined, const struct verify *verify, struct err *err);

#endif
