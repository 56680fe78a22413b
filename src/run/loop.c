#include "run/loop.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "run/feedback.h"
#include "run/idle.h"
#include "run/losses.h"
#include "run/progress.h"
#include "run/report.h"
#include "run/run.h"
#include "run/say.h"
#include "run/sealing.h"
#include "run/stopping.h"

#define LINE_EVERY (10 * CLOCK_SECOND) /* of progress, where there is no live one */
#define TICK LOSSES_EVERY	       /* look at the counters at least this often: they are 32 bits wide */
#define TIMER_EXPIRED UINT64_MAX       /* as timer_at: set it anew, whatever comes */

/* What is polled, and behind it the interfaces in their order, or the list of those that have packets. */
enum { POLL_SIGNAL, POLL_TIMER, POLL_STDIN, POLL_SINK, POLL_LINKS, POLL_WORDS, POLL_PACKETS };
#define POLL_MAX (POLL_PACKETS + INTERFACES_MAX)

struct loop {
	struct run run;
	struct progress progress;
	int timer_fd;
	uint64_t timer_at, tick_at; /* boot time */
	uint64_t line_at;	    /* of the next line of progress; 0: none */
};

/* --- what is said meanwhile --- */

static void say_ready(const struct run *run)
{
	report_ready(run->captures, run->options, run->segments->pool, run->delivery->context);
}

/* At the end the account is closed. */
static void count_for_progress(struct run *run)
{
	if (run->ending.stage < STAGE_FLUSH)
		losses_count(run->captures);
}

static void say_progress(struct run *run)
{
	count_for_progress(run);
	if (run->recorder && run->ending.stage < STAGE_FLUSH) {
		const struct recorder_held held = recorder_held(run->recorder);

		report_held(run->now - run->ending.began_at, &held, capture_set_sum(run->captures).dropped);
		return;
	}
	report_progress(run->now - run->ending.began_at, run->segments->packets, run->segments->bytes,
			capture_set_sum(run->captures).dropped, deliver_waiting(run->delivery));
}

static void show_held(const struct recorder *recorder, struct progress_numbers *numbers)
{
	const struct recorder_held held = recorder_held(recorder);

	numbers->holds = true;
	numbers->held_time = held.to - held.from;
	numbers->held_packets = held.packets;
	numbers->held_bytes = held.bytes;
}

static void show_progress(struct loop *loop)
{
	struct run *run = &loop->run;
	const struct ending *ending = &run->ending;
	const struct account account = capture_set_account(run->captures);
	struct progress_numbers numbers = {
		.elapsed = run->now - ending->began_at,
		.limit = ending->ends_at ? ending->ends_at - ending->began_at : 0,
		.sent = run->delivery->sent,
		.waiting = deliver_waiting(run->delivery),
	};

	count_for_progress(run);
	numbers.packets = run->segments->packets;
	if (run->recorder && ending->stage < STAGE_FLUSH)
		show_held(run->recorder, &numbers);
	numbers.lost = capture_set_sum(run->captures).dropped + account.dropped_at_stop + account.dropped_output_failed;
	say_live(progress_text(&loop->progress, &numbers, run->now, say_live_columns()));
}

/* Also while what was captured is being delivered: a proxy may cut a connection on which nothing comes. */
static void say_line(struct loop *loop)
{
	loop->line_at += LINE_EVERY;
	if (loop->line_at <= loop->run.now)
		loop->line_at = loop->run.now + LINE_EVERY; /* we have slept */
	say_progress(&loop->run);
}

/* --- signals and stdin --- */

static void by_signal(struct run *run, int signo)
{
	if (signo == SIGUSR1)
		say_progress(run);
	else if (signo == SIGUSR2)
		sealing_now(run, 0);
	else
		stopping_do(run, ending_by_signal(&run->ending, signo, run->now));
}

static void go_on_without_stdin(struct run *run)
{
	struct ending *ending = &run->ending;

	if (ending->stage != STAGE_CAPTURE)
		return;
	ending_without_stdin(ending, run->options->duration_chosen || run->options->record);
	report_without_stdin(run->options, ending->ends_at ? ending->ends_at - ending->began_at : 0);
}

