/*
 * How much memory goes where: ring, pool and compressor together below the ceiling TARCAP_MAX_MEMORY, and within what
 * the container's memory limit leaves. This is the one place that reckons with it.
 */
#ifndef TARCAP_PLAN_H
#define TARCAP_PLAN_H

#include <stdint.h>

#include "base/err.h"
#include "request/options.h"
#include "system/cgroup.h"

#define PLAN_CEILING (UINT64_C(256) << 20) /* bytes, where TARCAP_MAX_MEMORY is not set */
#define PLAN_RING_MIN (UINT64_C(2) << 20)  /* of each share, whatever the container's limit leaves */
#define PLAN_POOL_MIN (UINT64_C(2) << 20)

/*
 * What a capture takes besides pool and compressor, bytes at most: the manifest's table and text, the context, a pipe
 * of 1 MiB, and what a small capture was measured to be charged for (0.5 MiB) with as much again.
 */
#define PLAN_BESIDE (UINT64_C(6) << 20)

/*
 * Fill in options->buffer_kib and options->memory, each of which is what was asked for or CEILINGS_NOT_GIVEN.
 *
 * What the container's limit leaves lowers a default, but no request: options->confined says so. Pool and compressor
 * are charged to it, and so is what stands above; the ring is not (af_packet takes its pages without __GFP_ACCOUNT),
 * but the node has to have it: whoever gives a container 16 MiB is not to lose 32 MiB by it.
 *
 * Below the ceiling what is asked for one of the two leaves the rest to the other; else they share it by thirds. What
 * the compressor takes goes with the pool. STATUS_USAGE for requests that leave no room.
 */
int plan_memory(struct options *options, uint64_t ceiling, const struct cgroup_memory *group, struct err *err);

#endif
