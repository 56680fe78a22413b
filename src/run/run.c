#include "run/run.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "capture/ledger.h"
#include "run/feedback.h"
#include "run/idle.h"
#include "run/link_watch.h"
#include "run/progress.h"
#include "run/reader.h"
#include "run/report.h"
#include "run/say.h"

#define READ_PACKETS 4096		 /* per turn of the loop, so that signals and the reader get theirs */
#define LINE_EVERY (10 * CLOCK_SECOND)	 /* of progress, where there is no live one */
#define TICK (10 * CLOCK_SECOND)	 /* look at the counters at least this often: they are 32 bits wide */
#define DOWN_CHECK (CLOCK_SECOND / 2)	 /* while an interface is down, to see whether it is gone */
#define DROP_AFTER (3 * CLOCK_SECOND)	 /* a signal, until what has not begun to leave is dropped */
#define EXIT_AFTER (5 * CLOCK_SECOND)	 /* a signal, until the end whatever has left */
#define STDIN_STALL (5 * CLOCK_SECOND)	 /* of a reader after stdin closed: it may have gone with it */
#define RAW_INTERVAL (CLOCK_SECOND / 20) /* with --raw, until a packet leaves */
#define MANY 8				 /* interfaces, for which it pays to rest */
#define REST (CLOCK_SECOND / 100)
#define WITHOUT_STDIN (60 * CLOCK_SECOND) /* where stdin tells no end, and nobody said how long */
#define LINGER CLOCK_SECOND	 /* after the last byte: an engine may cut a stream when its process ends at once */
#define NEWCOMERS_SAID 8	 /* lines about interfaces that come up later */
#define TIMER_EXPIRED UINT64_MAX /* as timer_at: set it anew, whatever comes */
#define DRAIN_QUIET (CAPTURE_BLOCK_TIMEOUT * 5 / 2 * (CLOCK_SECOND / 1000))

enum stage {
	STAGE_CAPTURE,
	STAGE_DRAIN, /* nothing new comes; the ring is being emptied */
	STAGE_FLUSH, /* the ring is empty; what is sealed is on its way, then the manifest */
};

struct run {
	const struct run_parts *parts;
	const struct options *options;
	struct capture_set *captures;
	struct segments *segments;
	struct delivery *delivery;
	struct err *err;
	enum stage stage;
	enum cause cause;
	char detail[80];
	enum status status; /* when something else than the cause decides it */
	bool over;
	int timer_fd;
	uint64_t now, timer_at; /* boot time */
	uint64_t listening_at, ends_at /* by the clock, or 0 */, asked_at /* by the first signal, or 0 */;
	uint64_t drain_until, tick_at, down_check_at;
	uint64_t finished_at, linger_until, tried_at /* to send */;
	struct reader reader;
	bool without_stdin;	/* which is why it ends at ends_at */
	struct feedback *guard; /* NULL: the archive cannot come back as packets, or shall not be asked */
	bool held;		/* by the guard: nothing is sent or read */
	bool reading_file;	/* we are inside a read of the file, which has nothing at the moment */
	bool reader_waits, compressing;
	uint64_t most_read;  /* bytes from one interface in this turn */
	uint64_t rest_until; /* boot time */
	uint64_t ring_least;
	unsigned newcomers_said;
	struct progress progress;
	uint64_t line_at; /* boot time of the next line of progress; 0: none */
};

static struct interface *at(const struct run *run, unsigned place)
{
	return &run->captures->list[place];
}

static bool is_file(const struct run *run)
{
	return run->captures->list[0].capture.fd < 0;
}

static void say_loss(struct run *run, struct interface *interface)
{
	uint64_t dropped = interface->capture.dropped;

	if (dropped == interface->dropped_said || (interface->said_at && run->now - interface->said_at < TICK))
		return;
	say("%s: %" PRIu64 " packets dropped by kernel so far%s", interface->capture.interface, dropped,
	    interface->ledger.held ? ", because the reader takes too little" : "");
	interface->dropped_said = dropped;
	interface->said_at = run->now;
}

static void account_for_seal(struct run *run, struct interface *interface)
{
	if (ledger_seal(&interface->ledger))
		say_loss(run, interface);
}

static void account_for_seals(struct run *run)
{
	for (unsigned i = 0; i < run->captures->count; i++)
		account_for_seal(run, at(run, i));
}

