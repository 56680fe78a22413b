#include "record/recorder.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "format/pcapng.h"

#define EXPIRE_TOGETHER (CLOCK_SECOND / 2) /* what is due so soon after is wiped with it */

static void publish_left_out(struct recorder *recorder)
{
	struct area_left_out *told = &recorder->area.header->left_out;
	const struct capture_set *captures = recorder->captures;

	if (told->count == captures->left_out_count && told->at_least == captures->left_out_at_least)
		return;
	told->count = captures->left_out_count;
	told->at_least = captures->left_out_at_least;
	memcpy(told->list, captures->left_out, sizeof(told->list));
}

void recorder_init(struct recorder *recorder, struct capture_set *captures, struct segments *segments,
		   struct compress *compress)
{
	struct area *area = &recorder->area;

	recorder->captures = captures;
	recorder->segments = segments;
	recorder->compress = compress;
	area_begin(area, captures->count, clock_real());
	for (unsigned i = 0; i < captures->count; i++) {
		const struct series *series = &captures->list[i].series;

		snprintf(area->series[i].name, sizeof(area->series[i].name), "%s", series->name);
		snprintf(area->series[i].interface, sizeof(area->series[i].interface), "%s", series->interface);
		area->series[i].pcapng = series->format.pcapng;
	}
	publish_left_out(recorder);
}

void recorder_start(struct recorder *recorder)
{
	area_start(&recorder->area);
}

static uint32_t place_of(const struct recorder *recorder, const struct series *series)
{
	uint32_t place = 0;

	while (&recorder->captures->list[place].series != series)
		place++;
	return place;
}

static void publish_event(struct recorder *recorder)
{
	const struct capture_event *event = &recorder->captures->event;
	struct area_state *state = &recorder->area.header->state;

	state->asked = (recorder->captures->until ? AREA_UNTIL : 0) | (recorder->captures->first ? AREA_FIRST : 0);
	state->event.count = event->count;
	if (!event->count)
		return;
	if (state->phase == AREA_RECORDING)
		state->phase = AREA_AFTER;
	state->event.time = event->time;
	state->event.until = event->until;
	state->event.packet = event->number ? event->packet : 0;
	state->event.number = event->number;
	state->event.place = event->series ? place_of(recorder, event->series) : 0;
	snprintf(state->event.what, sizeof(state->event.what), "%s", event->what);
}

/* The accounts as of now, for whoever reads the area. */
static void publish(struct recorder *recorder)
{
	for (unsigned i = 0; i < recorder->captures->count; i++) {
		const struct interface *interface = &recorder->captures->list[i];

		recorder->area.series[i].account = ledger_account(&interface->ledger);
		recorder->area.series[i].gone_at = interface->gone ? interface->gone_at : 0;
	}
	publish_left_out(recorder);
	publish_event(recorder);
}

/* Of a file of so many bytes: those of packets. */
static uint64_t record_bytes(const struct series *series, uint64_t used)
{
	return used - series->format.front_size - (series->format.pcapng ? PCAPNG_STATISTICS_SIZE : 0);
}

/* A file that was counted as captured and is not kept. */
static void count_overwritten(struct recorder *recorder, uint32_t place, const struct area_entry *entry)
{
	struct account *account = &recorder->captures->list[place].account;

	account->overwritten.files++;
	account->overwritten.packets += entry->packets;
	account->overwritten.bytes += entry->used;
	account->overwritten.dropped += entry->dropped;
	if (recorder->closed)
		account->written -= entry->packets;
	recorder->area.series[place].account.overwritten = account->overwritten;
}

static void overwrite_oldest(struct recorder *recorder)
{
	struct area *area = &recorder->area;
	const struct area_entry *entry;

	area_change(area);
	entry = area_drop_oldest(area);
	count_overwritten(recorder, entry->place, entry);
	area_changed(area);
	recorder->held_bytes -= record_bytes(&recorder->captures->list[entry->place].series, entry->used);
	if (recorder->keep)
		area_wipe(area, entry);
}

