/*
 * Does the archive come back as packets? In a host's network its stream may pass the interface that is captured, and
 * would then feed itself at whatever speed the way out has. Where that cannot be, nobody makes a struct feedback: a
 * trial costs memory and time.
 *
 * Suspected when what leaves keeps up with what is captured, and that has grown fourfold, or some time has gone by
 * since the last suspicion. Then it is tried: for a moment nothing is sent, and what comes is left in the ring. Only a
 * stream that feeds itself stops arriving each time, and comes back each time the output goes on. No load of the user's
 * own does that at moments that we choose.
 */
#ifndef TARCAP_FEEDBACK_H
#define TARCAP_FEEDBACK_H

#include <stdbool.h>
#include <stdint.h>

#define FEEDBACK_FLOOR (5 << 20) /* bytes captured per second: below it the other limits suffice */
#define FEEDBACK_TRIALS 12	 /* in a row; one that shows no feedback ends them */

/* Counters since the start. */
struct feedback_counters {
	uint64_t captured; /* bytes of packet records */
	uint64_t sent;	   /* bytes of the archive that have left */
	uint64_t accepted; /* packets that came into the ring */
	uint64_t dropped;  /* packets that did not, because it was full */
	uint64_t read;	   /* packets taken out of it */
	uint64_t filled;   /* bytes of the ring that is fullest: ring_filled() */
};

enum feedback_stage {
	FEEDBACK_WATCH,
	FEEDBACK_HOLD,	  /* nothing is sent or read */
	FEEDBACK_RELEASE, /* all goes on; what comes now is compared with what came at the end of the hold */
	FEEDBACK_PAUSE,	  /* before the next trial, for a time that nobody can know */
	FEEDBACK_WEIGH,	  /* until all that has come by then has been read, and its size is known */
};

/* A moment, by what had come into the ring; captured is known once that has been read. */
struct feedback_mark {
	uint64_t time, accepted, captured;
};

struct feedback {
	enum feedback_stage stage;
	uint64_t ring;	       /* bytes of the smallest ring; 0: not known, and only a drop tells that it is full */
	uint64_t since, until; /* of this stage; boot time */
	struct feedback_counters at; /* at since */
	/* The beginning of a hold's last quarter, its end, and the release's end. */
	struct feedback_mark marks[3];
	unsigned marked, weighed; /* how many of the marks are set, and how many have been read */
	uint64_t dropped;	  /* when the trial began: the first that comes ends it */
	uint64_t step_at;	  /* in a hold: when to see whether the ring can still take it */
	uint64_t speed;		  /* bytes/s before the trials */
	uint64_t innocent;	  /* bytes/s that were found to be no feedback; four times as much is tried again, */
	uint64_t again_at, wait;  /* and as much at that time, so many ns after the last trial */
	bool waited;		  /* the release went on until packets came */
	unsigned trials;
	uint32_t random;
};

enum feedback_verdict {
	FEEDBACK_GO,	/* read and send */
	FEEDBACK_KEEP,	/* do neither, and look again at feedback_due() */
	FEEDBACK_PROVEN /* the stream feeds itself */
};

/* ring as in struct feedback; now is boot time. */
void feedback_init(struct feedback *feedback, uint64_t ring, uint64_t now);

/* When to look next. During trials that is a deadline; else it is enough to look when there is other work. */
uint64_t feedback_due(const struct feedback *feedback);
bool feedback_on_trial(const struct feedback *feedback);

/* How many packets to read at most before looking again: 0 is any number. Marks are weighed exactly by that. */
uint64_t feedback_read_at_most(const struct feedback *feedback, uint64_t read);

/* To be called when it is due, with counters that are up to date. */
enum feedback_verdict feedback_look(struct feedback *feedback, uint64_t now, const struct feedback_counters *counters);

/* To be called after each read while there are marks to weigh (feedback_read_at_most is not 0). */
void feedback_weigh(struct feedback *feedback, uint64_t read, uint64_t captured);

#endif
