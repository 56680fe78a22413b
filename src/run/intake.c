#include "run/intake.h"

#include "base/sizes.h"
#include "capture/ready.h"
#include "run/feedback.h"
#include "run/losses.h"
#include "run/run.h"
#include "run/say.h"
#include "run/stopping.h"

#define READ_PACKETS 4096		 /* per turn of the loop, so that signals and the reader get theirs */
#define RAW_INTERVAL (CLOCK_SECOND / 20) /* with --raw, until a packet leaves */
#define READS 32			 /* of one interface that has more, in a turn: about a ring */
#define REST (CLOCK_SECOND / 100)
#define REST_LONG (CLOCK_SECOND / 40)  /* in a calm */
#define CALM_AFTER (10 * CLOCK_SECOND) /* of none that brought much */
#define DEEP (16 * MIB)		       /* a ring that takes what comes in the next: 4 GB/s and more */
#define LEAVE (CLOCK_SECOND / 250)

void intake_begin(struct run *run)
{
	struct intake *intake = &run->intake;

	intake->ring_least = capture_set_sum(run->captures).ring_least;
	if (intake->guard)
		feedback_init(intake->guard, intake->ring_least, run->now);
	segments_start_clock(run->segments, run->now, run->options->raw ? RAW_INTERVAL : run->options->segment_time,
			     run_reads_file(run));
}

/* See intake_rest() and intake_leave(). */
static bool rests(const struct run *run)
{
	return run->ending.stage == STAGE_CAPTURE &&
	       (run->now < run->intake.rest_until || run->now < run->intake.leave_until);
}

static bool may_read(const struct run *run)
{
	return !rests(run) && run->ending.stage < STAGE_FLUSH && !run->captures->list[0].capture.interrupted &&
	       !run->intake.reading_file && !run->intake.held;
}

bool intake_wants(const struct run *run, const struct interface *interface)
{
	return may_read(run) && (segments_room(&interface->series) || segments_all_open(run->segments));
}

bool intake_wants_any(const struct run *run)
{
	for (unsigned i = 0; i < run->captures->count; i++) {
		if (intake_wants(run, &run->captures->list[i]))
			return true;
	}
	return false;
}

/* Then they can be waited for as one. */
static bool wants_all(const struct run *run)
{
	return may_read(run) && (run->segments->pool->free_count > 0 || segments_all_open(run->segments));
}

static nfds_t poll_each(const struct run *run, struct pollfd *packets)
{
	for (unsigned i = 0; i < run->captures->count; i++) {
		const struct interface *interface = &run->captures->list[i];
		bool wanted = intake_wants(run, interface);

		packets[i] = (struct pollfd){.fd = wanted ? interface->capture.fd : -1, .events = POLLIN};
	}
	if (run->intake.reading_file)
		packets[0].fd = run->captures->list[0].capture.file;
	return run->captures->count;
}

nfds_t intake_poll(struct run *run, struct pollfd *packets)
{
	bool all = run->captures->ready_fd && wants_all(run);

	run->intake.listed = all || (run->captures->ready_fd && !may_read(run));
	if (!run->intake.listed)
		return poll_each(run, packets);
	packets[0] = (struct pollfd){.fd = all ? run->captures->ready_fd : -1, .events = POLLIN};
	return 1;
}

void intake_look_at(struct run *run, struct interface *interface)
{
	if (run->ending.stage != STAGE_CAPTURE)
		(void)capture_state(
			&interface->capture); /* clears the socket's error, with which poll would not wait */
	else if (watch_interface(&run->watch, interface, run->now))
		stop(run, CAUSE_INTERFACE_GONE);
}

static void by_verdict(struct run *run, enum verdict verdict)
{
	static const enum cause ends[] = {
		[VERDICT_GO] = CAUSE_NONE,	     [VERDICT_SEALED] = CAUSE_NONE, [VERDICT_FULL] = CAUSE_NONE,
		[VERDICT_COUNT] = CAUSE_COUNT,	     [VERDICT_BYTES] = CAUSE_BYTES, [VERDICT_SEGMENTS] = CAUSE_SEGMENTS,
		[VERDICT_DURATION] = CAUSE_DURATION,
	};

	if (verdict == VERDICT_DURATION && run->captures->event.sets_end)
		stopping_do(run, ending_by_cause(&run->ending, CAUSE_EVENT, run->captures->event.what, run->now));
	else if (ends[verdict] != CAUSE_NONE)
		stop(run, ends[verdict]);
}

