/* What pairing.c works on, and pairing_memory.c takes and shows. */
#ifndef TARCAP_PAIRING_PARTS_H
#define TARCAP_PAIRING_PARTS_H

#include "base/large.h"
#include "summary/pairing.h"

#define SEEN_MAX TABLE_OF(UINT32_C(1) << 17) /* packets that may be found again: 5 MiB */
#define WAYS 8				     /* of them that have one place */

/* A packet that may be found again: */
struct seen {
	uint64_t time, position;
	uint32_t track;
	uint8_t side, archive;
};

/* by its mark, which it has wherever it is seen. Marks are together, in one line of the cache. */
struct seen_place {
	uint64_t marks[WAYS];
	struct seen ways[WAYS];
};

struct pairing {
	struct siphash_key key;
	size_t archives;
	uint32_t *current[SOURCES_MAX]; /* of each conversation, its connection of now: place + 1 */
	struct large current_memory, tracks_memory, seen_memory, links_memory;
	struct pairing_track *tracks;
	struct pairing_link *links;
	struct pairing_samples *samples;
	struct pairing_reset *resets;
	uint32_t *last_link; /* of each track: place + 1 */
	struct seen_place *seen;
	struct ranges *ranges;
	struct pairing_udp *udp;
	uint32_t udp_tracks, udp_links;
	uint32_t track_count, link_count, sample_count, reset_count;
	uint32_t turn; /* which of a place's ways is given up next */
	uint32_t chance;
	uint64_t left_out;
};

#endif
