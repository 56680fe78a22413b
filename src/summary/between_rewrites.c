#include <string.h>

#include "summary/between_parts.h"
#include "summary/ends.h"

static void add_rewrite(struct between *between, const struct between_rewrite *rewrite)
{
	for (size_t i = 0; i < between->rewrite_count; i++) {
		struct between_rewrite *known = &between->rewrites[i];

		if (ends_same(&known->ends[0], &rewrite->ends[0]) && ends_same(&known->ends[1], &rewrite->ends[1]) &&
		    memcmp(known->mss, rewrite->mss, sizeof(known->mss)) == 0) {
			known->count++;
			return;
		}
	}
	if (between->rewrite_count < BETWEEN_REWRITES)
		between->rewrites[between->rewrite_count++] = *rewrite;
}

void between_rewrites(struct between *between, const struct pairing_link *link, const struct pairing_track *a,
		      const struct pairing_track *b)
{
	for (int side = 0; side < 2; side++) {
		int other = side != link->crossed;
		struct between_rewrite rewrite = {
			.ends = {a->ends[side], b->ends[other]}, .version = a->version, .count = 1};
		uint16_t mss[2] = {a->sides[side].mss, b->sides[other].mss};

		/* The side that began: its port is as good as any. */
		if (side == 0)
			rewrite.ends[0].port = rewrite.ends[1].port = 0;
		if (!ends_same(&a->ends[side], &b->ends[other]))
			add_rewrite(between, &rewrite);
		memcpy(rewrite.mss, mss, sizeof(mss));
		if (mss[0] != mss[1] && mss[0] && mss[1])
			add_rewrite(between, &rewrite);
	}
}