/* Under load, so that a gap is charged to the right file. */
static void count_if_busy(const struct run *run, struct interface *interface, uint64_t read)
{
	if (read >= READ_PACKETS / 4 && !run_reads_file(run))
		ledger_count(&interface->ledger);
}

static uint64_t read_so_far(const struct run *run)
{
	uint64_t read = 0;

	for (unsigned i = 0; i < run->captures->count; i++)
		read += run->captures->list[i].capture.read;
	return read;
}

/* In a trial, only up to what the guard wants to weigh. */
static int guarded_max(const struct run *run)
{
	const struct feedback *guard = run->intake.guard;
	uint64_t max = feedback_on_trial(guard) ? feedback_read_at_most(guard, read_so_far(run)) : 0;

	return max && max < READ_PACKETS ? (int)max : READ_PACKETS;
}

static void by_result(struct run *run, struct interface *interface, enum capture_result result, enum verdict verdict)
{
	switch (result) {
	case CAPTURE_VERDICT:
		losses_sealed(interface, run->now); /* before the end seals one more */
		by_verdict(run, verdict);
		/* fall through */
	case CAPTURE_SOME:
		ending_not_quiet(&run->ending, run->now);
		break;
	case CAPTURE_NOTHING:
		intake_look_at(run, interface);
		break;
	case CAPTURE_END:
		/* Interrupted: the signal that did it is about to be read, and says what to do. */
		if (!interface->capture.interrupted)
			stop(run, CAUSE_END_OF_FILE);
		break;
	case CAPTURE_ERROR:
		stop(run, CAUSE_INPUT_FAILED);
		break;
	}
}

static void read_packets(struct run *run, struct interface *interface)
{
	struct intake *intake = &run->intake;
	uint64_t before = interface->capture.read;
	int max = intake->guard ? guarded_max(run) : READ_PACKETS;
	enum verdict verdict = VERDICT_GO;
	enum capture_result result = capture_read(&interface->capture, &interface->series, max, &verdict, run->err);

	by_result(run, interface, result, verdict);
	if (intake->guard && feedback_on_trial(intake->guard))
		feedback_weigh(intake->guard, read_so_far(run), run->segments->bytes);
	intake->unread = result == CAPTURE_VERDICT || interface->capture.read - before >= (uint64_t)max;
	count_if_busy(run, interface, interface->capture.read - before);
	losses_sealed(interface, run->now);
}

static void take_from(struct run *run, struct interface *interface, short events)
{
	bool file = run_reads_file(run);

	if (!file && (events & POLLERR))
		intake_look_at(run, interface);
	if (!intake_wants(run, interface) || !(file || (events & POLLIN)))
		return;
	if (!segments_room(&interface->series)) {
		segments_make_room(run->segments);
		losses_all_sealed(run->captures, run->now);
		sending_advance(run);
		if (run_is_over(run) || !may_read(run) || !segments_room(&interface->series))
			return; /* the reader takes too little: the ring waits */
	}
	read_packets(run, interface);
}

/*
 * All that is in the ring: what a sealed segment has cut off must not wait for the rest to be over. It is sent at once,
 * so that the next one finds its memory in the cache.
 */
static void take_all_from(struct run *run, struct interface *interface, short events)
{
	struct intake *intake = &run->intake;
	uint64_t bytes = run->segments->bytes;
	unsigned reads = 0;

	do {
		intake->unread = false;
		take_from(run, interface, events);
		if (intake->unread)
			sending_advance(run);
	} while (intake->unread && ++reads < READS && intake_wants(run, interface));
	bytes = run->segments->bytes - bytes;
	intake->most_read = bytes > intake->most_read ? bytes : intake->most_read;
	intake->some_left |= intake->unread;
}

/* Also when the list was not polled, as the rest may be over by now. */
static void take_listed(struct run *run)
{
	struct epoll_event list[INTERFACES_MAX];
	unsigned count = wants_all(run) ? ready_now(run->captures, list) : 0;

	for (unsigned i = 0; i < count && !run_is_over(run); i++)
		take_all_from(run, &run->captures->list[list[i].data.u32], (short)list[i].events);
}

void intake_take_all(struct run *run, const struct pollfd *packets)
{
	if (run->intake.listed)
		take_listed(run);
	for (unsigned i = 0; !run->intake.listed && i < run->captures->count && !run_is_over(run); i++)
		take_from(run, &run->captures->list[i], packets[i].revents);
}

