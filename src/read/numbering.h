/*
 * Which packet has which number in join's output, of the last ones in it: an event stands at the end of an archive, and
 * is only told by the manifest, when all packets have gone.
 */
#ifndef TARCAP_NUMBERING_H
#define TARCAP_NUMBERING_H

#include <stdint.h>

#include "base/err.h"
#include "base/packet.h"
#include "base/sizes.h"

#define NUMBERING_PACKETS TABLE_OF(UINT64_C(1) << 20) /* the last ones, of 16 bytes each */

struct numbering;

/* NULL when there is no memory. */
struct numbering *numbering_open(struct err *err);
void numbering_close(struct numbering *numbering);

/* A number for a member's name, as short as a packet has room for. */
uint32_t numbering_member(const char *name);

/* The next packets of the output: each of which member and, with its number there, from 1, is in their origin. */
void numbering_put(struct numbering *numbering, struct packet_run run);

/* A packet's number in the output, from 1, and its time; 0 when it is none of the last ones. numbering may be NULL. */
uint64_t numbering_find(const struct numbering *numbering, uint32_t member, uint64_t packet, uint64_t *time);

#endif