/* One that the whole area has no room for, or the limit. */
static void leave_out(struct recorder *recorder, uint32_t place, const struct segment *segment)
{
	const struct area_entry entry = {
		.packets = segment->packets, .used = segment->used, .dropped = segment->dropped};

	area_change(&recorder->area);
	count_overwritten(recorder, place, &entry);
	publish(recorder);
	area_changed(&recorder->area);
}

static void store(struct recorder *recorder, const struct segment *segment, const unsigned char *data)
{
	struct area *area = &recorder->area;
	uint32_t place = place_of(recorder, segment->series);
	uint64_t bytes = record_bytes(segment->series, segment->used);

	while (area_count(area) > 0 && (!area_has_room(area, segment->stored) ||
					(recorder->max_bytes && recorder->held_bytes + bytes > recorder->max_bytes)))
		overwrite_oldest(recorder);
	if (!area_can_have(area, segment->stored) || (recorder->max_bytes && bytes > recorder->max_bytes)) {
		leave_out(recorder, place, segment);
		return;
	}
	area_copy_in(area, data, segment->stored);
	area_change(area);
	area_enter(area, segment, place, segment->opened);
	publish(recorder);
	area_changed(area);
	recorder->held_bytes += bytes;
}

/* The next sealed segment. It has to get smaller by a block of the tar, or it is stored as it is. */
static bool take_next(struct recorder *recorder)
{
	struct segment *next = recorder->next;

	if (!next && (next = recorder->next = segments_pop(recorder->segments)) && recorder->compress)
		compress_begin(recorder->compress, next->data, next->used, (next->used - 1) / TAR_BLOCK * TAR_BLOCK);
	return next;
}

/* Nothing of what --keep wipes is to stay elsewhere. */
static void forget(const struct recorder *recorder, struct segment *segment)
{
	memset(segment->data, 0, segment->used);
	if (recorder->compress)
		compress_forget(recorder->compress);
}

static void answer(struct recorder *recorder)
{
	if (!recorder->asked)
		return;
	area_change(&recorder->area);
	publish(recorder);
	area_changed(&recorder->area);
	for (unsigned i = 0; i < recorder->asked; i++)
		area_answer(&recorder->area, recorder->askers[i]);
	recorder->asked = 0;
}

bool recorder_advance(struct recorder *recorder)
{
	struct segment *segment;
	const unsigned char *data;

	if (!take_next(recorder)) {
		answer(recorder);
		return false;
	}
	segment = recorder->next;
	data = segment->data;
	segment->stored = segment->used;
	if (recorder->compress && !compress_next(recorder->compress, &data, &segment->stored))
		return true;
	store(recorder, segment, data);
	if (recorder->keep)
		forget(recorder, segment);
	pool_give(recorder->segments->pool, segment);
	recorder->next = NULL;
	return recorder_is_behind(recorder) || recorder->asked;
}

bool recorder_is_behind(const struct recorder *recorder)
{
	return recorder->next || recorder->segments->sealed;
}

void recorder_ask(struct recorder *recorder, pid_t asker)
{
	if (recorder->asked < AREA_ASKERS)
		recorder->askers[recorder->asked++] = asker;
}

void recorder_expire(struct recorder *recorder, uint64_t now)
{
	const struct area_entry *oldest;

	while (recorder->keep && (oldest = area_oldest(&recorder->area)) && oldest->since + recorder->keep <= now)
		overwrite_oldest(recorder);
}

uint64_t recorder_due(const struct recorder *recorder)
{
	const struct area_entry *oldest = recorder->keep ? area_oldest(&recorder->area) : NULL;

	return oldest ? oldest->since + recorder->keep + EXPIRE_TOGETHER : 0;
}

void recorder_close(struct recorder *recorder)
{
	recorder->closed = true;
}

void recorder_freeze(struct recorder *recorder, uint64_t now)
{
	struct area *area = &recorder->area;

	area_change(area);
	area->header->state.phase = AREA_FROZEN;
	area->header->state.frozen_at = now;
	publish(recorder);
	for (unsigned i = 0; i < recorder->captures->count; i++)
		area->series[i].account = recorder->captures->list[i].account;
	area_changed(area);
}