/* How long the fullest ring can wait, if it goes on as before or somewhat faster. */
static uint64_t rest_for(struct intake *intake, uint64_t now)
{
	if (intake->most_read >= intake->ring_least / 16)
		intake->busy_at = now;
	if (intake->most_read >= intake->ring_least / 8)
		return 0;
	return intake->busy_at && now - intake->busy_at < CALM_AFTER ? REST : REST_LONG;
}

/*
 * Of many interfaces one or another has a block ready all the time, and to be woken for each costs more than what is in
 * it. So they are left alone for a while, unless one brings so much that its ring might not wait: blocks come 100 ms
 * after they were begun, so what they bring is what comes in that time.
 */
void intake_rest(struct run *run)
{
	struct intake *intake = &run->intake;

	if (intake->most_read > 0 && !intake->some_left)
		intake->rest_until = run->now + rest_for(intake, run->now);
	intake->most_read = 0;
	intake->some_left = false;
}

/* A guard weighs what is read, and an event has to be seen when it comes. */
static bool may_leave(const struct run *run)
{
	return run->sending.waits && run->ending.stage == STAGE_CAPTURE && run->intake.ring_least >= DEEP &&
	       !run->intake.guard && !run->options->until_count;
}

/*
 * While the reader is behind, what comes is left where it is: the ring is there, but each part of the pool that is used
 * is charged to the container, and takes the place of others' memory in the cache. The pool is for a ring that is a
 * quarter full, and for what comes so slowly that the ring isn't fuller each time we look.
 */
void intake_leave(struct run *run)
{
	struct intake *intake = &run->intake;
	uint64_t before = intake->left;

	if (may_leave(run) && run->now < intake->leave_until)
		return;
	intake->left = may_leave(run) ? capture_set_ring_filled(run->captures) : 0;
	if (intake->left > before && intake->left < intake->ring_least / 4)
		intake->leave_until = run->now + LEAVE;
	else
		intake->leave_until = intake->left = 0;
}

/*
 * What comes after a quiet spell must not be cut by the beat that went by in it. So a segment has what came up to its
 * beat, and what is read from now on is of the next.
 */
void intake_cut(struct run *run)
{
	if (run->ending.stage != STAGE_CAPTURE || run_reads_file(run))
		return;
	if (segments_tick(run->segments, run->now))
		losses_all_sealed(run->captures, run->now);
	if (segments_complete(run->segments))
		stop(run, CAUSE_SEGMENTS);
}

/* Under load ten times a second; it costs one getsockopt. */
static enum feedback_verdict look_for_feedback(struct run *run)
{
	struct feedback_counters counters;
	struct capture_set_sum sum;

	losses_count(run->captures);
	sum = capture_set_sum(run->captures);
	counters = (struct feedback_counters){
		.captured = run->segments->bytes,
		.sent = run->delivery->sent,
		.accepted = sum.received - sum.dropped,
		.dropped = sum.dropped,
		.read = sum.read,
		.filled = capture_set_ring_filled(run->captures),
	};
	return feedback_look(run->intake.guard, run->now, &counters);
}

void intake_guard(struct run *run)
{
	struct intake *intake = &run->intake;
	enum feedback_verdict verdict = FEEDBACK_GO;
	bool was_held = intake->held;

	if (!intake->guard)
		return;
	if (run->ending.stage == STAGE_CAPTURE) {
		if (run->now < feedback_due(intake->guard))
			return;
		verdict = look_for_feedback(run);
	}
	intake->held = verdict == FEEDBACK_KEEP;
	if (was_held && !intake->held)
		run->delivery->progress_at = run->now;
	if (verdict == FEEDBACK_PROVEN) {
		say("feedback: the archive comes back as packets on %s, so the capture ends; leave its connection out "
		    "by a filter%s",
		    run->captures->count > 1 ? "an interface" : run->captures->list[0].capture.interface,
		    run->options->exclude_stream == EXCLUDE_ON ? "" : ", or with --exclude-stream on");
		stop(run, CAUSE_FEEDBACK);
	}
}

uint64_t intake_clock(const struct run *run)
{
	return run_reads_file(run) ? run->segments->now : run->now;
}

uint64_t intake_due(const struct run *run)
{
	const struct feedback *guard = run->intake.guard;
	uint64_t due = 0;

	if (run->ending.stage != STAGE_CAPTURE || run_reads_file(run))
		return 0;
	run_earlier(&due, run->now < run->intake.rest_until ? run->intake.rest_until : 0);
	run_earlier(&due, run->now < run->intake.leave_until ? run->intake.leave_until : 0);
	run_earlier(&due, segments_due(run->segments));
	run_earlier(&due, guard && feedback_on_trial(guard) ? feedback_due(guard) : 0);
	return due;
}
