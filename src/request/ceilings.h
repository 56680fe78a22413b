/*
 * Ceilings from the environment: TARCAP_MAX_DURATION, TARCAP_MAX_BYTES, TARCAP_MAX_SNAPLEN and TARCAP_MAX_MEMORY
 * (ring, pool and compressor together). Whoever may only kubectl exec in a container cannot lift them: its image has no
 * shell and no env. Whoever may docker exec can, by its -e.
 */
#ifndef TARCAP_CEILINGS_H
#define TARCAP_CEILINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "request/options.h"

/*
 * Put the default, or what a ceiling leaves of it, where no flag gave a limit (or gave 0, none); options->lowered says
 * which were lowered. STATUS_USAGE for a flag above its ceiling, or a ceiling that cannot be parsed.
 * Reading a file, only the one for memory holds: the others limit what is captured.
 */
int ceilings_apply(struct options *options, struct err *err);

/*
 * The same for how long a hold that records stays (ns, 0: until it is told to end; chosen: by a flag), which is how
 * long it records. *longest is the ceiling itself, 0 without one.
 */
int ceilings_ttl(uint64_t *ttl, bool chosen, uint64_t *longest, struct err *err);

#endif
