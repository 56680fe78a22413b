#include "capture/segments.h"

#include <string.h>

#include "base/copy.h"
#include "request/plan.h"

/* What each packet runs through, once for each format: as a call it would cost more than it does. */
#define INLINE __attribute__((always_inline)) static inline

void segments_init(struct segments *segments, struct pool *pool, const struct segments_limits *limits)
{
	*segments = (struct segments){.pool = pool, .limits = *limits};
	segments->tail = &segments->sealed;
}

void segments_add_series(struct segments *segments, struct series *series, const struct segments_format *format)
{
	struct series **last = &segments->series;

	while (*last)
		last = &(*last)->next;
	*last = series;
	series->segments = segments;
	series->format = *format;
	series->max_record = plan_record_most(format->pcapng, format->snaplen);
	series->size = segments->pool->segment_size - (format->pcapng ? PCAPNG_STATISTICS_SIZE : 0);
	if (format->front_size)
		memcpy(series->front, format->front, format->front_size);
}

void segments_begin_anew(struct segments *segments)
{
	const struct segments_limits limits = segments->limits;
	struct series *all = segments->series;

	segments_init(segments, segments->pool, &limits);
	segments->series = all;
	for (struct series *series = all; series; series = series->next) {
		series->newest = NULL;
		series->last_number = 0;
		series->opened_at = series->sealed_count = series->packets = series->given_up = series->dropped = 0;
	}
}

void segments_start_clock(struct segments *segments, uint64_t start, uint64_t cut_interval, bool packet_clock)
{
	segments->packet_clock = packet_clock;
	segments->start = segments->now = start;
	segments->cut_interval = cut_interval ? cut_interval : CLOCK_SECOND;
	segments->cut_interval_max = cut_interval ? cut_interval : 10 * CLOCK_SECOND;
	segments->cut_at = start + segments->cut_interval;
}

bool segments_room(const struct series *series)
{
	const struct segments *segments = series->segments;

	if (segments->pool->free_count > 0)
		return true;
	/* By the packet clock the next packet may cut the open segment, however empty it is. */
	return series->open && !segments->packet_clock && series->open->used + series->max_record <= series->size;
}

static void seal(struct series *series)
{
	struct segments *segments = series->segments;

	if (!series->open)
		return;
	*segments->tail = series->newest = series->open;
	segments->tail = &series->open->next;
	series->open = NULL;
	segments->open_count--;
	if (++series->sealed_count > segments->sealed_most)
		segments->sealed_most = series->sealed_count;
}

void segments_seal(struct segments *segments)
{
	for (struct series *series = segments->series; series; series = series->next)
		seal(series);
}

bool segments_all_open(const struct segments *segments)
{
	return segments->pool->free_count == 0 && !segments->sealed && segments->open_count > 0;
}

/* One that has grown keeps others from being taken. */
static bool goes_before(const struct series *series, const struct series *other)
{
	if (series->open->grown != other->open->grown)
		return series->open->grown;
	return series->opened_at < other->opened_at;
}

void segments_make_room(struct segments *segments)
{
	struct series *oldest = NULL;

	for (struct series *series = segments->series; series; series = series->next) {
		if (series->open && (!oldest || goes_before(series, oldest)))
			oldest = series;
	}
	if (oldest)
		seal(oldest);
}

bool segments_complete(const struct segments *segments)
{
	return segments->limits.segments && segments->sealed_most >= segments->limits.segments;
}

bool segments_tick(struct segments *segments, uint64_t now)
{
	bool due = segments->open_count > 0;

	segments->now = now;
	if (now < segments->cut_at)
		return false;
	segments_seal(segments);
	if (due)
		segments->cut_interval *= 2;
	if (segments->cut_interval > segments->cut_interval_max)
		segments->cut_interval = segments->cut_interval_max;
	/* Cuts fall on a fixed beat, however long nothing was open. */
	segments->cut_at += ((now - segments->cut_at) / segments->cut_interval + 1) * segments->cut_interval;
	return due;
}

uint64_t segments_due(const struct segments *segments)
{
	return segments->open_count > 0 ? segments->cut_at : 0;
}

static void open_segment(struct series *series)
{
	struct segments *segments = series->segments;
	struct segment *segment = pool_take(segments->pool);

	memcpy(segment->data, series->front, series->format.front_size);
	segment->used = series->format.front_size;
	segment->series = series;
	segment->number = ++series->last_number;
	segment->opened = segments->now;
	segment->first = UINT64_MAX;
	series->open = segment;
	series->opened_at = segments->opened_count++;
	segments->open_count++;
}

/* Let the packet clock go on to a packet that is about to be taken; false when it is later than asked for. */
static bool follow_packet_clock(struct segments *segments, uint64_t time)
{
	if (segments->packets == 0) {
		segments->start = time;
		segments->cut_at = time + segments->cut_interval;
	}
	if (segments->limits.duration && time >= segments->start && time - segments->start >= segments->limits.duration)
		return false;
	segments_tick(segments, time);
	return true;
}

