/*
 * The area: the memory of one size that a recorder's stored segments lie in, back to back, the oldest overwritten
 * first. It is a memfd, so that another process ("tarcap snapshot") can open it by /proc/PID/fd/N, map it read-only and
 * copy what is stored, while the recorder goes on and never waits for anybody.
 *
 * What lies in it, in this order:
 *   header    what area_begin() has laid out, and the numbers of now
 *   series    one for each interface, in the order of capture.json's list: names, and what became of its packets
 *   texts     what a snapshot sends in front, or needs, as it is: capture.json, context/start/..., each with its name
 *   index     a fixed number of entries, one for each stored segment; segment N has entry N modulo their number
 *   data      what is stored, as it goes into the archive; a segment may go on at the data's begin
 *
 * Who writes takes no lock:
 *   - an entry's sequence is its segment's number in the area (from 0) plus 1 while it is whole, and 0 from before the
 *     first byte of its data changes until the next is whole. A reader copies the entry, then the data, and then looks
 *     at the sequence again: another one means that it was overwritten meanwhile.
 *   - header.sequence is odd while the state, what is left out and the series are changed; a reader copies them until
 * it was even and the same before and after. They belong together: what is stored is what lies from state.first to
 * before state.end, and each series has the sum of it in stored.
 *   - header.answers counts the requests to seal that were answered: by then all that had been read is stored, and the
 *     numbers are of then. header.answered says whose the latest were, number N at N modulo their number: another's
 *     answer may be to a request from before ours. These change by themselves, the answer's process before the count.
 *
 * A reader trusts nothing of what it finds: see area_open().
 */
#ifndef TARCAP_AREA_H
#define TARCAP_AREA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/account.h"
#include "base/err.h"
#include "base/sizes.h"
#include "capture/capture_set.h"
#include "capture/segments.h"

#define AREA_MEMFD "tarcap-record" /* its name, as /proc/PID/fd shows it */
#define AREA_LEAST (4 * MIB)
#define AREA_ENTRY_EVERY ((uint64_t)4096) /* bytes of data: that many stored ones there can be */
#define AREA_ASKERS 64			  /* that may wait for an answer at a time */
#define AREA_EVENT_SIZE 160		  /* bytes of an event's text */
#define AREA_NAME_SIZE 40		  /* of a text, or an interface */

enum area_phase {
	AREA_RECORDING = 1,
	AREA_AFTER,  /* the event has come, --after runs */
	AREA_FROZEN, /* that is over, or it ends: the account is closed, nothing is recorded */
};

/* The first event. Its interface, file and packet (from 1) say where it is. */
struct area_event {
	uint64_t count;		    /* of events; 0: none has come, and the rest means nothing */
	uint64_t time;		    /* of the packet, ns since the epoch */
	uint64_t packet;	    /* in its file; 0: it is no packet (silence) */
	uint32_t until;		    /* which --until, from 0 */
	uint32_t place, number;	    /* of the series, and the file's number in it */
	char what[AREA_EVENT_SIZE]; /* as it was asked for; a longer one is cut */
};

/* What was asked for, of which a snapshot's manifest has to tell. */
#define AREA_UNTIL 1
#define AREA_FIRST 2

/* What changes with each segment that is stored. */
struct area_state {
	uint64_t account;    /* its number, from 1; a resumed recorder begins another */
	uint64_t started;    /* this account; ns since the epoch */
	uint64_t first, end; /* of the stored segments' numbers in the area */
	uint64_t frozen_at;  /* ns since the epoch; 0: not */
	uint32_t phase;	     /* enum area_phase */
	uint32_t asked;	     /* AREA_UNTIL and AREA_FIRST */
	struct area_event event;
};

struct area_series {
	char name[SERIES_NAME_SIZE];	/* the first part of the files' names */
	char interface[AREA_NAME_SIZE]; /* its name in JSON */
	uint32_t pcapng;		/* the files are */
	uint64_t gone_at;		/* ns since the epoch; 0: it is there */
	struct account account;		/* as of the last segment that was sealed; written means nothing yet */
	struct overwritten stored;	/* what is stored now, in the same numbers */
};

/* Interfaces that are not captured, as capture_set.h has them. */
struct area_left_out {
	uint32_t count;
	uint32_t at_least;
	struct left_out list[MANIFEST_LEFT_OUT];
};

/* A stored segment. */
struct area_entry {
	uint64_t sequence;
	uint64_t offset; /* in the data */
	uint64_t since;	 /* when it, or one behind it, was opened first, in the clock that --keep counts in */
	uint64_t first, last, packets, dropped;
	uint64_t used, stored;	/* bytes as a file, and as stored; fewer: compressed */
	uint32_t place, number; /* of the series; the file's in it */
};

struct area_text {
	char name[AREA_NAME_SIZE];
	uint64_t time; /* ns since the epoch */
	uint64_t size; /* bytes behind it */
};

