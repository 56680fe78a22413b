#include "run/feedback.h"

#include "base/clock.h"

#define MS (CLOCK_SECOND / 1000)
#define WINDOW (100 * MS)
#define RELEASE_MIN (6 * MS)
#define RELEASE_MAX (60 * MS)
#define STEP_MIN (2 * MS)
#define STEP_MAX (5 * MS)
#define HOLD_MIN (20 * MS)
#define HOLD_MAX (300 * MS)
#define PAUSE_MAX HOLD_MAX
#define PATIENCE (60 * MS) /* for what is sent to come back: others have to run for that */
#define WEIGH_MAX (500 * MS)
#define WAIT_MIN (100 * MS)
#define WAIT_MAX (20 * CLOCK_SECOND)

enum { QUARTER, HELD, RELEASED, MARKS };

static uint64_t per_second(uint64_t count, uint64_t time)
{
	return time ? (uint64_t)((double)count * (double)CLOCK_SECOND / (double)time) : 0;
}

static void enter(struct feedback *feedback, enum feedback_stage stage, uint64_t now, uint64_t time,
		  const struct feedback_counters *counters)
{
	feedback->stage = stage;
	feedback->since = now;
	feedback->until = now + time;
	feedback->at = *counters;
}

void feedback_init(struct feedback *feedback, uint64_t ring, uint64_t now)
{
	*feedback = (struct feedback){
		.ring = ring,
		.since = now,
		.until = now + WINDOW,
		.innocent = FEEDBACK_FLOOR / 4,
		.wait = WAIT_MIN,
		.random = (uint32_t)now | 1,
	};
}

/* Between 0 and limit: no rhythm of the traffic is ours. (xorshift32) */
static uint64_t any_of(struct feedback *feedback, uint64_t limit)
{
	feedback->random ^= feedback->random << 13;
	feedback->random ^= feedback->random >> 17;
	feedback->random ^= feedback->random << 5;
	return limit * (feedback->random >> 16) / 65536;
}

static uint64_t some_of(struct feedback *feedback, uint64_t limit)
{
	return limit / 2 + any_of(feedback, limit / 2);
}

/* Some of the time in which bytes come at the speed before the trials, within limits. */
static uint64_t time_for(struct feedback *feedback, uint64_t bytes, uint64_t min, uint64_t max)
{
	uint64_t time = per_second(bytes, feedback->speed);

	return some_of(feedback, time < min ? min : time > max ? max : time);
}

static void mark(struct feedback *feedback, uint64_t now, uint64_t accepted)
{
	feedback->marks[feedback->marked++] = (struct feedback_mark){now, accepted, 0};
}

/* While held: often enough that a load which begins at GB/s then is seen before it fills the ring. */
static uint64_t step(const struct feedback *feedback)
{
	uint64_t time = feedback->ring / 2; /* ns, at a byte each */

	return time < STEP_MIN ? STEP_MIN : time > STEP_MAX ? STEP_MAX : time;
}

/* Bytes that the ring can take, and how many of them a hold may use: a load of the user's own goes on meanwhile. */
static uint64_t room_of(const struct feedback *feedback, const struct feedback_counters *counters)
{
	return counters->filled < feedback->ring ? feedback->ring - counters->filled : 0;
}

static uint64_t room_for_hold(const struct feedback *feedback, const struct feedback_counters *counters)
{
	uint64_t most = feedback->ring / 4, half = room_of(feedback, counters) / 2;

	return half < most ? half : most;
}

/*
 * What was on its way when the hold began still arrives: what counts is its last quarter. The hold is as long as
 * the ring can take what comes if it is no feedback.
 */
static enum feedback_verdict begin_trial(struct feedback *feedback, uint64_t now,
					 const struct feedback_counters *counters)
{
	enter(feedback, FEEDBACK_HOLD, now, time_for(feedback, room_for_hold(feedback, counters), HOLD_MIN, HOLD_MAX),
	      counters);
	feedback->dropped = counters->dropped;
	feedback->marked = feedback->weighed = 0;
	feedback->waited = false;
	feedback->step_at = now + step(feedback);
	return FEEDBACK_KEEP;
}