static void count_all(struct run *run)
{
	for (unsigned i = 0; i < run->captures->count; i++)
		ledger_count(&at(run, i)->ledger);
}

static void take_back(struct run *run, enum cause cause)
{
	for (unsigned i = 0; i < run->captures->count; i++)
		ledger_take_back(&at(run, i)->ledger, cause);
}

/* The counters of each interface at the end of a raw stream. */
static void put_trailer(struct run *run)
{
	struct delivery *delivery = run->delivery;

	for (unsigned i = 0; i < run->captures->count; i++) {
		struct pcapng_statistics statistics;

		ledger_statistics(&at(run, i)->ledger, &statistics);
		delivery->trailer_size +=
			pcapng_put_statistics(delivery->trailer + delivery->trailer_size, i, &statistics);
	}
}

/* Every packet has come as far as it will: seal, close the account, let the manifest follow. */
static void finish(struct run *run)
{
	idle_end(run->parts->idle, run->captures);
	run->stage = STAGE_FLUSH;
	run->finished_at = run->now;
	segments_seal(run->segments);
	account_for_seals(run);
	for (unsigned i = 0; i < run->captures->count; i++) {
		struct interface *interface = at(run, i);

		(void)ledger_hold(&interface->ledger, false);
		ledger_close(&interface->ledger, run->cause);
	}
	if (run->options->raw && run->options->format == FORMAT_PCAPNG)
		put_trailer(run);
	deliver_finish(run->delivery, run->cause, run->detail[0] ? run->detail : NULL);
}

static bool is_drained(const struct run *run)
{
	return capture_set_sum(run->captures).in_ring == 0 || run->now >= run->drain_until;
}

/* The capture ends, for the first cause that comes; but a limit that is reached while the ring is emptied still holds.
 */
static void stop(struct run *run, enum cause cause)
{
	if (run->stage == STAGE_FLUSH ||
	    (run->stage == STAGE_DRAIN && !cause_is_limit(cause) && cause != CAUSE_OUTPUT_FAILED))
		return;
	if (run->stage == STAGE_CAPTURE) {
		capture_set_disarm(run->captures);
		run->stage = STAGE_DRAIN;
		run->drain_until = run->now + DRAIN_QUIET;
	} else {
		run->detail[0] = '\0'; /* the signal was not what ended it */
	}
	run->cause = cause;
	if (is_file(run) || cause_is_limit(cause) || cause == CAUSE_OUTPUT_FAILED)
		finish(run);
}

/* The end now, whatever has left. */
static void abandon(struct run *run, enum status status, const char *why)
{
	bool flushing;

	stop(run, CAUSE_NONE);
	flushing = run->stage == STAGE_FLUSH;
	if (!flushing)
		finish(run);
	for (unsigned i = 0; i < run->captures->count; i++) {
		if (!flushing) /* what was in the ring just now was not given time to leave */
			at(run, i)->account.dropped_at_stop = 0;
	}
	run->status = status;
	run->over = true;
	if (status == STATUS_FAILED)
		return; /* the error says it */
	if (run->options->raw)
		say("%s: %" PRIu64 " packets were delivered", why, run->delivery->packets);
	else
		say("%s: the archive is cut; %" PRIu64 " packets in %" PRIu64 " complete files were delivered", why,
		    run->delivery->packets, run->delivery->files);
}

/* 3 s after a signal: what has not begun to leave would keep the manifest from arriving. */
static void drop_late(struct run *run)
{
	if (run->stage == STAGE_DRAIN)
		finish(run);
	deliver_drop(run->delivery);
	take_back(run, CAUSE_NONE);
}

/* See rest(). */
static bool rests(const struct run *run)
{
	return run->stage == STAGE_CAPTURE && run->now < run->rest_until;
}

static bool may_read(const struct run *run)
{
	return !rests(run) && run->stage != STAGE_FLUSH && !run->captures->list[0].capture.interrupted &&
	       !run->reading_file && !run->held;
}

/* Room for one more packet is there, or can be made. */
static bool wants_packets(const struct run *run, const struct interface *interface)
{
	return may_read(run) && (segments_room(&interface->series) || segments_all_open(run->segments));
}

static bool wants_any_packets(const struct run *run)
{
	for (unsigned i = 0; i < run->captures->count; i++) {
		struct interface *interface = at(run, i);

		if (wants_packets(run, interface))
			return true;
	}
	return false;
}

