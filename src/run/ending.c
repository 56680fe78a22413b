#include "run/ending.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "capture/capture.h"

#define DRAIN_QUIET (CAPTURE_BLOCK_TIMEOUT * 5 / 2 * (CLOCK_SECOND / 1000))

/* An end without time for what is in the ring. */
#define CUT_NOW (ENDING_CLOSE | ENDING_FORGIVE | ENDING_CUT)

/* Every event in every stage; most of those that change nothing cannot come there. */
static const struct ending_transition table[STAGES][EVENTS] =
	{
		[STAGE_CAPTURE] =
			{
				[EVENT_CAUSE] = {STAGE_DRAIN, ENDING_CAUSE | ENDING_DISARM},
				[EVENT_LIMIT] = {STAGE_FLUSH, ENDING_CAUSE | ENDING_DISARM | ENDING_CLOSE},
				[EVENT_SIGNAL] = {STAGE_DRAIN, ENDING_CAUSE | ENDING_DISARM},
				[EVENT_SIGNAL_DROP] = {STAGE_DRAIN, ENDING_CAUSE | ENDING_DISARM},
				[EVENT_SIGNAL_AGAIN] = {STAGE_OVER, ENDING_DISARM | CUT_NOW},
				[EVENT_DRAINED] = {STAGE_CAPTURE, 0},
				[EVENT_LATE] = {STAGE_CAPTURE, 0},
				[EVENT_TOO_LATE] = {STAGE_CAPTURE, 0},
				[EVENT_STALLED] = {STAGE_OVER, ENDING_DISARM | CUT_NOW},
				[EVENT_NO_READER] = {STAGE_OVER, ENDING_DISARM | CUT_NOW},
				[EVENT_READER_GONE] = {STAGE_OVER, ENDING_DISARM | CUT_NOW},
				[EVENT_FAILED] = {STAGE_OVER, ENDING_DISARM | CUT_NOW},
				[EVENT_CUT_BACK] = {STAGE_CAPTURE, 0},
				[EVENT_DELIVERED] = {STAGE_CAPTURE, 0},
				[EVENT_TAKEN_BEHIND] = {STAGE_CAPTURE, 0},
				[EVENT_LINGERED] = {STAGE_CAPTURE, 0},
			},
		[STAGE_DRAIN] =
			{
				[EVENT_CAUSE] = {STAGE_DRAIN, 0}, /* the first holds */
				[EVENT_LIMIT] = {STAGE_FLUSH, ENDING_CAUSE | ENDING_CLOSE},
				[EVENT_SIGNAL] = {STAGE_DRAIN, 0}, /* its deadlines begin */
				[EVENT_SIGNAL_DROP] = {STAGE_FLUSH, ENDING_CLOSE | ENDING_DROP},
				[EVENT_SIGNAL_AGAIN] = {STAGE_OVER, CUT_NOW},
				[EVENT_DRAINED] = {STAGE_FLUSH, ENDING_CLOSE},
				[EVENT_LATE] = {STAGE_FLUSH, ENDING_CLOSE | ENDING_DROP},
				[EVENT_TOO_LATE] = {STAGE_OVER, CUT_NOW},
				[EVENT_STALLED] = {STAGE_OVER, CUT_NOW},
				[EVENT_NO_READER] = {STAGE_OVER, CUT_NOW},
				[EVENT_READER_GONE] = {STAGE_OVER, CUT_NOW},
				[EVENT_FAILED] = {STAGE_OVER, CUT_NOW},
				[EVENT_CUT_BACK] = {STAGE_DRAIN, 0},
				[EVENT_DELIVERED] = {STAGE_DRAIN, 0},
				[EVENT_TAKEN_BEHIND] = {STAGE_DRAIN, 0},
				[EVENT_LINGERED] = {STAGE_DRAIN, 0},
			},
		[STAGE_FLUSH] =
			{
				[EVENT_CAUSE] = {STAGE_FLUSH, 0},
				[EVENT_LIMIT] = {STAGE_FLUSH, 0},
				[EVENT_SIGNAL] = {STAGE_FLUSH, 0},
				[EVENT_SIGNAL_DROP] = {STAGE_FLUSH, ENDING_DROP},
				[EVENT_SIGNAL_AGAIN] = {STAGE_OVER, ENDING_CUT},
				[EVENT_DRAINED] = {STAGE_FLUSH, 0},
				[EVENT_LATE] = {STAGE_FLUSH,
						ENDING_DROP}, /* again and again: what is next has not begun either */
				[EVENT_TOO_LATE] = {STAGE_OVER, ENDING_CUT},
				[EVENT_STALLED] = {STAGE_OVER, ENDING_CUT},
				[EVENT_NO_READER] = {STAGE_OVER, ENDING_CUT},
				[EVENT_READER_GONE] = {STAGE_OVER, ENDING_CUT},
				[EVENT_FAILED] = {STAGE_OVER, ENDING_CUT},
				[EVENT_CUT_BACK] = {STAGE_FLUSH, ENDING_CAUSE},
				[EVENT_DELIVERED] = {STAGE_OVER, 0},
				[EVENT_TAKEN_BEHIND] = {STAGE_LINGER, 0},
				[EVENT_LINGERED] = {STAGE_FLUSH, 0},
			},
		[STAGE_LINGER] =
			{
				[EVENT_CAUSE] = {STAGE_LINGER, 0},
				[EVENT_LIMIT] = {STAGE_LINGER, 0},
				[EVENT_SIGNAL] = {STAGE_OVER, 0},
				[EVENT_SIGNAL_DROP] = {STAGE_OVER, 0},
				[EVENT_SIGNAL_AGAIN] = {STAGE_OVER, 0},
				[EVENT_DRAINED] = {STAGE_LINGER, 0},
				[EVENT_LATE] = {STAGE_LINGER, 0},
				[EVENT_TOO_LATE] = {STAGE_LINGER, 0},
				[EVENT_STALLED] = {STAGE_LINGER, 0},
				[EVENT_NO_READER] = {STAGE_LINGER, 0},
				[EVENT_READER_GONE] = {STAGE_OVER, 0}, /* it has everything */
				[EVENT_FAILED] = {STAGE_LINGER, 0},
				[EVENT_CUT_BACK] = {STAGE_LINGER, 0},
				[EVENT_DELIVERED] = {STAGE_LINGER, 0},
				[EVENT_TAKEN_BEHIND] = {STAGE_LINGER, 0},
				[EVENT_LINGERED] = {STAGE_OVER, 0},
			},
		[STAGE_OVER] =
			{
				[EVENT_CAUSE] = {STAGE_OVER, 0},
				[EVENT_LIMIT] = {STAGE_OVER, 0},
				[EVENT_SIGNAL] = {STAGE_OVER, 0},
				[EVENT_SIGNAL_DROP] = {STAGE_OVER, 0},
				[EVENT_SIGNAL_AGAIN] = {STAGE_OVER, 0},
				[EVENT_DRAINED] = {STAGE_OVER, 0},
				[EVENT_LATE] = {STAGE_OVER, 0},
				[EVENT_TOO_LATE] = {STAGE_OVER, 0},
				[EVENT_STALLED] = {STAGE_OVER, 0},
				[EVENT_NO_READER] = {STAGE_OVER, 0},
				[EVENT_READER_GONE] = {STAGE_OVER, 0},
				[EVENT_FAILED] = {STAGE_OVER, 0},
				[EVENT_CUT_BACK] = {STAGE_OVER, 0},
				[EVENT_DELIVERED] = {STAGE_OVER, 0},
				[EVENT_TAKEN_BEHIND] = {STAGE_OVER, 0},
				[EVENT_LINGERED] = {STAGE_OVER, 0},
			},
};