static void look_at_stdin(struct run *run)
{
	unsigned events = reader_look(&run->reader, run->now);

	if (events & READER_CAME)
		run->delivery->progress_at = run->now;
	if (events & READER_LEFT)
		stop(run, CAUSE_STDIN_CLOSED);
	else if ((events & READER_CAME) && run->ending.stage == STAGE_CAPTURE)
		say_ready(run);
	if (events & READER_UNKNOWN)
		go_on_without_stdin(run);
}

static bool watches_stdin(const struct run *run)
{
	return run->ending.stage == STAGE_CAPTURE || run->reader.awaited;
}

/* --- deadlines --- */

static void each_tick(struct loop *loop)
{
	struct run *run = &loop->run;

	loop->tick_at = run->now + TICK;
	for (unsigned i = 0; i < run->captures->count; i++) {
		struct interface *interface = &run->captures->list[i];

		ledger_count(&interface->ledger);
		losses_say(interface, run->now);
		intake_look_at(run, interface);
	}
}

static uint64_t stall_at(const struct run *run)
{
	const struct ending_reader reader = {
		.awaited = run->reader.awaited,
		.waits = run->sending.waits,
		.progress_at = run->delivery->progress_at,
	};

	return ending_stall_at(&run->ending, &reader, run->options->stall);
}

/* We may have slept past a deadline (SIGSTOP, a suspended machine) in which the reader did its part. */
static bool has_stalled(const struct run *run, uint64_t at)
{
	return at && run->now >= at && (run->reader.awaited || run->sending.tried_at >= at);
}

static void capture_by_clock(struct run *run)
{
	struct watch *watch = &run->watch;

	if (run->ending.stage != STAGE_CAPTURE || run_reads_file(run))
		return;
	stopping_do(run, ending_by_duration(&run->ending, run->now));
	if (watch->down_check_at && run->now >= watch->down_check_at && run->ending.stage == STAGE_CAPTURE &&
	    watch_those_down(watch, run->now))
		stop(run, CAUSE_INTERFACE_GONE);
}

static void say_by_clock(struct loop *loop)
{
	struct run *run = &loop->run;

	if (loop->progress.due && run->now >= loop->progress.due)
		show_progress(loop);
	if (loop->line_at && run->now >= loop->line_at)
		say_line(loop);
}

static void drain_by_clock(struct run *run)
{
	struct ending *ending = &run->ending;

	if (ending->stage != STAGE_DRAIN)
		return;
	if (!intake_wants_any(run))
		ending_not_quiet(ending, run->now); /* the ring cannot be quiet before it is read */
	if (ending_is_quiet(ending, run->now) || capture_set_sum(run->captures).in_ring == 0)
		stop_by(run, EVENT_DRAINED);
}

/* stalled_at: as it was before this turn changed anything. */
static void end_by_clock(struct run *run, uint64_t stalled_at)
{
	if (ending_is_late(&run->ending, run->now))
		stop_by(run, EVENT_LATE);
	if (ending_is_too_late(&run->ending, run->now))
		stop_by(run, EVENT_TOO_LATE);
	else if (has_stalled(run, stalled_at))
		stop_by(run, run->reader.awaited ? EVENT_NO_READER : EVENT_STALLED);
}

static void by_clock(struct loop *loop)
{
	struct run *run = &loop->run;
	uint64_t stalled_at = stall_at(run);

	if (run->ending.stage == STAGE_LINGER) {
		if (run->now >= run->ending.linger_until)
			stop_by(run, EVENT_LINGERED);
		return;
	}
	sealing_look(run);
	capture_by_clock(run);
	if (run->now >= loop->tick_at && run->ending.stage < STAGE_FLUSH)
		each_tick(loop);
	say_by_clock(loop);
	intake_guard(run);
	if (run->recorder && run->ending.stage == STAGE_CAPTURE)
		recorder_expire(run->recorder, intake_clock(run));
	if (reader_prompts(&run->reader, run->now))
		say("press Enter to start the download, Ctrl-D to end");
	drain_by_clock(run);
	end_by_clock(run, stalled_at);
}