/*
 * A release that waits for packets ends as they come: with bursts, at the beginning of one. If the next trial began
 * there each time, its hold would end in the gap behind the burst each time, too.
 */
static enum feedback_verdict pause_before_trial(struct feedback *feedback, uint64_t now,
						const struct feedback_counters *counters)
{
	uint64_t quarter = feedback->marks[HELD].time - feedback->marks[QUARTER].time, most = 8 * quarter;

	enter(feedback, FEEDBACK_PAUSE, now, any_of(feedback, most < PAUSE_MAX ? most : PAUSE_MAX), counters);
	return FEEDBACK_GO;
}

static enum feedback_verdict keep_watching(struct feedback *feedback, uint64_t now,
					   const struct feedback_counters *counters)
{
	enter(feedback, FEEDBACK_WATCH, now, WINDOW, counters);
	return FEEDBACK_GO;
}

/*
 * It came while nothing was sent, or did not come when something was. That may have been another load beside, or one
 * that has just begun or ended: so it is tried again, each time later.
 */
static enum feedback_verdict acquit(struct feedback *feedback, uint64_t now, const struct feedback_counters *counters)
{
	feedback->innocent = feedback->speed;
	feedback->again_at = now + feedback->wait;
	if (feedback->wait < WAIT_MAX)
		feedback->wait *= 4;
	feedback->marked = feedback->weighed = 0;
	return keep_watching(feedback, now, counters);
}

static bool suspicious(const struct feedback *feedback, uint64_t now, uint64_t sent)
{
	return feedback->speed >= FEEDBACK_FLOOR && sent >= feedback->speed / 2 &&
	       (feedback->speed / 4 >= feedback->innocent || (feedback->again_at && now >= feedback->again_at));
}

/*
 * Can the ring take what comes until a trial is seen to fill it? Feedback that goes round as fast as it can has its
 * queue in the ring, which is never empty then.
 */
static bool has_room(const struct feedback *feedback, const struct feedback_counters *counters)
{
	uint64_t room = room_of(feedback, counters);

	return feedback->ring == 0 ||
	       (room >= feedback->ring / 4 && per_second(room / 2, feedback->speed) >= HOLD_MIN / 4);
}

static enum feedback_verdict watch(struct feedback *feedback, uint64_t now, const struct feedback_counters *counters)
{
	uint64_t time = now - feedback->since;
	uint64_t sent = per_second(counters->sent - feedback->at.sent, time);

	feedback->speed = per_second(counters->captured - feedback->at.captured, time);
	feedback->trials = 0;
	if (suspicious(feedback, now, sent) && has_room(feedback, counters))
		return begin_trial(feedback, now, counters);
	return keep_watching(feedback, now, counters);
}

/*
 * A load that grows while it is held back would fill the ring: feedback does not grow without us. What counts are bytes
 * of the ring, since the packets may not be those of before.
 */
static bool fills_ring(const struct feedback *feedback, const struct feedback_counters *counters)
{
	return feedback->ring && room_of(feedback, counters) <= feedback->ring / 8;
}

static enum feedback_verdict hold(struct feedback *feedback, uint64_t now, const struct feedback_counters *counters)
{
	uint64_t quarter_at = feedback->until - (feedback->until - feedback->since) / 4;

	if (fills_ring(feedback, counters))
		return acquit(feedback, now, counters);
	feedback->step_at = now + step(feedback);
	if (!feedback->marked && now >= quarter_at) {
		mark(feedback, now, counters->accepted);
		/* Whoever looks late makes the last quarter no shorter. */
		if (feedback->until < now + HOLD_MIN / 4)
			feedback->until = now + HOLD_MIN / 4;
	}
	if (now < feedback->until)
		return FEEDBACK_KEEP;
	mark(feedback, now, counters->accepted);
	enter(feedback, FEEDBACK_RELEASE, now, time_for(feedback, feedback->ring / 4, RELEASE_MIN, RELEASE_MAX),
	      counters);
	return FEEDBACK_GO;
}

