#include "run/sending.h"

#include <string.h>

#include "base/clock.h"
#include "run/losses.h"
#include "run/run.h"
#include "run/stopping.h"

/*
 * The output failed. A file is cut back to its last complete member, and closed with a manifest that counts what is
 * not in it; where it is encrypted it ends there.
 */
static bool rescue(struct run *run)
{
	struct ending *ending = &run->ending;
	bool goes_on;

	if (!run->delivery->errnum)
		return false; /* it was not the output */
	stop(run, CAUSE_OUTPUT_FAILED);
	goes_on = deliver_cut_back(run->delivery);
	losses_take_back(run->captures, CAUSE_OUTPUT_FAILED);
	if (!goes_on)
		return false;
	stopping_do(run, ending_cut_back(ending, strerror(run->delivery->errnum), run->now));
	deliver_finish(run->delivery, ending->cause, ending->detail);
	return true;
}

/* What ends by stdin came through an engine, as what attaches does; but that is always on its way. */
static bool may_be_on_its_way(const struct run *run)
{
	return run->options->wait_reader || (run->ending.cause == CAUSE_STDIN_CLOSED && run->parts->watch_sink &&
					     reader_is_behind(&run->reader, run->delivery->sent));
}

static void by_result(struct run *run, enum deliver_result result)
{
	switch (result) {
	case DELIVER_IDLE:
	case DELIVER_WAITING:
	case DELIVER_BUSY:
		break;
	case DELIVER_DONE:
		stop_by(run, may_be_on_its_way(run) ? EVENT_TAKEN_BEHIND : EVENT_DELIVERED);
		break;
	case DELIVER_GONE:
		stop_by(run, EVENT_READER_GONE);
		break;
	case DELIVER_FAILED:
		if (!rescue(run))
			stop_by(run, EVENT_FAILED);
		break;
	}
}

static enum deliver_result send_now(struct run *run)
{
	enum deliver_result result;

	run->sending.tried_at = run->now;
	reader_sent(&run->reader, run->delivery->sent, run->now);
	do {
		result = deliver_advance(run->delivery, run->now, run->err);
		by_result(run, result);
	} while (result == DELIVER_FAILED && !run_is_over(run));
	return result;
}

/* While we compress, it is not the reader that keeps the pool full. */
static void note_who_holds_up(struct run *run)
{
	bool slow = !run->recorder && !run->sending.compressing && !segments_all_open(run->segments);
	bool was_held_up = run->sending.held_up;

	run->sending.held_up = slow && run->segments->pool->free_count == 0;
	if (!was_held_up && !run->sending.held_up)
		return;
	for (unsigned i = 0; i < run->captures->count; i++) {
		struct interface *interface = &run->captures->list[i];

		losses_hold(interface, slow && !segments_room(&interface->series), run->now);
	}
}

/* What is sealed is stored, in any stage; when the end has come and all is, it may leave, or stays. True: not yet. */
static bool record(struct run *run)
{
	struct recorder *recorder = run->recorder;
	bool more = recorder_advance(recorder);

	if (more || run->ending.stage != STAGE_FLUSH || recorder->released)
		return more;
	recorder->released = true;
	if (run->parts->shared) {
		recorder_freeze(recorder, clock_real());
		stop_by(run, EVENT_DELIVERED);
	}
	return false;
}

void sending_advance(struct run *run)
{
	enum deliver_result result = DELIVER_IDLE;
	bool storing = run->recorder && record(run);

	if (run->parts->shared || (storing && run->ending.stage == STAGE_FLUSH)) {
		run->sending.compressing = storing;
		return;
	}
	if (!run->reader.awaited && !run->intake.held && run->ending.stage < STAGE_LINGER)
		result = send_now(run);
	run->sending.waits = result == DELIVER_WAITING;
	run->sending.compressing = storing || result == DELIVER_BUSY;
	if (run->ending.stage < STAGE_FLUSH)
		note_who_holds_up(run);
}