INLINE void count(struct segment *segment, size_t size, uint64_t time)
{
	segment->used += size;
	segment->packets++;
	if (time < segment->first)
		segment->first = time;
	if (time > segment->last)
		segment->last = time;
}

/* The one copy of a packet in user space. */
INLINE void append(struct segment *segment, struct packet_header header, const unsigned char *data, uint64_t time)
{
	unsigned char *to = segment->data + segment->used;

	memcpy(to, &header, sizeof(header));
	copy(to + sizeof(header), data, header.caplen);
	count(segment, sizeof(header) + header.caplen, time);
}

/* What follows the head is written in an order in which the later covers the rest of the earlier. */
INLINE void put_block(unsigned char *to, uint32_t size, uint32_t caplen, uint32_t flags, const unsigned char *data)
{
	copy(to + PCAPNG_PACKET_HEAD, data, caplen);
	pcapng_store(to + PCAPNG_PACKET_HEAD + caplen, 0);
	pcapng_packet_tail(to + size - (flags ? PCAPNG_PACKET_MORE : 4), size, flags);
}

INLINE bool fits(const struct series *series, size_t size)
{
	return series->open && series->open->used + size <= series->size;
}

/* Would a segment more be one too many? Each series has as many. */
static bool is_last(const struct series *series)
{
	uint64_t limit = series->segments->limits.segments;

	return limit && series->sealed_count >= limit;
}

/* For the packets that begin a segment, or may: apart, since inlined it would slow down all the others. */
__attribute__((cold)) static enum verdict begin_segment(struct series *series, uint64_t time, size_t size)
{
	struct segments *segments = series->segments;
	uint64_t sealed_before = series->sealed_count;

	if (segments->packet_clock && !follow_packet_clock(segments, time))
		return VERDICT_DURATION;
	if (!fits(series, size))
		seal(series);
	if (!series->open) {
		if (is_last(series))
			return VERDICT_SEGMENTS;
		open_segment(series);
		if (!fits(series, size))
			pool_grow(segments->pool, series->open);
	}
	return series->sealed_count != sealed_before ? VERDICT_SEALED : VERDICT_GO;
}

/* VERDICT_GO or VERDICT_SEALED: there is an open segment that a packet of so many bytes fits into. */
INLINE enum verdict admit(struct series *series, uint64_t time, size_t size)
{
	const struct segments *segments = series->segments;

	if (segments->limits.bytes && segments->limits.bytes - segments->bytes < size)
		return VERDICT_BYTES;
	if (segments->packet_clock || !fits(series, size))
		return begin_segment(series, time, size);
	return VERDICT_GO;
}

INLINE enum verdict admitted(struct series *series, size_t size, enum verdict verdict)
{
	struct segments *segments = series->segments;

	series->packets++;
	segments->bytes += size;
	if (++segments->packets == segments->limits.packets)
		return VERDICT_COUNT;
	return segments_room(series) ? verdict : VERDICT_FULL;
}

enum verdict segments_add(struct series *series, struct packet_header header, const unsigned char *data)
{
	uint64_t time = packet_time(&header, series->format.tick);
	size_t size = sizeof(header) + header.caplen;
	enum verdict verdict = admit(series, time, size);

	if (verdict != VERDICT_GO && verdict != VERDICT_SEALED)
		return verdict;
	append(series->open, header, data, time);
	return admitted(series, size, verdict);
}

enum verdict segments_add_block(struct series *series, uint64_t time, uint32_t caplen, uint32_t length, uint32_t flags,
				const unsigned char *data)
{
	uint32_t size = pcapng_packet_size(caplen, flags);
	enum verdict verdict = admit(series, time, size);
	unsigned char *to;

	if (verdict != VERDICT_GO && verdict != VERDICT_SEALED)
		return verdict;
	to = series->open->data + series->open->used;
	pcapng_packet_head(to, size, series->format.interface, time, caplen, length);
	count(series->open, size, time);
	verdict = admitted(series, size, verdict);
	put_block(to, size, caplen, flags, data);
	return verdict;
}

void segments_put_statistics(struct series *series, const struct pcapng_statistics *statistics)
{
	struct segment *segment = series->newest;

	if (series->format.pcapng && series->format.front_size)
		segment->used +=
			pcapng_put_statistics(segment->data + segment->used, series->format.interface, statistics);
}

struct segment *segments_pop(struct segments *segments)
{
	struct segment *segment = segments->sealed;

	if (!segment)
		return NULL;
	segments->sealed = segment->next;
	if (!segments->sealed)
		segments->tail = &segments->sealed;
	segment->next = NULL;
	return segment;
}