/* Of the events that cut an archive: NULL where an error says it. */
static const char *const reasons[EVENTS] = {
	[EVENT_SIGNAL_AGAIN] = "ended by a second signal",
	[EVENT_TOO_LATE] = "the reader did not take everything within 5 s of the signal",
	[EVENT_STALLED] = "the reader has stalled",
	[EVENT_NO_READER] = "no reader has come",
	[EVENT_READER_GONE] = "the reader has gone away",
};

void ending_init(struct ending *ending, bool ring, uint64_t duration, uint64_t now)
{
	*ending = (struct ending){
		.stage = STAGE_CAPTURE,
		.ring = ring,
		.began_at = now,
		.ends_at = ring && duration ? now + duration : 0,
	};
}

struct ending_transition ending_transition(enum ending_stage stage, enum ending_event event)
{
	return table[stage][event];
}

static void take_cause(struct ending *ending, enum cause cause, const char *detail)
{
	ending->cause = cause;
	snprintf(ending->detail, sizeof(ending->detail), "%s", detail ? detail : "");
}

static unsigned take(struct ending *ending, enum ending_event event, uint64_t now)
{
	const struct ending_transition transition = table[ending->stage][event];

	if (transition.actions & ENDING_DISARM)
		ending->drain_until = now + DRAIN_QUIET;
	if (transition.actions & ENDING_CLOSE)
		ending->closed_at = now;
	if (transition.actions & ENDING_CUT) {
		ending->status = event == EVENT_FAILED ? STATUS_FAILED : STATUS_READER;
		ending->why =
			event == EVENT_SIGNAL_AGAIN && ending->records ? "ended by a third signal" : reasons[event];
	}
	if (transition.next == STAGE_LINGER && ending->stage != STAGE_LINGER)
		ending->linger_until = now + ENDING_LINGER;
	ending->stage = transition.next;
	return transition.actions;
}

