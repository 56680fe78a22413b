/*
 * What the kernel counted in the namespace while it was captured: counters of context/start and context/end, and the
 * namespace's own addresses. Nothing in them is trusted.
 */
#ifndef TARCAP_KERNEL_COUNTERS_H
#define TARCAP_KERNEL_COUNTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "summary/conversations.h"
#include "summary/findings.h"
#include "summary/kernel_sockets.h"
#include "summary/sighting.h"

#define KERNEL_ADDRESSES 1024 /* that are known as the namespace's; further ones are strange */

enum kernel_counter {
	KERNEL_RETRANSMITTED,
	KERNEL_PASSIVE_OPENS,
	KERNEL_LISTEN_OVERFLOWS,
	KERNEL_LISTEN_DROPS,
	KERNEL_CHECKSUM_IP,
	KERNEL_CHECKSUM_TCP,
	KERNEL_CHECKSUM_UDP,
	KERNEL_CHECKSUM_UDP6,
	KERNEL_CHECKSUM_ICMP,
	KERNEL_CHECKSUM_ICMP6,
	KERNEL_BUFFER_UDP,
	KERNEL_BUFFER_UDP6,
	KERNEL_BACKLOG_TCP,
	KERNEL_QUEUE_TCP,
	KERNEL_PRUNED_TCP,
	KERNEL_NO_ROUTE_OUT,
	KERNEL_NO_ROUTE_OUT6,
	KERNEL_NO_ROUTE_IN,
	KERNEL_NO_ROUTE_IN6,
	KERNEL_COUNTERS,
};

struct kernel_counters;

struct kernel_counters *kernel_counters_open(struct err *err);
void kernel_counters_close(struct kernel_counters *counters);

/* A member of the context, as "context/end/counters.json"; others than counters and interfaces say nothing. */
void kernel_counters_take(struct kernel_counters *counters, const char *name, const char *text, size_t size);

/* All has come: the findings are added (kernel_findings.c), and segments that were sent again are counted. */
void kernel_counters_finish(struct kernel_counters *counters, const struct kernel_sockets *sockets,
			    const struct conversations *conversations, const struct circumstances *circumstances,
			    struct findings *findings);

/* "Tcp.RetransSegs", as in counters.json. */
const char *kernel_counters_name(enum kernel_counter counter);

/* By how much it moved; 0 where that is not known: it has to be at both moments, and no less at the end. */
uint64_t kernel_counters_moved(const struct kernel_counters *counters, enum kernel_counter counter);

/* Were there counters of both moments? */
bool kernel_counters_known(const struct kernel_counters *counters);

/*
 * Segments with data that the namespace's own addresses sent again, and that are among the packets; false where the
 * addresses are not known. Valid once it is finished.
 */
bool kernel_counters_seen(const struct kernel_counters *counters, uint64_t *segments);

/* --- between kernel_counters.c and kernel_findings.c --- */

void kernel_find(const struct kernel_counters *counters, const struct kernel_sockets *sockets,
		 const struct circumstances *circumstances, struct findings *findings);

#endif
