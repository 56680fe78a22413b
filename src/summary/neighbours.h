/*
 * Who has which address, as ARP (RFC 826, 5227) and neighbour discovery (RFC 4861, 4862) ask and tell: requests that
 * nobody answers, and addresses that two claim. In memory of fixed size.
 */
#ifndef TARCAP_NEIGHBOURS_H
#define TARCAP_NEIGHBOURS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/siphash.h"
#include "base/sizes.h"
#include "summary/conversations.h"
#include "summary/findings.h"
#include "summary/sighting.h"

#define NEIGHBOURS_MAX TABLE_OF(4096)
#define NEIGHBOURS_ASKERS 4 /* of an address, that are kept */

struct neighbours;

/* key: as in table_open(). NULL when there is no memory. */
struct neighbours *neighbours_open(const struct siphash_key *key, struct err *err);
void neighbours_close(struct neighbours *neighbours);

/* Any packet. */
void neighbours_add(struct neighbours *neighbours, const struct sighting *sighting);

/*
 * arp-unanswered and address-conflict. An answer goes to who has asked, and to nobody else: where the capture shows no
 * sign that it would be seen, and who asked did not insist, it's no more than a note.
 */
void neighbours_finish(struct neighbours *neighbours, const struct conversations *conversations,
		       struct findings *findings);

/* Packets for whose address there was no room. */
uint64_t neighbours_left_out(const struct neighbours *neighbours);

#endif