static uint64_t next_deadline(const struct loop *loop)
{
	const struct run *run = &loop->run;
	const struct ending *ending = &run->ending;
	uint64_t deadline = intake_due(run);

	if (ending->stage == STAGE_LINGER)
		return ending->linger_until;
	if (ending->stage == STAGE_CAPTURE && !run_reads_file(run)) {
		run_earlier(&deadline, run->recorder ? recorder_due(run->recorder) : 0);
		run_earlier(&deadline, ending->ends_at);
		run_earlier(&deadline, run->watch.down_check_at);
	}
	if (run->reader.awaited)
		run_earlier(&deadline, run->reader.prompt_at);
	if (ending->stage < STAGE_FLUSH)
		run_earlier(&deadline, loop->tick_at);
	run_earlier(&deadline, loop->progress.due);
	run_earlier(&deadline, loop->line_at);
	if (ending->stage == STAGE_DRAIN && intake_wants_any(run))
		run_earlier(&deadline, ending->drain_until);
	run_earlier(&deadline, until_due(run));
	run_earlier(&deadline, ending_signal_due(ending, run->now));
	run_earlier(&deadline, stall_at(run));
	run_earlier(&deadline, sealing_due(run));
	return deadline;
}

static int open_timer(struct loop *loop)
{
	loop->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	return loop->timer_fd < 0 ? err_sys(loop->run.err, errno, "timerfd") : 0;
}

static int set_timer(struct loop *loop)
{
	uint64_t deadline = next_deadline(loop);
	struct itimerspec time = {.it_value = {(time_t)(deadline / CLOCK_SECOND), (long)(deadline % CLOCK_SECOND)}};

	if (deadline == loop->timer_at)
		return 0;
	loop->timer_at = deadline;
	if (timerfd_settime(loop->timer_fd, TFD_TIMER_ABSTIME, &time, NULL) < 0)
		return err_sys(loop->run.err, errno, "timerfd");
	return 0;
}

/* --- the poll set --- */

/* Returns how many are polled. */
static nfds_t fill_poll_set(struct loop *loop, struct pollfd polled[POLL_MAX])
{
	struct run *run = &loop->run;

	polled[POLL_SIGNAL] = (struct pollfd){.fd = run->parts->signals->fd, .events = POLLIN};
	polled[POLL_TIMER] = (struct pollfd){.fd = loop->timer_fd, .events = POLLIN};
	polled[POLL_STDIN] = (struct pollfd){.fd = watches_stdin(run) ? run->reader.fd : -1, .events = POLLIN};
	polled[POLL_SINK] = (struct pollfd){
		.fd = run->parts->watch_sink ? run->delivery->sink->fd : -1,
		.events = run->sending.waits ? POLLOUT : 0, /* no events: only its end */
	};
	polled[POLL_LINKS] = (struct pollfd){
		.fd = run->ending.stage == STAGE_CAPTURE ? run->watch.links_fd : -1,
		.events = POLLIN,
	};
	polled[POLL_WORDS] = (struct pollfd){
		.fd = run->parts->words ? run->parts->words->fd : -1,
		.events = POLLIN,
	};
	return POLL_PACKETS + intake_poll(run, polled + POLL_PACKETS);
}

static int wait_for_events(struct loop *loop, struct pollfd polled[POLL_MAX])
{
	struct run *run = &loop->run;
	bool reads_file = run_reads_file(run) && intake_wants_any(run);
	int timeout = reads_file || run->sending.compressing ? 0 : -1;

	if (set_timer(loop) < 0)
		return -1;
	if (poll(polled, fill_poll_set(loop, polled), timeout) < 0 && errno != EINTR)
		return err_sys(run->err, errno, "poll");
	run->now = clock_boot();
	return 0;
}

/* --- dispatch --- */

static void by_signals(struct run *run)
{
	int signo;

	while (!run_is_over(run) && (signo = signals_next(run->parts->signals)))
		by_signal(run, signo);
}