static void by_verdict(struct run *run, enum verdict verdict)
{
	static const enum cause ends[] = {
		[VERDICT_GO] = CAUSE_NONE,	     [VERDICT_SEALED] = CAUSE_NONE, [VERDICT_FULL] = CAUSE_NONE,
		[VERDICT_COUNT] = CAUSE_COUNT,	     [VERDICT_BYTES] = CAUSE_BYTES, [VERDICT_SEGMENTS] = CAUSE_SEGMENTS,
		[VERDICT_DURATION] = CAUSE_DURATION,
	};

	if (ends[verdict] != CAUSE_NONE)
		stop(run, ends[verdict]);
}

static bool all_gone(const struct run *run)
{
	for (unsigned i = 0; i < run->captures->count; i++) {
		struct interface *interface = at(run, i);

		if (!interface->gone)
			return false;
	}
	return true;
}

static void interface_gone(struct run *run, struct interface *interface)
{
	bool last;

	interface->gone = true;
	interface->gone_at = clock_real();
	last = all_gone(run);
	say("%s: the interface is gone%s", interface->capture.interface, last ? "" : "; the others go on");
	if (last)
		stop(run, CAUSE_INTERFACE_GONE);
}

static void look_at_interface(struct run *run, struct interface *interface)
{
	enum capture_state state = capture_state(&interface->capture);

	if (run->stage != STAGE_CAPTURE || interface->gone)
		return;
	if (state == CAPTURE_GONE)
		interface_gone(run, interface);
	else if (state == CAPTURE_DOWN && !interface->down)
		say("%s: the interface is down; waiting for it", interface->capture.interface);
	else if (state == CAPTURE_UP && interface->down)
		say("%s: the interface is up again", interface->capture.interface);
	interface->down = state == CAPTURE_DOWN;
	if (interface->down && run->down_check_at <= run->now)
		run->down_check_at = run->now + DOWN_CHECK;
}

/* While one is down, nothing tells when it is gone. */
static void look_at_those_down(struct run *run)
{
	run->down_check_at = 0;
	for (unsigned i = 0; i < run->captures->count; i++) {
		struct interface *interface = at(run, i);

		if (interface->down)
			look_at_interface(run, interface);
	}
}

static bool is_captured(const struct run *run, int ifindex)
{
	for (unsigned i = 0; i < run->captures->count; i++) {
		struct interface *interface = at(run, i);

		if (interface->capture.ifindex == ifindex && !interface->gone)
			return true;
	}
	return false;
}

/* A host on which they come and go must not fill the log. */
static void say_newcomer(struct run *run, const char *name)
{
	if (run->newcomers_said++ < NEWCOMERS_SAID)
		say("%s: came up after the start, and is not captured (-i any would)", name);
	else if (run->newcomers_said == NEWCOMERS_SAID + 1)
		say("more interfaces come up, which are not captured: they are counted for the manifest");
}

static void look_for_newcomers(struct run *run)
{
	static struct newcomer newcomers[LINK_WATCH_MAX];
	bool missed;
	int count = link_watch_read(run->parts->newcomers_fd, newcomers, &missed);

	for (int i = 0; i < count; i++) {
		if (!is_captured(run, newcomers[i].ifindex) &&
		    capture_set_leave_out(run->captures, newcomers[i].ifindex, newcomers[i].name,
					  "came up after the start"))
			say_newcomer(run, newcomers[i].name);
	}
	if (missed && !run->captures->left_out_at_least)
		say("too many interfaces change: some may have come up, which are not captured (-i any would)");
	run->captures->left_out_at_least |= missed;
}

/* Under load, so that a gap is charged to the right file. */
static void count_if_busy(struct run *run, struct interface *interface, uint64_t read)
{
	if (read >= READ_PACKETS / 4 && !is_file(run))
		ledger_count(&interface->ledger);
}

static uint64_t read_so_far(const struct run *run)
{
	uint64_t read = 0;

	for (unsigned i = 0; i < run->captures->count; i++)
		read += at(run, i)->capture.read;
	return read;
}

/* In a trial, only up to what the guard wants to weigh. */
static int guarded_max(const struct run *run)
{
	uint64_t max = feedback_on_trial(run->guard) ? feedback_read_at_most(run->guard, read_so_far(run)) : 0;

	return max && max < READ_PACKETS ? (int)max : READ_PACKETS;
}

