/*
 * How a capture ends: its stage, why, and until when, as one state machine. It touches neither packets nor descriptors:
 * each call returns what is to be done now, and stopping.c does it.
 */
#ifndef TARCAP_ENDING_H
#define TARCAP_ENDING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/account.h"
#include "base/clock.h"
#include "base/err.h"

#define ENDING_DROP_AFTER (3 * CLOCK_SECOND)	 /* a signal, until what has not begun to leave is dropped */
#define ENDING_EXIT_AFTER (5 * CLOCK_SECOND)	 /* a signal, until the end whatever has left */
#define ENDING_STDIN_STALL (5 * CLOCK_SECOND)	 /* of a reader after stdin closed: it may have gone with it */
#define ENDING_LINGER CLOCK_SECOND		 /* an engine may cut a stream when its process ends at once */
#define ENDING_WITHOUT_STDIN (60 * CLOCK_SECOND) /* where stdin tells no end, and nobody said how long */

enum ending_stage {
	STAGE_CAPTURE = 1,
	STAGE_DRAIN,  /* nothing new comes; the ring is being emptied */
	STAGE_FLUSH,  /* the ring is empty; what is sealed is on its way, then the manifest */
	STAGE_LINGER, /* all has left */
	STAGE_OVER,
	STAGES,
};

enum ending_event {
	EVENT_CAUSE,	   /* that leaves what is in the ring to be captured */
	EVENT_LIMIT,	   /* that counts packets, or the output failed: nothing in the ring is wanted */
	EVENT_SIGNAL,	   /* the first */
	EVENT_SIGNAL_DROP, /* a recorder's second, which drops what has not left: its first is but a cause */
	EVENT_SIGNAL_AGAIN,
	EVENT_DRAINED,	 /* the ring is empty, or has been quiet for long enough */
	EVENT_LATE,	 /* ENDING_DROP_AFTER is over */
	EVENT_TOO_LATE,	 /* ENDING_EXIT_AFTER is over */
	EVENT_STALLED,	 /* the reader has taken nothing for too long */
	EVENT_NO_READER, /* none has come */
	EVENT_READER_GONE,
	EVENT_FAILED,	    /* there is no way on */
	EVENT_CUT_BACK,	    /* the output failed, was cut back to its last whole member, and takes a manifest */
	EVENT_DELIVERED,    /* the archive is complete and taken */
	EVENT_TAKEN_BEHIND, /* the same, but some of it may still be on its way through an engine */
	EVENT_LINGERED,
	EVENTS,
};

/* What is to be done, in this order. */
enum ending_action {
	ENDING_DISARM = 1, /* nothing more comes into the ring */
	ENDING_CLOSE =
		2,	 /* every packet has come as far as it will: seal, close the account, let the manifest follow */
	ENDING_DROP = 4, /* what has not begun to leave */
	ENDING_FORGIVE = 8, /* what was in the ring just now was not given time to leave: the stop did not drop it */
	ENDING_CUT = 16,    /* say ending->why, and what was delivered; not where that is NULL */
	ENDING_CAUSE = 32,  /* done already: this is what ended it */
};

/* A cell of the table: what an event does in a stage. */
struct ending_transition {
	enum ending_stage next;
	unsigned actions;
};

struct ending {
	enum ending_stage stage;
	enum cause cause;
	char detail[80];
	enum status status; /* when something else than the cause decides it */
	const char *why;    /* of what is cut */
	bool ring;	    /* there is one to be emptied: it is no file */
	bool without_stdin; /* which is why it ends at ends_at */
	bool records;	    /* the first signal only begins the end */
	unsigned signals;   /* that have come */
	const char *event;  /* that --until waited for, and which is why it ends at ends_at; or NULL */
	/* Boot time. */
	uint64_t began_at, ends_at /* by the clock, or 0 */, asked_at /* by the signal that sets deadlines, or 0 */;
	uint64_t drain_until, closed_at, linger_until;
};

/* duration in ns, 0: none; a file's is its packets' matter. records is to be set behind it. */
void ending_init(struct ending *ending, bool ring, uint64_t duration, uint64_t now);

struct ending_transition ending_transition(enum ending_stage stage, enum ending_event event);

/* Each of these returns the actions to be done now. Events that change nothing may come at any time. */
MUST_CHECK unsigned ending_by_event(struct ending *ending, enum ending_event event, uint64_t now);

/* The first cause ends it; but a limit that is reached while the ring is emptied still holds. detail: of it, or NULL.
 */
MUST_CHECK unsigned ending_by_cause(struct ending *ending, enum cause cause, const char *detail, uint64_t now);

/* SIGINT, SIGTERM or SIGHUP has come. */
MUST_CHECK unsigned ending_by_signal(struct ending *ending, int signo, uint64_t now);

/* The event has come that --until waited for: unless it ends before, it ends after ns from now. Its name stays. */
void ending_after_event(struct ending *ending, const char *event, uint64_t after, uint64_t now);

/* The capture's time is over, or not yet. */
MUST_CHECK unsigned ending_by_duration(struct ending *ending, uint64_t now);

/* EVENT_CUT_BACK; why the output failed. */
MUST_CHECK unsigned ending_cut_back(struct ending *ending, const char *why, uint64_t now);

/* Has a signal's ENDING_DROP_AFTER, or ENDING_EXIT_AFTER, gone by? */
bool ending_is_late(const struct ending *ending, uint64_t now);
bool ending_is_too_late(const struct ending *ending, uint64_t now);

/* Stdin will tell no end. Nobody would end it: not for the whole of a limit that nobody chose. A file ends by itself.
 */
void ending_without_stdin(struct ending *ending, bool duration_chosen);

/* Something was read, or could not be read: the ring has to be quiet from now on. */
void ending_not_quiet(struct ending *ending, uint64_t now);
bool ending_is_quiet(const struct ending *ending, uint64_t now);

/* When to look next at a signal's deadlines; 0: never. */
uint64_t ending_signal_due(const struct ending *ending, uint64_t now);

/* The reader, as the loop sees it. */
struct ending_reader {
	bool awaited;	      /* nothing is sent before it comes */
	bool waits;	      /* it does: bytes wait for it */
	uint64_t progress_at; /* boot time: when it last took something */
};

/* When a reader that takes nothing for stall ns (0: it may) ends it; 0: never. */
uint64_t ending_stall_at(const struct ending *ending, const struct ending_reader *reader, uint64_t stall);

/* What a capture that went its way was. */
enum status ending_status(const struct ending *ending, const struct account *account);

#endif