unsigned ending_by_event(struct ending *ending, enum ending_event event, uint64_t now)
{
	unsigned actions = take(ending, event, now);

	if (ending->stage == STAGE_DRAIN && !ending->ring)
		actions |= take(ending, EVENT_DRAINED, now);
	return actions;
}

static unsigned by_cause(struct ending *ending, enum ending_event event, enum cause cause, const char *detail,
			 uint64_t now)
{
	unsigned actions = ending_by_event(ending, event, now);

	if (actions & ENDING_CAUSE)
		take_cause(ending, cause, detail);
	return actions;
}

unsigned ending_by_cause(struct ending *ending, enum cause cause, const char *detail, uint64_t now)
{
	bool at_once = cause_is_limit(cause) || cause == CAUSE_OUTPUT_FAILED;

	return by_cause(ending, at_once ? EVENT_LIMIT : EVENT_CAUSE, cause, detail, now);
}

/* The next one. What a recorder has can take long to send: that is no reason to drop it. */
static enum ending_event signal_event(struct ending *ending)
{
	unsigned before = ending->signals++;

	if (before == 0)
		return EVENT_SIGNAL;
	return before == 1 && ending->records ? EVENT_SIGNAL_DROP : EVENT_SIGNAL_AGAIN;
}

unsigned ending_by_signal(struct ending *ending, int signo, uint64_t now)
{
	const char *name = signo == SIGINT ? "SIGINT" : signo == SIGTERM ? "SIGTERM" : "SIGHUP";
	enum ending_event event = signal_event(ending);

	if (!ending->asked_at && (event != EVENT_SIGNAL || !ending->records))
		ending->asked_at = now;
	return by_cause(ending, event, CAUSE_SIGNAL, name, now);
}

unsigned ending_cut_back(struct ending *ending, const char *why, uint64_t now)
{
	return by_cause(ending, EVENT_CUT_BACK, CAUSE_OUTPUT_FAILED, why, now);
}

void ending_after_event(struct ending *ending, const char *event, uint64_t after, uint64_t now)
{
	if (ending->ends_at && ending->ends_at < now + after)
		return;
	ending->ends_at = now + after;
	ending->event = event;
}

unsigned ending_by_duration(struct ending *ending, uint64_t now)
{
	if (ending->stage != STAGE_CAPTURE || !ending->ends_at || now < ending->ends_at)
		return 0;
	if (ending->event)
		return ending_by_cause(ending, CAUSE_EVENT, ending->event, now);
	return ending_by_cause(ending, CAUSE_DURATION, ending->without_stdin ? "60 s without stdin" : NULL, now);
}

bool ending_is_late(const struct ending *ending, uint64_t now)
{
	return ending->asked_at && now >= ending->asked_at + ENDING_DROP_AFTER;
}

bool ending_is_too_late(const struct ending *ending, uint64_t now)
{
	return ending->asked_at && now >= ending->asked_at + ENDING_EXIT_AFTER;
}

uint64_t ending_signal_due(const struct ending *ending, uint64_t now)
{
	if (!ending->asked_at)
		return 0;
	return ending->asked_at + (ending_is_late(ending, now) ? ENDING_EXIT_AFTER : ENDING_DROP_AFTER);
}

void ending_without_stdin(struct ending *ending, bool duration_chosen)
{
	uint64_t until = ending->began_at + ENDING_WITHOUT_STDIN;

	ending->without_stdin = ending->ring && !duration_chosen && (!ending->ends_at || until < ending->ends_at);
	if (ending->without_stdin)
		ending->ends_at = until;
}

void ending_not_quiet(struct ending *ending, uint64_t now)
{
	ending->drain_until = now + DRAIN_QUIET;
}

bool ending_is_quiet(const struct ending *ending, uint64_t now)
{
	return now >= ending->drain_until;
}

uint64_t ending_stall_at(const struct ending *ending, const struct ending_reader *reader, uint64_t stall)
{
	if (reader->awaited && stall && ending->stage == STAGE_FLUSH)
		return ending->closed_at + stall;
	if (reader->awaited) /* a capture ends by its limits; a file has none */
		return stall && !ending->ring ? ending->began_at + stall : 0;
	if (!reader->waits)
		return 0;
	if (ending->cause == CAUSE_STDIN_CLOSED && (!stall || stall > ENDING_STDIN_STALL))
		stall = ENDING_STDIN_STALL;
	return stall ? reader->progress_at + stall : 0;
}

enum status ending_status(const struct ending *ending, const struct account *account)
{
	if (ending->status)
		return ending->status;
	if (ending->cause == CAUSE_FEEDBACK)
		return STATUS_SURROUNDINGS;
	if (account->dropped_at_stop)
		return STATUS_READER;
	return ending->cause == CAUSE_INTERFACE_GONE && account->written == 0 ? STATUS_SURROUNDINGS : STATUS_OK;
}
