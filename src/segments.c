#include "segments.h"

#include <string.h>

void segments_init(struct segments *segments, struct pool *pool, const struct segments_limits *limits,
		   const unsigned char file_header[PACKET_FILE_HEADER], uint32_t snaplen, uint32_t tick)
{
	*segments = (struct segments){
		.pool = pool,
		.limits = *limits,
		.max_record = (uint32_t)sizeof(struct packet_header) + snaplen,
		.tick = tick,
	};
	segments->tail = &segments->sealed;
	memcpy(segments->file_header, file_header, PACKET_FILE_HEADER);
}

void segments_start_clock(struct segments *segments, uint64_t start, uint64_t cut_interval, bool packet_clock)
{
	segments->packet_clock = packet_clock;
	segments->start = start;
	segments->cut_interval = cut_interval ? cut_interval : CLOCK_SECOND;
	segments->cut_interval_max = cut_interval ? cut_interval : 10 * CLOCK_SECOND;
	segments->cut_at = start + segments->cut_interval;
}

bool segments_room(const struct segments *segments)
{
	if (segments->pool->free_count > 0)
		return true;
	/* By the packet clock the next packet may cut the open segment, however empty it is. */
	return segments->open && !segments->packet_clock &&
	       segments->pool->segment_size - segments->open->used >= segments->max_record;
}

void segments_seal(struct segments *segments)
{
	if (!segments->open)
		return;
	*segments->tail = segments->newest = segments->open;
	segments->tail = &segments->open->next;
	segments->open = NULL;
	segments->sealed_count++;
}

bool segments_complete(const struct segments *segments)
{
	return segments->limits.segments && segments->sealed_count >= segments->limits.segments;
}

bool segments_tick(struct segments *segments, uint64_t now)
{
	bool due = segments->open != NULL;

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
	return segments->open ? segments->cut_at : 0;
}

static void open_segment(struct segments *segments)
{
	struct segment *segment = pool_take(segments->pool);

	memcpy(segment->data, segments->file_header, PACKET_FILE_HEADER);
	segment->used = PACKET_FILE_HEADER;
	segment->number = ++segments->last_number;
	segment->first = UINT64_MAX;
	segments->open = segment;
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

/* musl's memcpy is one machine instruction on amd64, which takes as long to begin as a small packet to be copied. */
static void copy(unsigned char *to, const unsigned char *from, size_t size)
{
	enum { PIECE = 32, SMALL = 2048 };

	if (size < PIECE || size > SMALL) {
		memcpy(to, from, size);
		return;
	}
	for (size_t at = 0; at < size - PIECE; at += PIECE)
		memcpy(to + at, from + at, PIECE);
	memcpy(to + size - PIECE, from + size - PIECE, PIECE);
}

/* The one copy of a packet in user space. */
static void append(struct segment *segment, struct packet_header header, const unsigned char *data, uint64_t time)
{
	unsigned char *to = segment->data + segment->used;

	memcpy(to, &header, sizeof(header));
	copy(to + sizeof(header), data, header.caplen);
	segment->used += sizeof(header) + header.caplen;
	segment->packets++;
	if (time < segment->first)
		segment->first = time;
	if (time > segment->last)
		segment->last = time;
}

static bool fits(const struct segments *segments, size_t size)
{
	return segments->open && segments->pool->segment_size - segments->open->used >= size;
}

/* For the packets that begin a segment, or may: apart, since inlined it would slow down all the others. */
__attribute__((cold)) static enum verdict begin_segment(struct segments *segments, uint64_t time, size_t size)
{
	uint64_t sealed_before = segments->sealed_count;

	if (segments->packet_clock && !follow_packet_clock(segments, time))
		return VERDICT_DURATION;
	if (!fits(segments, size))
		segments_seal(segments);
	if (!segments->open) {
		if (segments_complete(segments))
			return VERDICT_SEGMENTS;
		open_segment(segments);
	}
	return segments->sealed_count != sealed_before ? VERDICT_SEALED : VERDICT_GO;
}

enum verdict segments_add(struct segments *segments, struct packet_header header, const unsigned char *data)
{
	uint64_t time = packet_time(&header, segments->tick);
	size_t size = sizeof(header) + header.caplen;
	enum verdict verdict = VERDICT_GO;

	if (segments->limits.bytes && segments->limits.bytes - segments->bytes < size)
		return VERDICT_BYTES;
	if (segments->packet_clock || !fits(segments, size)) {
		verdict = begin_segment(segments, time, size);
		if (verdict != VERDICT_GO && verdict != VERDICT_SEALED)
			return verdict;
	}
	append(segments->open, header, data, time);
	segments->bytes += size;
	if (++segments->packets == segments->limits.packets)
		return VERDICT_COUNT;
	return segments_room(segments) ? verdict : VERDICT_FULL;
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
