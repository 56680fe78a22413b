/*
 * --first: of each connection and direction packets are whole until so many bytes of payload have passed, then they are
 * cut to their headers.
 *
 * TCP's payload counts by its place in the stream, from the first packet of the direction that is seen: what comes
 * again counts once, and what is missing counts. A SYN begins anew; so does what comes after 60 s where its sequence
 * numbers do not go on, and at any time what lies further away than the largest window (1 GiB; RFC 7323, section 2.3),
 * or more than 64 KiB before the first that was seen.
 * UDP's counts as it comes, and begins anew after 30 s without a packet. Fragments but the first, and what is neither
 * TCP nor UDP, stay whole.
 */
#ifndef TARCAP_FIRST_H
#define TARCAP_FIRST_H

#include <stdint.h>

#include "base/err.h"
#include "base/siphash.h"
#include "record/layers.h"

#define FIRST_FLOWS 65536 /* that are known at once */

struct first;

/*
 * A table of plan.h's PLAN_FIRST_TABLE bytes, whatever comes. Directions stand in it by a keyed hash; of eight that may
 * stand in one place a ninth takes that of the one which has been idle for longest, and which is new when it comes
 * again. bytes: at most 1 GiB. NULL when there is no memory.
 */
struct first *first_open(uint64_t bytes, const struct siphash_key *key, struct err *err);
void first_close(struct first *first);

/*
 * Bytes of the packet to keep: caplen, or less when the first bytes of its direction have passed. time: ns since the
 * epoch. interface: a number, whose directions are not those of another.
 */
uint32_t first_keep(struct first *first, const struct layers *layers, const unsigned char *data, uint32_t caplen,
		    uint32_t interface, uint64_t time);

#endif