static void read_packets(struct run *run, struct interface *interface)
{
	uint64_t before = interface->capture.read, bytes = run->segments->bytes;
	int max = run->guard ? guarded_max(run) : READ_PACKETS;
	enum verdict verdict;

	switch (capture_read(&interface->capture, &interface->series, max, &verdict, run->err)) {
	case CAPTURE_VERDICT:
		account_for_seal(run, interface); /* before the end seals one more */
		by_verdict(run, verdict);
		/* fall through */
	case CAPTURE_SOME:
		run->drain_until = run->now + DRAIN_QUIET;
		break;
	case CAPTURE_NOTHING:
		look_at_interface(run, interface);
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
	if (run->guard && feedback_on_trial(run->guard))
		feedback_weigh(run->guard, read_so_far(run), run->segments->bytes);
	bytes = run->segments->bytes - bytes;
	run->most_read = bytes > run->most_read ? bytes : run->most_read;
	count_if_busy(run, interface, interface->capture.read - before);
	account_for_seal(run, interface);
}

static void say_progress(struct run *run)
{
	if (run->stage != STAGE_FLUSH)
		count_all(run);
	report_progress(run->now - run->listening_at, run->segments->packets, run->segments->bytes,
			capture_set_sum(run->captures).dropped, deliver_waiting(run->delivery));
}

static void show_progress(struct run *run)
{
	const struct account account = capture_set_account(run->captures);
	struct progress_numbers numbers = {
		.elapsed = run->now - run->listening_at,
		.limit = run->ends_at ? run->ends_at - run->listening_at : 0,
		.sent = run->delivery->sent,
		.waiting = deliver_waiting(run->delivery),
	};

	if (run->stage != STAGE_FLUSH)
		count_all(run);
	numbers.packets = run->segments->packets;
	numbers.lost = capture_set_sum(run->captures).dropped + account.dropped_at_stop + account.dropped_output_failed;
	say_live(progress_text(&run->progress, &numbers, run->now, say_live_columns()));
}

static void seal_now(struct run *run)
{
	if (run->stage != STAGE_CAPTURE)
		return;
	segments_seal(run->segments);
	account_for_seals(run);
	if (segments_complete(run->segments))
		stop(run, CAUSE_SEGMENTS);
}

static void by_signal(struct run *run, int signo)
{
	if (signo == SIGUSR1) {
		say_progress(run);
	} else if (signo == SIGUSR2) {
		seal_now(run);
	} else if (run->linger_until) {
		run->over = true;
	} else if (run->asked_at) {
		abandon(run, STATUS_READER, "ended by a second signal");
	} else {
		run->asked_at = run->now;
		if (run->stage == STAGE_CAPTURE)
			snprintf(run->detail, sizeof(run->detail), "SIG%s",
				 signo == SIGINT    ? "INT"
				 : signo == SIGTERM ? "TERM"
						    : "HUP");
		stop(run, CAUSE_SIGNAL);
	}
}

static void say_ready(struct run *run)
{
	report_ready(run->captures, run->options, run->segments->pool, run->delivery->context);
}

/* Nobody would end it: not for the whole of a limit that nobody chose. A file ends by itself. */
static void go_on_without_stdin(struct run *run)
{
	uint64_t until = run->listening_at + WITHOUT_STDIN;

	if (run->stage != STAGE_CAPTURE)
		return;
	run->without_stdin = !is_file(run) && !run->options->duration_chosen && (!run->ends_at || until < run->ends_at);
	if (run->without_stdin)
		run->ends_at = until;
	report_without_stdin(run->options, run->ends_at ? run->ends_at - run->listening_at : 0);
}

static void look_at_stdin(struct run *run)
{
	unsigned events = reader_look(&run->reader, run->now);

	if (events & READER_CAME)
		run->delivery->progress_at = run->now;
	if (events & READER_LEFT)
		stop(run, CAUSE_STDIN_CLOSED);
	else if ((events & READER_CAME) && run->stage == STAGE_CAPTURE)
		say_ready(run);
	if (events & READER_UNKNOWN)
		go_on_without_stdin(run);
}

/* Under load ten times a second; it costs one getsockopt. */
static enum feedback_verdict look_for_feedback(struct run *run)
{
	struct feedback_counters counters;
	struct capture_set_sum sum;

	count_all(run);
	sum = capture_set_sum(run->captures);
	counters = (struct feedback_counters){
		.captured = run->segments->bytes,
		.sent = run->delivery->sent,
		.accepted = sum.received - sum.dropped,
		.dropped = sum.dropped,
		.read = sum.read,
		.filled = capture_set_ring_filled(run->captures),
	};
	return feedback_look(run->guard, run->now, &counters);
}

static void watch_feedback(struct run *run)
{
	enum feedback_verdict verdict = FEEDBACK_GO;
	bool was_held = run->held;

	if (run->stage == STAGE_CAPTURE) {
		if (run->now < feedback_due(run->guard))
			return;
		verdict = look_for_feedback(run);
	}
	run->held = verdict == FEEDBACK_KEEP;
	if (was_held && !run->held)
		run->delivery->progress_at = run->now;
	if (verdict == FEEDBACK_PROVEN) {
		say("feedback: the archive comes back as packets on %s, so the capture ends; leave its connection out "
		    "by a filter%s",
		    run->captures->count > 1 ? "an interface" : run->captures->list[0].capture.interface,
		    run->options->exclude_stream == EXCLUDE_ON ? "" : ", or with --exclude-stream on");
		stop(run, CAUSE_FEEDBACK);
	}
}

static void each_tick(struct run *run)
{
	run->tick_at = run->now + TICK;
	for (unsigned i = 0; i < run->captures->count; i++) {
		struct interface *interface = at(run, i);

		ledger_count(&interface->ledger);
		say_loss(run, interface);
		look_at_interface(run, interface);
	}
}

/* Also while what was captured is being delivered: a proxy may cut a connection on which nothing comes. */
static void say_line(struct run *run)
{
	run->line_at += LINE_EVERY;
	if (run->line_at <= run->now)
		run->line_at = run->now + LINE_EVERY; /* we have slept */
	say_progress(run);
}

/* 0: never */
static uint64_t stall_deadline(const struct run *run)
{
	uint64_t stall = run->options->stall;

	if (run->reader.awaited && stall && run->stage == STAGE_FLUSH)
		return run->finished_at + stall;
	if (run->reader.awaited) /* a capture ends by its limits; a file has none */
		return stall && is_file(run) ? run->listening_at + stall : 0;
	if (!run->reader_waits)
		return 0;
	if (run->cause == CAUSE_STDIN_CLOSED && (!stall || stall > STDIN_STALL))
		stall = STDIN_STALL;
	return stall ? run->delivery->progress_at + stall : 0;
}

/* We may have slept past a deadline (SIGSTOP, a suspended machine) in which the reader did its part. */
static bool has_tried_since(const struct run *run, uint64_t at)
{
	return run->reader.awaited || run->tried_at >= at;
}

static void end_in_time(struct run *run)
{
	if (run->stage != STAGE_CAPTURE || !run->ends_at || run->now < run->ends_at)
		return;
	if (run->without_stdin)
		snprintf(run->detail, sizeof(run->detail), "60 s without stdin");
	stop(run, CAUSE_DURATION);
}

static void by_clock(struct run *run)
{
	uint64_t stall_at = stall_deadline(run);
	bool live = !is_file(run);

	if (run->linger_until) {
		run->over = run->now >= run->linger_until;
		return;
	}
	if (run->stage == STAGE_CAPTURE && live) {
		end_in_time(run);
		if (run->down_check_at && run->now >= run->down_check_at)
			look_at_those_down(run);
	}
	if (run->now >= run->tick_at && run->stage != STAGE_FLUSH)
		each_tick(run);
	if (run->progress.due && run->now >= run->progress.due)
		show_progress(run);
	if (run->line_at && run->now >= run->line_at)
		say_line(run);
	if (run->guard)
		watch_feedback(run);
	if (reader_prompts(&run->reader, run->now))
		say("press Enter to start the download, Ctrl-D to end");
	if (run->stage == STAGE_DRAIN && !wants_any_packets(run))
		run->drain_until = run->now + DRAIN_QUIET; /* the ring cannot be quiet before it is read */
	if (run->stage == STAGE_DRAIN && is_drained(run))
		finish(run);
	if (run->asked_at && run->now >= run->asked_at + DROP_AFTER)
		drop_late(run);
	if (run->asked_at && run->now >= run->asked_at + EXIT_AFTER)
		abandon(run, STATUS_READER, "the reader did not take everything within 5 s of the signal");
	else if (stall_at && run->now >= stall_at && has_tried_since(run, stall_at))
		abandon(run, STATUS_READER, run->reader.awaited ? "no reader has come" : "the reader has stalled");
}

static void earlier(uint64_t *deadline, uint64_t candidate)
{
	if (candidate && (!*deadline || candidate < *deadline))
		*deadline = candidate;
}

static uint64_t next_deadline(const struct run *run)
{
	uint64_t deadline = 0;

	if (run->linger_until)
		return run->linger_until;
	if (run->stage == STAGE_CAPTURE && !is_file(run)) {
		earlier(&deadline, segments_due(run->segments));
		earlier(&deadline, run->ends_at);
		earlier(&deadline, run->down_check_at);
		if (run->guard && feedback_on_trial(run->guard))
			earlier(&deadline, feedback_due(run->guard));
		earlier(&deadline, rests(run) ? run->rest_until : 0);
	}
	if (run->reader.awaited)
		earlier(&deadline, run->reader.prompt_at);
	if (run->stage != STAGE_FLUSH)
		earlier(&deadline, run->tick_at);
	earlier(&deadline, run->progress.due);
	earlier(&deadline, run->line_at);
	if (run->stage == STAGE_DRAIN && wants_any_packets(run))
		earlier(&deadline, run->drain_until);
	if (run->asked_at) {
		uint64_t drop_at = run->asked_at + DROP_AFTER;
		earlier(&deadline, run->now < drop_at ? drop_at : run->asked_at + EXIT_AFTER);
	}
	earlier(&deadline, stall_deadline(run));
	return deadline;
}

static int set_timer(struct run *run)
{
	uint64_t deadline = next_deadline(run);
	struct itimerspec time = {.it_value = {(time_t)(deadline / CLOCK_SECOND), (long)(deadline % CLOCK_SECOND)}};

	if (deadline == run->timer_at)
		return 0;
	run->timer_at = deadline;
	if (timerfd_settime(run->timer_fd, TFD_TIMER_ABSTIME, &time, NULL) < 0)
		return err_sys(run->err, errno, "timerfd");
	return 0;
}

/* What is polled, and behind it the interfaces in their order. */
enum { POLL_SIGNAL, POLL_TIMER, POLL_STDIN, POLL_SINK, POLL_NEWCOMERS, POLL_PACKETS };
#define POLL_MAX (POLL_PACKETS + INTERFACES_MAX)

static bool watches_stdin(const struct run *run)
{
	return run->stage == STAGE_CAPTURE || run->reader.awaited;
}

static int wait_for_events(struct run *run, struct pollfd polled[POLL_MAX])
{
	bool reads_file = is_file(run) && wants_any_packets(run);
	struct pollfd *packets = polled + POLL_PACKETS;
	int timeout = reads_file || run->compressing ? 0 : -1;

	if (set_timer(run) < 0)
		return -1;
	for (unsigned i = 0; i < run->captures->count; i++) {
		struct interface *interface = at(run, i);

		bool wanted = wants_packets(run, interface);

		*packets++ = (struct pollfd){.fd = wanted ? interface->capture.fd : -1, .events = POLLIN};
	}
	if (run->reading_file)
		polled[POLL_PACKETS].fd = run->captures->list[0].capture.file;
	polled[POLL_SIGNAL] = (struct pollfd){.fd = run->parts->signals->fd, .events = POLLIN};
	polled[POLL_TIMER] = (struct pollfd){.fd = run->timer_fd, .events = POLLIN};
	polled[POLL_STDIN] = (struct pollfd){.fd = watches_stdin(run) ? run->reader.fd : -1, .events = POLLIN};
	polled[POLL_SINK] = (struct pollfd){
		.fd = run->parts->watch_sink ? run->delivery->sink->fd : -1,
		.events = run->reader_waits ? POLLOUT : 0, /* no events: only its end */
	};
	polled[POLL_NEWCOMERS] = (struct pollfd){
		.fd = run->stage == STAGE_CAPTURE ? run->parts->newcomers_fd : -1,
		.events = POLLIN,
	};
	if (poll(polled, (nfds_t)(packets - polled), timeout) < 0 && errno != EINTR)
		return err_sys(run->err, errno, "poll");
	run->now = clock_boot();
	return 0;
}

static void reader_gone(struct run *run)
{
	if (run->linger_until)
		run->over = true; /* it has everything */
	else
		abandon(run, STATUS_READER, "the reader has gone away");
}

/*
 * The output failed. A file is cut back to its last complete member, and closed with a manifest that counts what is
 * not in it.
 */
static bool rescue(struct run *run)
{
	if (!run->delivery->errnum)
		return false; /* it was not the output */
	stop(run, CAUSE_OUTPUT_FAILED);
	if (!deliver_cut_back(run->delivery))
		return false;
	take_back(run, CAUSE_OUTPUT_FAILED);
	run->cause = CAUSE_OUTPUT_FAILED;
	snprintf(run->detail, sizeof(run->detail), "%s", strerror(run->delivery->errnum));
	deliver_finish(run->delivery, run->cause, run->detail);
	return true;
}

/* See LINGER. What ends by stdin came through an engine, as what attaches does; but that is always on its way. */
static bool lingers(const struct run *run)
{
	return run->options->wait_reader || (run->cause == CAUSE_STDIN_CLOSED && run->parts->watch_sink &&
					     reader_is_behind(&run->reader, run->delivery->sent));
}

static void delivered(struct run *run)
{
	if (lingers(run))
		run->linger_until = run->now + LINGER;
	else
		run->over = true;
}

static void by_delivery(struct run *run, enum deliver_result result)
{
	switch (result) {
	case DELIVER_IDLE:
	case DELIVER_WAITING:
	case DELIVER_BUSY:
		break;
	case DELIVER_DONE:
		delivered(run);
		break;
	case DELIVER_GONE:
		reader_gone(run);
		break;
	case DELIVER_FAILED:
		if (!rescue(run))
			abandon(run, STATUS_FAILED, "");
		break;
	}
}

static void send_waiting(struct run *run)
{
	enum deliver_result result = DELIVER_IDLE;

	if (!run->reader.awaited && !run->held && !run->linger_until) {
		run->tried_at = run->now;
		reader_sent(&run->reader, run->delivery->sent, run->now);
		do {
			result = deliver_advance(run->delivery, run->now, run->err);
			by_delivery(run, result);
		} while (result == DELIVER_FAILED && !run->over);
	}
	run->reader_waits = result == DELIVER_WAITING;
	run->compressing = result == DELIVER_BUSY;
	if (!run->over && run->stage != STAGE_FLUSH) {
		/* While we compress, it is not the reader that keeps the pool full. */
		bool slow = !run->compressing && !segments_all_open(run->segments);

		for (unsigned i = 0; i < run->captures->count; i++) {
			struct interface *interface = at(run, i);

			if (ledger_hold(&interface->ledger, slow && !segments_room(&interface->series)) &&
			    !interface->ledger.held)
				say_loss(run, interface);
		}
	}
}

static void by_packets(struct run *run, struct interface *interface, short events)
{
	if (!is_file(run) && (events & POLLERR))
		look_at_interface(run, interface);
	if (!wants_packets(run, interface) || !(is_file(run) || (events & POLLIN)))
		return;
	if (!segments_room(&interface->series)) {
		segments_make_room(run->segments);
		account_for_seals(run);
		send_waiting(run);
		if (run->over || !may_read(run) || !segments_room(&interface->series))
			return; /* the reader takes too little: the ring waits */
	}
	read_packets(run, interface);
}

/*
 * Of many interfaces one or another has a block ready all the time, and each turn costs a look at all of them. So they
 * are left alone for a while, unless one brings so much that its ring might not wait.
 */
static void rest(struct run *run)
{
	if (run->captures->count >= MANY && run->most_read > 0 && run->most_read < run->ring_least / 8)
		run->rest_until = run->now + REST;
	run->most_read = 0;
}

/*
 * Before packets are read: what comes after a quiet spell must not be cut by the beat that went by in it. So a segment
 * has what came up to its beat, and what is read from now on is of the next.
 */
static void cut_by_clock(struct run *run)
{
	if (run->stage != STAGE_CAPTURE || is_file(run))
		return;
	if (segments_tick(run->segments, run->now))
		account_for_seals(run);
	if (segments_complete(run->segments))
		stop(run, CAUSE_SEGMENTS);
}

static void by_events(struct run *run, const struct pollfd polled[POLL_MAX])
{
	const struct pollfd *packets = polled + POLL_PACKETS;
	int signo;

	/* An expired timer stays readable until it is set anew. */
	if (polled[POLL_TIMER].revents)
		run->timer_at = TIMER_EXPIRED;
	if (polled[POLL_SINK].revents & (POLLERR | POLLHUP | POLLNVAL)) {
		reader_gone(run);
		return;
	}
	while (polled[POLL_SIGNAL].revents && !run->over && (signo = signals_next(run->parts->signals)))
		by_signal(run, signo);
	if (run->over)
		return;
	if (polled[POLL_STDIN].revents && watches_stdin(run))
		look_at_stdin(run);
	if (polled[POLL_NEWCOMERS].revents)
		look_for_newcomers(run);
	cut_by_clock(run);
	for (unsigned i = 0; i < run->captures->count; i++) {
		struct interface *interface = at(run, i);

		by_packets(run, interface, packets++->revents);
		if (run->over)
			return;
	}
	rest(run);
	by_clock(run);
}

/* While a file that is a pipe has nothing to read: everything else goes on. */
static bool wait_for_file(void *context)
{
	struct run *self = context;
	struct pollfd polled[POLL_MAX] = {{0}};

	self->reading_file = true;
	while (!polled[POLL_PACKETS].revents && !self->over && self->stage == STAGE_CAPTURE) {
		send_waiting(self);
		if (self->over || wait_for_events(self, polled) < 0)
			break;
		by_events(self, polled);
	}
	self->reading_file = false;
	return polled[POLL_PACKETS].revents;
}

static void start_clocks(struct run *run)
{
	run->now = run->listening_at = clock_boot();
	run->tick_at = run->now + TICK;
	if (!is_file(run) && run->options->duration)
		run->ends_at = run->now + run->options->duration;
	reader_init(&run->reader, run->parts->stdin_fd, run->options->wait_reader, run->options->stdin_mode == 0,
		    run->now);
	run->ring_least = capture_set_sum(run->captures).ring_least;
	if (run->guard)
		feedback_init(run->guard, run->ring_least, run->now);
	segments_start_clock(run->segments, run->now, run->options->raw ? RAW_INTERVAL : run->options->segment_time,
			     is_file(run));
}

static int open_timer(struct run *run)
{
	run->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	return run->timer_fd < 0 ? err_sys(run->err, errno, "timerfd") : 0;
}

/* What a capture that went its way was. */
static enum status outcome(const struct run *run)
{
	struct account account = capture_set_account(run->captures);

	if (run->delivery->errnum)
		(void)deliver_explain(run->delivery, run->err);
	if (run->err->status)
		return run->err->status;
	if (run->status)
		return run->status;
	if (run->cause == CAUSE_FEEDBACK)
		return STATUS_SURROUNDINGS;
	if (account.dropped_at_stop)
		return STATUS_READER;
	return run->cause == CAUSE_INTERFACE_GONE && account.written == 0 ? STATUS_SURROUNDINGS : STATUS_OK;
}

enum status run(const struct run_parts *parts, struct err *err)
{
	struct pollfd polled[POLL_MAX];
	struct feedback guard = {0};
	struct run run = {
		.parts = parts,
		.options = parts->options,
		.captures = parts->captures,
		.segments = parts->segments,
		.delivery = parts->delivery,
		.guard = parts->guarded ? &guard : NULL,
		.err = err,
	};

	if (open_timer(&run) < 0)
		return err_status(err);
	if (capture_set_fire(run.captures, err) < 0) {
		close(run.timer_fd);
		return err_status(err);
	}
	run.captures->list[0].capture.wait_for_file = wait_for_file;
	run.captures->list[0].capture.wait_context = &run;
	idle_begin(parts->idle, run.captures);
	start_clocks(&run);
	say_ready(&run);
	if (parts->live)
		progress_init(&run.progress, run.now);
	run.line_at = parts->lines ? run.now + LINE_EVERY : 0;
	for (send_waiting(&run); !run.over; send_waiting(&run)) {
		if (wait_for_events(&run, polled) < 0)
			break;
		by_events(&run, polled);
		if (run.over)
			break;
	}
	close(run.timer_fd);
	say_live(NULL);
	return outcome(&run);
}