/* In one change: who looks meanwhile sees the one account or the other. */
void recorder_begin_anew(struct recorder *recorder, uint64_t now)
{
	struct area *area = &recorder->area;
	uint64_t account = area->header->state.account + 1;

	area_change(area);
	while (area_count(area) > 0) {
		const struct area_entry *entry = area_drop_oldest(area);

		if (recorder->keep)
			area_wipe(area, entry);
	}
	area->header->state = (struct area_state){
		.account = account,
		.started = now,
		.first = area->header->state.first,
		.end = area->header->state.end,
		.phase = AREA_RECORDING,
		.asked = area->header->state.asked,
	};
	for (unsigned i = 0; i < recorder->captures->count; i++)
		area->series[i].account = (struct account){0};
	area_changed(area);
	recorder->held_bytes = 0;
	recorder->asked = 0;
	recorder->closed = recorder->released = false;
}

/* --- what leaves --- */

static struct segment *take_largest(struct pool *pool)
{
	struct segment *segment = pool_take(pool);

	pool_grow(pool, segment);
	return segment;
}

/* Where it lies, or in one piece elsewhere. */
static unsigned char *data_of(struct recorder *recorder, const struct area_entry *entry)
{
	const unsigned char *piece = area_piece(&recorder->area, entry);

	if (piece)
		return (unsigned char *)piece;
	if (!recorder->joined)
		recorder->joined = take_largest(recorder->segments->pool);
	area_copy_out(&recorder->area, entry, recorder->joined->data);
	return recorder->joined->data;
}

static struct segment *next_stored(void *context)
{
	struct recorder *recorder = context;
	const struct area_entry *entry;

	if (!recorder->released || area_count(&recorder->area) == 0)
		return NULL;
	area_change(&recorder->area);
	entry = area_drop_oldest(&recorder->area);
	area_changed(&recorder->area);
	recorder->sending = (struct segment){
		.series = &recorder->captures->list[entry->place].series,
		.data = data_of(recorder, entry),
		.used = entry->used,
		.stored = entry->stored,
		.number = entry->number,
		.packets = entry->packets,
		.first = entry->first,
		.last = entry->last,
		.dropped = entry->dropped,
	};
	return &recorder->sending;
}

static void give_up_sealed(struct recorder *recorder)
{
	struct segment *segment;

	while ((segment = recorder->next ? recorder->next : segments_pop(recorder->segments))) {
		segment->series->given_up += segment->packets;
		pool_give(recorder->segments->pool, segment);
		recorder->next = NULL;
	}
}

static void drop_stored(void *context)
{
	struct recorder *recorder = context;

	while (area_count(&recorder->area) > 0) {
		const struct area_entry *entry;

		area_change(&recorder->area);
		entry = area_drop_oldest(&recorder->area);
		area_changed(&recorder->area);
		recorder->captures->list[entry->place].series.given_up += entry->packets;
	}
	give_up_sealed(recorder);
}

static uint64_t count_stored(const void *context)
{
	const struct recorder *recorder = context;

	return recorder->released ? area_count(&recorder->area) : 0;
}

struct deliver_store recorder_store(struct recorder *recorder)
{
	return (struct deliver_store){next_stored, drop_stored, count_stored, recorder};
}

/* --- what is there --- */

static void look_at(struct recorder_held *held, const struct segment *segment)
{
	if (!segment || segment->packets == 0)
		return;
	if (!held->from || segment->first < held->from)
		held->from = segment->first;
	if (segment->last > held->to)
		held->to = segment->last;
}

struct recorder_held recorder_held(const struct recorder *recorder)
{
	const struct area *area = &recorder->area;
	const struct area_entry *oldest = area_oldest(area), *newest = area_newest(area);
	struct recorder_held held = {
		.from = oldest ? oldest->first : 0,
		.to = newest ? newest->last : 0,
		.packets = recorder->segments->packets,
		.bytes = area->header->data - area->room,
	};

	for (unsigned i = 0; i < recorder->captures->count; i++) {
		look_at(&held, recorder->captures->list[i].series.open);
		held.packets -= recorder->captures->list[i].account.overwritten.packets;
	}
	for (const struct segment *segment = recorder->segments->sealed; segment; segment = segment->next)
		look_at(&held, segment);
	return held;
}