struct area_header {
	char magic[8];
	uint64_t layout;	      /* of these structs: those of another version are none of ours */
	uint64_t size;		      /* of all */
	uint64_t series_at, series;   /* where they begin, and how many they are */
	uint64_t texts_at, texts;     /* the same, each behind the other at multiples of 64 */
	uint64_t entries_at, entries; /* the same */
	uint64_t data_at, data;	      /* the same, in bytes */
	uint64_t answers, sequence;   /* see above */
	int32_t answered[AREA_ASKERS];
	struct area_state state;
	struct area_left_out left_out; /* changes with it */
};

/* --- the recorder's side --- */

struct area {
	unsigned char *memory; /* NULL: there is none */
	size_t size;
	struct area_header *header;
	struct area_series *series;
	struct area_entry *entries;
	unsigned char *data;
	uint64_t room_at, room; /* the free part of the data: where it begins, and how much it is */
};

/*
 * A memfd of so many bytes (whole pages), of which all are taken. Who may open it by /proc may only read. -1: there is
 * no such memory, or the kernel refuses it.
 */
MUST_CHECK int area_create(uint64_t size, struct err *err);

/*
 * Map it, and seal it: from now on nobody else can map it to write, write to it, or change its size (before Linux 5.1
 * others can write: F_SEAL_FUTURE_WRITE, fcntl(2)). The memory is in no core dump. fd stays the caller's and is no
 * longer needed.
 */
MUST_CHECK int area_map(struct area *area, int fd, struct err *err);
void area_unmap(struct area *area);

/* Is it sealed against others who would write to it? Not before Linux 5.1. */
bool area_is_read_only(int fd);

/*
 * Lay it out, in this order: so many series, whose names are to be filled in; each text, of which one that takes more
 * than its share (a quarter of the area, for all) is left out, false; and the rest for what is to be stored. From
 * area_start() on a reader finds it.
 */
void area_begin(struct area *area, unsigned series, uint64_t now);
bool area_add_text(struct area *area, const char *name, uint64_t time, const void *data, size_t size);
void area_start(struct area *area);

/* Is there room for a segment of so many bytes, as stored? If not, drop the oldest; one too large never has. */
bool area_has_room(const struct area *area, uint64_t stored);
bool area_can_have(const struct area *area, uint64_t stored);

/* How many are stored; the oldest and the newest, NULL when there is none. */
uint64_t area_count(const struct area *area);
const struct area_entry *area_oldest(const struct area *area);
const struct area_entry *area_newest(const struct area *area);

/*
 * Around what changes state, series and the list of what is stored. Between them nothing takes long, and of data no
 * byte is changed: what is dropped may not be overwritten before the end of it.
 */
void area_change(struct area *area);
void area_changed(struct area *area);

/* Take the oldest out of the list, and of its series' sum. Returns it, valid until the next is stored. */
const struct area_entry *area_drop_oldest(struct area *area);

/* Put zeros where a dropped one was, before anything else is stored. */
void area_wipe(struct area *area, const struct area_entry *dropped);

/* Copy the data of a segment into the room that there is. Then it is entered, within a change: it is stored. */
void area_copy_in(struct area *area, const unsigned char *data, uint64_t stored);
void area_enter(struct area *area, const struct segment *segment, uint32_t place, uint64_t since);

/* A stored segment's data, where it lies in one piece; else NULL, and area_copy_out() copies it. */
const unsigned char *area_piece(const struct area *area, const struct area_entry *entry);
void area_copy_out(const struct area *area, const struct area_entry *entry, unsigned char *to);

/* Another request to seal has been answered: that of this process, or 0 where nobody waits for it. */
void area_answer(struct area *area, pid_t asker);

/* --- a reader's side, in another process --- */

struct area_view {
	const unsigned char *memory;
	struct area_header header;     /* as it was when it was opened, checked */
	struct area_state state;       /* of area_look() */
	struct area_left_out left_out; /* the same */
	struct area_series *series;    /* the same; header.series of them */
};

/*
 * Map the area that fd is, read-only. Nothing in it is trusted: that it is ours (STATUS_FAILED where not), that its
 * size cannot change (a map of less would be SIGBUS), and that everything lies within it is seen to here, and of each
 * entry when it is read. fd stays the caller's and is no longer needed. A recorder that has not begun is STATUS_FAILED,
 * too.
 */
MUST_CHECK int area_open(struct area_view *view, int fd, struct err *err);
void area_close(struct area_view *view);

/*
 * State and series as they belong together, into view; ids from state.first to before state.end are stored then. -1
 * when they do not keep still for a second: who writes them was stopped within.
 */
MUST_CHECK int area_look(struct area_view *view, struct err *err);

/* How many requests have been answered; and whether one of this process is among those since there were so many. */
uint64_t area_answers(const struct area_view *view);
bool area_has_answered(const struct area_view *view, uint64_t since, pid_t asker);

/* The text of this number, from 0; false when there is no such. */
MUST_CHECK bool area_text(const struct area_view *view, uint64_t number, struct area_text *text, const char **data);

/* The stored segment of this number in the area; false when it has been overwritten, or is not what it should be. */
MUST_CHECK bool area_find(const struct area_view *view, uint64_t number, struct area_entry *entry);

/* Its data, entry->stored bytes; false when it has been overwritten meanwhile: then what was copied is worth nothing.
 */
MUST_CHECK bool area_copy(const struct area_view *view, const struct area_entry *entry, unsigned char *to);

#endif