static enum feedback_verdict release(struct feedback *feedback, uint64_t now, const struct feedback_counters *counters)
{
	feedback->marked = RELEASED;
	if (feedback->weighed > RELEASED)
		feedback->weighed = RELEASED;
	mark(feedback, now, counters->accepted);
	enter(feedback, FEEDBACK_WEIGH, now, WEIGH_MAX, counters);
	feedback_weigh(feedback, counters->read, counters->captured);
	return FEEDBACK_GO;
}

/* Not yet what it was: look again in a while, not at once. */
static enum feedback_verdict release_longer(struct feedback *feedback, uint64_t now,
					    const struct feedback_counters *counters)
{
	feedback->waited = true;
	enter(feedback, FEEDBACK_RELEASE, now, step(feedback), counters);
	return FEEDBACK_GO;
}

static uint64_t speed_between(const struct feedback_mark *from, const struct feedback_mark *to)
{
	return per_second(to->captured - from->captured, to->time - from->time);
}

static enum feedback_verdict judge(struct feedback *feedback, uint64_t now, const struct feedback_counters *counters)
{
	const struct feedback_mark *marks = feedback->marks;

	if (feedback->weighed < MARKS) /* too much else to read */
		return acquit(feedback, now, counters);
	if (speed_between(&marks[QUARTER], &marks[HELD]) >= feedback->speed / 4)
		return acquit(feedback, now, counters);
	if (speed_between(&marks[HELD], &marks[RELEASED]) < feedback->speed / 4)
		return now < marks[HELD].time + PATIENCE ? release_longer(feedback, now, counters)
							 : acquit(feedback, now, counters);
	if (++feedback->trials == FEEDBACK_TRIALS)
		return FEEDBACK_PROVEN;
	return feedback->waited ? pause_before_trial(feedback, now, counters) : begin_trial(feedback, now, counters);
}

uint64_t feedback_due(const struct feedback *feedback)
{
	if (feedback->stage == FEEDBACK_HOLD)
		return feedback->step_at < feedback->until ? feedback->step_at : feedback->until;
	if (feedback->stage == FEEDBACK_WEIGH && feedback->weighed == MARKS)
		return feedback->since;
	return feedback->until;
}

bool feedback_on_trial(const struct feedback *feedback)
{
	return feedback->stage != FEEDBACK_WATCH;
}

uint64_t feedback_read_at_most(const struct feedback *feedback, uint64_t read)
{
	uint64_t next;

	if (feedback->stage == FEEDBACK_WATCH || feedback->weighed >= feedback->marked)
		return 0;
	next = feedback->marks[feedback->weighed].accepted;
	return next > read ? next - read : 1;
}

void feedback_weigh(struct feedback *feedback, uint64_t read, uint64_t captured)
{
	while (feedback->weighed < feedback->marked && feedback->marks[feedback->weighed].accepted <= read)
		feedback->marks[feedback->weighed++].captured = captured;
}

enum feedback_verdict feedback_look(struct feedback *feedback, uint64_t now, const struct feedback_counters *counters)
{
	if (now < feedback_due(feedback))
		return feedback->stage == FEEDBACK_HOLD ? FEEDBACK_KEEP : FEEDBACK_GO;
	/* No trial is worth a packet. */
	if (feedback_on_trial(feedback) && counters->dropped != feedback->dropped)
		return acquit(feedback, now, counters);
	switch (feedback->stage) {
	case FEEDBACK_HOLD:
		return hold(feedback, now, counters);
	case FEEDBACK_PAUSE:
		return begin_trial(feedback, now, counters);
	case FEEDBACK_RELEASE:
		return release(feedback, now, counters);
	case FEEDBACK_WEIGH:
		return judge(feedback, now, counters);
	default:
		return watch(feedback, now, counters);
	}
}
