/* Packets into segments, a series of files for each interface: where files begin and end, and which limit has been
 * reached. */
#ifndef TARCAP_SEGMENTS_H
#define TARCAP_SEGMENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/packet.h"
#include "capture/pool.h"
#include "format/pcapng.h"

enum verdict {
	VERDICT_GO,	  /* taken; there is room for another */
	VERDICT_SEALED,	  /* taken, and a segment was sealed: now is a good time to send it */
	VERDICT_FULL,	  /* taken, but there is no room for another until a segment is given back */
	VERDICT_COUNT,	  /* taken, and it was the last that was asked for */
	VERDICT_BYTES,	  /* not taken: it would exceed the byte limit */
	VERDICT_SEGMENTS, /* not taken: it would begin one segment too many */
	VERDICT_DURATION, /* not taken: it is later than asked for (packet clock only) */
};

/* 0: no limit */
struct segments_limits {
	uint64_t packets;
	uint64_t bytes;	   /* of packet records, headers included */
	uint64_t segments; /* of a series */
	uint64_t duration; /* ns; used with the packet clock, else the caller's timer does it */
};

#define SERIES_NAME_SIZE 33

/* What a series' files are. */
struct segments_format {
	bool pcapng;
	const unsigned char *front; /* what each begins with, at most PCAPNG_FRONT_MAX bytes; the caller's */
	size_t front_size;	    /* 0: nothing, since all goes into one stream (--raw) */
	uint32_t snaplen;	    /* the largest caplen */
	uint32_t tick;		    /* ns that a packet's fraction counts in (packet_time) */
	uint32_t interface;	    /* its number in a pcapng section */
};

/* The files of one interface: what they begin with, their numbers, and the one that is being filled. */
struct series {
	struct series *next;
	struct segments *segments;
	const char *interface;	     /* its name, the caller's */
	char name[SERIES_NAME_SIZE]; /* the first part of the files' names */
	struct segments_format format;
	uint32_t max_record;
	size_t size;		/* of a segment, without what stands behind its packets */
	struct segment *open;	/* being filled, or NULL */
	struct segment *newest; /* the one sealed last; valid while it is sealed */
	uint64_t opened_at;	/* which of all segments the open one is */
	uint32_t last_number;
	uint64_t sealed_count; /* since the start */
	uint64_t packets;      /* taken so far */
	uint64_t given_up;     /* of these, in segments that will not be delivered */
	uint64_t dropped;      /* by the kernel, as the files in the manifest have them */
	unsigned char front[PCAPNG_FRONT_MAX];
};

/* What all series share. */
struct segments {
	struct pool *pool;
	struct segments_limits limits;
	struct series *series;	/* all of them */
	struct segment *sealed; /* oldest first, waiting to be sent */
	struct segment **tail;
	unsigned open_count;
	uint64_t opened_count;
	uint64_t sealed_most;	 /* files of the series that has most */
	uint64_t packets, bytes; /* taken so far; bytes of records */
	/* The clock that cuts: ns of whatever clock the caller counts in. */
	bool packet_clock;
	uint64_t start, now, cut_at, cut_interval, cut_interval_max;
};

/* Without any series yet. The pool stays the caller's. */
void segments_init(struct segments *segments, struct pool *pool, const struct segments_limits *limits);

/*
 * Name and interface's name are to be set by the caller. The series stays the caller's and where it is. A segment has
 * to have room for the front and any packet: see plan_segment_least().
 */
void segments_add_series(struct segments *segments, struct series *series, const struct segments_format *format);

/*
 * Begin to cut every cut_interval ns; 0 means after 1 s, which doubles with each cut up to 10 s. start is now, in
 * the clock that segments_tick() is told. With packet_clock it is the first packet's time instead, and
 * segments_add() cuts by itself; that takes a single series.
 */
void segments_start_clock(struct segments *segments, uint64_t start, uint64_t cut_interval, bool packet_clock);

/* The same series from their first file on, with all counts at 0. None may be open, or sealed and not given back. */
void segments_begin_anew(struct segments *segments);

/* Is there room for one more packet, whatever its size? If not, segments_add() must not be called. */
bool segments_room(const struct series *series);

/*
 * With more series than segments all can be open, and none free or about to be: is that so? Then segments_make_room()
 * seals the one that was opened first, or one that has grown. So it is while no more can grow.
 */
bool segments_all_open(const struct segments *segments);
void segments_make_room(struct segments *segments);

/* The header goes by value, in registers: stored and loaded again at once in another width, it would stall. */
enum verdict segments_add(struct series *series, struct packet_header header, const unsigned char *data);

/* The same where the format is pcapng: time in ns since the epoch, and pcapng's flags (0: none). */
enum verdict segments_add_block(struct series *series, uint64_t time, uint32_t caplen, uint32_t length, uint32_t flags,
				const unsigned char *data);

/*
 * The counters at the end of the segment that was sealed last, which must still be there. Nothing where it is no pcapng
 * file.
 */
void segments_put_statistics(struct series *series, const struct pcapng_statistics *statistics);

/*
 * Let the cutting clock go on to now: if a cut was due, seal all open segments; true if there was one. To be called
 * before packets are added that came by now: else the first of them would be cut off by a beat that went by before it.
 */
bool segments_tick(struct segments *segments, uint64_t now);

/* When the open segments are due, or 0 when there is none. */
uint64_t segments_due(const struct segments *segments);

/* Seal the open segments, if any. An empty one is never made. */
void segments_seal(struct segments *segments);

/* Has a series reached the limit on segments, so that sealing was the end? */
bool segments_complete(const struct segments *segments);

/* Take the oldest sealed segment, or NULL. The caller gives it back to the pool. */
struct segment *segments_pop(struct segments *segments);

#endif
