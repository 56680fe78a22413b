#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "summary/conversations.h"
#include "summary/pairing_parts.h"
#include "summary/pairing_udp.h"

static void *zeros(size_t count, size_t size, struct err *err)
{
	void *memory = calloc(count, size);

	if (!memory)
		err_sys(err, ENOMEM, "memory for pairing");
	return memory;
}

static void *large(struct large *memory, size_t size, struct err *err)
{
	return large_open(memory, size, "pairing", err) < 0 ? NULL : memory->at;
}

struct pairing *pairing_open(size_t archives, const struct siphash_key *key, struct err *err)
{
	struct pairing *pairing = zeros(1, sizeof(*pairing), err);
	uint32_t *numbers;

	if (!pairing)
		return NULL;
	pairing->key = *key;
	pairing->archives = archives;
	pairing->chance = 1;
	numbers = large(&pairing->current_memory, archives * CONVERSATIONS_MAX * sizeof(uint32_t), err);
	for (size_t i = 0; i < archives && numbers; i++)
		pairing->current[i] = numbers + i * CONVERSATIONS_MAX;
	pairing->tracks = large(&pairing->tracks_memory, PAIRING_TRACKS * sizeof(struct pairing_track), err);
	pairing->links = large(&pairing->links_memory, PAIRING_LINKS * sizeof(struct pairing_link), err);
	pairing->samples = zeros(PAIRING_SAMPLED, sizeof(struct pairing_samples), err);
	pairing->resets = zeros(PAIRING_RESETS, sizeof(struct pairing_reset), err);
	pairing->last_link = zeros(PAIRING_TRACKS, sizeof(uint32_t), err);
	pairing->seen = large(&pairing->seen_memory, SEEN_MAX / WAYS * sizeof(struct seen_place), err);
	pairing->ranges = ranges_open(err);
	pairing->udp = pairing_udp_open(key, err);
	if (!err->status)
		return pairing;
	pairing_close(pairing);
	return NULL;
}

void pairing_close(struct pairing *pairing)
{
	if (!pairing)
		return;
	large_close(&pairing->current_memory);
	large_close(&pairing->tracks_memory);
	large_close(&pairing->links_memory);
	large_close(&pairing->seen_memory);
	free(pairing->samples);
	free(pairing->resets);
	free(pairing->last_link);
	ranges_close(pairing->ranges);
	pairing_udp_close(pairing->udp);
	free(pairing);
}

/* --- once all has come --- */

void pairing_finish(struct pairing *pairing)
{
	pairing_udp_finish(pairing);
}

uint32_t pairing_link_count(const struct pairing *pairing)
{
	return pairing->link_count;
}

const struct pairing_link *pairing_link_at(const struct pairing *pairing, uint32_t i)
{
	return &pairing->links[i];
}

const struct pairing_track *pairing_track_at(const struct pairing *pairing, uint32_t i)
{
	return &pairing->tracks[i];
}

uint32_t pairing_track_count(const struct pairing *pairing)
{
	return pairing->track_count;
}

struct pairing_reset *pairing_reset_at(struct pairing *pairing, uint32_t place)
{
	return place ? &pairing->resets[place - 1] : NULL;
}

const struct ranges *pairing_ranges(const struct pairing *pairing)
{
	return pairing->ranges;
}

size_t pairing_delays(const struct pairing *pairing, const struct pairing_link *link, int side,
		      int64_t list[PAIRING_SAMPLES])
{
	size_t count = link->hits[side] < PAIRING_SAMPLES ? link->hits[side] : PAIRING_SAMPLES;

	if (!link->sampled)
		return 0;
	memcpy(list, pairing->samples[link->sampled - 1].delay[side], count * sizeof(list[0]));
	return count;
}

bool pairing_is_pair(const struct pairing *pairing, const struct pairing_link *link)
{
	const struct pairing_track *a = &pairing->tracks[link->tracks[0]], *b = &pairing->tracks[link->tracks[1]];
	uint64_t bit_a = UINT64_C(1) << a->archive, bit_b = UINT64_C(1) << b->archive;

	if (link->same)
		return true;
	if ((a->linked_same | a->linked_twice) & bit_b || (b->linked_same | b->linked_twice) & bit_a)
		return false;
	return link->hits[0] + link->hits[1] > 1;
}

uint64_t pairing_left_out(const struct pairing *pairing)
{
	return pairing->left_out;
}