static void by_events(struct loop *loop, const struct pollfd polled[POLL_MAX])
{
	struct run *run = &loop->run;

	/* An expired timer stays readable until it is set anew. */
	if (polled[POLL_TIMER].revents)
		loop->timer_at = TIMER_EXPIRED;
	if (polled[POLL_SINK].revents & (POLLERR | POLLHUP | POLLNVAL)) {
		stop_by(run, EVENT_READER_GONE);
		return;
	}
	if (polled[POLL_SIGNAL].revents)
		by_signals(run);
	if (run_is_over(run))
		return;
	if (polled[POLL_STDIN].revents && watches_stdin(run))
		look_at_stdin(run);
	if (polled[POLL_LINKS].revents && watch_links(&run->watch, run->now))
		stop(run, CAUSE_INTERFACE_GONE);
	if (polled[POLL_WORDS].revents)
		sealing_hear(run);
	intake_cut(run);
	intake_take_all(run, polled + POLL_PACKETS);
	if (run_is_over(run))
		return;
	intake_rest(run);
	if (run->options->until_count)
		until_look(run);
	by_clock(loop);
}

/* A turn of the loop; false: there is none after it. */
static bool turn(struct loop *loop, struct pollfd polled[POLL_MAX])
{
	sending_advance(&loop->run);
	intake_leave(&loop->run);
	if (run_is_over(&loop->run) || wait_for_events(loop, polled) < 0)
		return false;
	by_events(loop, polled);
	return !run_is_over(&loop->run);
}

/* While a file that is a pipe has nothing to read: everything else goes on. */
static bool wait_for_file(void *context)
{
	struct loop *loop = context;
	struct run *run = &loop->run;
	struct pollfd polled[POLL_MAX] = {{0}};

	run->intake.reading_file = true;
	while (!polled[POLL_PACKETS].revents && run->ending.stage == STAGE_CAPTURE && turn(loop, polled))
		;
	run->intake.reading_file = false;
	return polled[POLL_PACKETS].revents;
}

/* --- from the first packet to the last --- */

static void start_clocks(struct loop *loop)
{
	struct run *run = &loop->run;
	const struct options *options = run->options;

	run->now = clock_boot();
	loop->tick_at = run->now + TICK;
	ending_init(&run->ending, run->captures->list[0].capture.fd >= 0, options->duration, run->now);
	run->ending.records = run->recorder;
	reader_init(&run->reader, run->parts->stdin_fd, options->wait_reader, options->stdin_mode == 0, run->now);
	intake_begin(run);
	until_begin(run);
}

static void begin(struct loop *loop)
{
	struct run *run = &loop->run;
	struct capture *first = &run->captures->list[0].capture;

	first->wait_for_file = wait_for_file;
	first->wait_context = loop;
	idle_begin(run->parts->idle, run->captures);
	start_clocks(loop);
	say_ready(run);
	if (run->parts->live)
		progress_init(&loop->progress, run->now);
	loop->line_at = run->parts->lines ? run->now + LINE_EVERY : 0;
}

static enum status outcome(const struct run *run)
{
	const struct account account = capture_set_account(run->captures);

	if (run->delivery->errnum)
		deliver_explain(run->delivery, run->err);
	return run->err->status ? run->err->status : ending_status(&run->ending, &account);
}

enum status loop_run(const struct run_parts *parts, struct err *err)
{
	struct pollfd polled[POLL_MAX];
	struct feedback guard = {0};
	struct loop loop = {
		.run =
			{
				.parts = parts,
				.options = parts->options,
				.captures = parts->captures,
				.segments = parts->segments,
				.delivery = parts->delivery,
				.recorder = parts->recorder,
				.intake.guard = parts->guarded ? &guard : NULL,
				.err = err,
			},
	};

	watch_init(&loop.run.watch, parts->captures, parts->links_fd);
	if (open_timer(&loop) < 0)
		return err_status(err);
	if (capture_set_fire(parts->captures, err) < 0) {
		close(loop.timer_fd);
		return err_status(err);
	}
	begin(&loop);
	while (turn(&loop, polled))
		;
	close(loop.timer_fd);
	say_live(NULL);
	return outcome(&loop.run);
}
