#include "run.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "clock.h"
#include "number.h"
#include "say.h"

#define READ_PACKETS 4096	       /* per turn of the loop, so that signals and the reader get theirs */
#define TICK (10 * CLOCK_SECOND)       /* look at the counters at least this often: they are 32 bits wide */
#define DOWN_CHECK (CLOCK_SECOND / 2)  /* while an interface is down, to see whether it is gone */
#define STDIN_GRACE CLOCK_SECOND       /* a stdin that closes earlier was never held open by anyone */
#define DROP_AFTER (3 * CLOCK_SECOND)  /* a signal, until what has not begun to leave is dropped */
#define EXIT_AFTER (5 * CLOCK_SECOND)  /* a signal, until the end whatever has left */
#define STDIN_STALL (5 * CLOCK_SECOND) /* of a reader after stdin closed: it may have gone with it */
#define TIMER_EXPIRED UINT64_MAX       /* as timer_at: set it anew, whatever comes */
#define DRAIN_QUIET (CAPTURE_BLOCK_TIMEOUT * 5 / 2 * (CLOCK_SECOND / 1000))

enum stage {
	STAGE_CAPTURE,
	STAGE_DRAIN, /* nothing new comes; the ring is being emptied */
	STAGE_FLUSH, /* the ring is empty; what is sealed is on its way, then the manifest */
};

struct run {
	const struct run_parts *parts;
	const struct options *options;
	struct capture *capture;
	struct segments *segments;
	struct delivery *delivery;
	struct account *account;
	struct err *err;
	enum stage stage;
	enum cause cause;
	char detail[80];
	enum status status; /* when something else than the cause decides it */
	bool over;
	int timer_fd, stdin_fd;
	uint64_t now, timer_at; /* boot time */
	uint64_t listening_at, asked_at /* by the first signal, or 0 */, drain_until, tick_at, down_check_at;
	bool reading_file;  /* we are inside a read of the file, which has nothing at the moment */
	bool down, holding; /* holding: the pool is full, the ring is not being read */
	bool reader_waits;
	uint64_t dropped_at_hold;
	uint64_t sealed_seen, dropped_seen; /* at the last sealing */
	uint64_t dropped_said, said_at;
};

static bool is_file(const struct run *run)
{
	return run->capture->fd < 0;
}

static void say_loss(struct run *run)
{
	uint64_t dropped = run->capture->dropped;

	if (dropped == run->dropped_said || (run->said_at && run->now - run->said_at < TICK))
		return;
	say("%s: %" PRIu64 " packets dropped by kernel so far%s", run->capture->interface, dropped,
	    run->holding ? ", because the reader takes too little" : "");
	run->dropped_said = dropped;
	run->said_at = run->now;
}

/* Charge the newest sealed segment with what the kernel dropped since the one before. */
static void account_for_seal(struct run *run)
{
	if (run->segments->sealed_count == run->sealed_seen)
		return;
	capture_count(run->capture);
	run->segments->newest->dropped = run->capture->dropped - run->dropped_seen;
	run->dropped_seen = run->capture->dropped;
	run->sealed_seen = run->segments->sealed_count;
	say_loss(run);
}

static uint64_t in_ring(const struct run *run)
{
	const struct capture *capture = run->capture;
	uint64_t accepted = capture->received - capture->dropped;

	return accepted > capture->read ? accepted - capture->read : 0;
}

static void leave_hold(struct run *run)
{
	if (!run->holding)
		return;
	run->holding = false;
	capture_count(run->capture);
	run->account->dropped_reader_slow += run->capture->dropped - run->dropped_at_hold;
	say_loss(run);
}

static void enter_hold(struct run *run)
{
	if (run->holding || is_file(run))
		return;
	run->holding = true;
	capture_count(run->capture);
	run->dropped_at_hold = run->capture->dropped;
}

/* A limit that counts packets: what is still in the ring when it is reached was not asked for. */
static bool is_limit(enum cause cause)
{
	return cause == CAUSE_COUNT || cause == CAUSE_BYTES || cause == CAUSE_SEGMENTS;
}

/* Every packet has come as far as it will: seal, close the account, let the manifest follow. */
static void finish(struct run *run)
{
	struct account *account = run->account;
	uint64_t taken = run->segments->packets;
	uint64_t left = in_ring(run);

	run->stage = STAGE_FLUSH;
	segments_seal(run->segments);
	account_for_seal(run);
	leave_hold(run);
	account->received = run->capture->received;
	account->dropped = run->capture->dropped;
	account->written = taken;
	account->filtered_in_user_space = run->capture->rejected;
	account->after_limit = run->capture->read - run->capture->rejected - taken;
	if (is_limit(run->cause))
		account->after_limit += left;
	else
		account->dropped_at_stop += left;
	deliver_finish(run->delivery, account, run->cause, run->detail[0] ? run->detail : NULL);
}

static bool is_drained(const struct run *run)
{
	return in_ring(run) == 0 || run->now >= run->drain_until;
}

/* The capture ends, for the first cause that comes; but a limit that is reached while the ring is emptied still holds.
 */
static void stop(struct run *run, enum cause cause)
{
	if (run->stage == STAGE_FLUSH || (run->stage == STAGE_DRAIN && !is_limit(cause)))
		return;
	if (run->stage == STAGE_CAPTURE) {
		capture_disarm(run->capture);
		run->stage = STAGE_DRAIN;
		run->drain_until = run->now + DRAIN_QUIET;
	} else {
		run->detail[0] = '\0'; /* the signal was not what ended it */
	}
	run->cause = cause;
	if (is_file(run) || is_limit(cause))
		finish(run);
}

/* The end now, whatever has left. */
static void abandon(struct run *run, enum status status, const char *why)
{
	uint64_t dropped_at_stop = run->account->dropped_at_stop;

	stop(run, CAUSE_NONE);
	if (run->stage != STAGE_FLUSH)
		finish(run);
	run->account->dropped_at_stop = dropped_at_stop; /* what was in the ring just now was not given time to leave */
	run->status = status;
	run->over = true;
	if (status == STATUS_FAILED)
		return; /* the error says it */
	say("%s: the archive is cut; %" PRIu64 " packets in %" PRIu64 " complete files were delivered", why,
	    run->delivery->packets, run->delivery->files);
}

/* 3 s after a signal: what has not begun to leave would keep the manifest from arriving. */
static void drop_late(struct run *run)
{
	uint64_t late;

	if (run->stage == STAGE_DRAIN)
		finish(run);
	late = deliver_drop(run->delivery);
	run->account->dropped_at_stop += late;
	run->account->written -= late;
}

static bool wants_packets(const struct run *run)
{
	return run->stage != STAGE_FLUSH && !run->capture->interrupted && !run->reading_file &&
	       segments_room(run->segments);
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

static void look_at_interface(struct run *run)
{
	enum capture_state state = capture_state(run->capture);

	if (run->stage != STAGE_CAPTURE)
		return;
	switch (state) {
	case CAPTURE_GONE:
		say("%s: the interface is gone", run->capture->interface);
		stop(run, CAUSE_INTERFACE_GONE);
		run->down_check_at = 0;
		break;
	case CAPTURE_DOWN:
		if (!run->down)
			say("%s: the interface is down; waiting for it", run->capture->interface);
		run->down = true;
		run->down_check_at = run->now + DOWN_CHECK;
		break;
	case CAPTURE_UP:
		if (run->down)
			say("%s: the interface is up again", run->capture->interface);
		run->down = false;
		run->down_check_at = 0;
		break;
	}
}

static void read_packets(struct run *run)
{
	enum verdict verdict;

	switch (capture_read(run->capture, run->segments, READ_PACKETS, &verdict, run->err)) {
	case CAPTURE_VERDICT:
		by_verdict(run, verdict);
		/* fall through */
	case CAPTURE_SOME:
		run->drain_until = run->now + DRAIN_QUIET;
		break;
	case CAPTURE_NOTHING:
		look_at_interface(run);
		break;
	case CAPTURE_END:
		/* Interrupted: the signal that did it is about to be read, and says what to do. */
		if (!run->capture->interrupted)
			stop(run, CAUSE_END_OF_FILE);
		break;
	case CAPTURE_ERROR:
		stop(run, CAUSE_INPUT_FAILED);
		break;
	}
	account_for_seal(run);
}

static void say_progress(const struct run *run)
{
	say("%" PRIu64 " s: %" PRIu64 " packets, %" PRIu64 " bytes captured, %" PRIu64 " packets dropped by kernel",
	    (run->now - run->listening_at) / CLOCK_SECOND, run->segments->packets, run->segments->bytes,
	    run->capture->dropped);
}

static void seal_now(struct run *run)
{
	if (run->stage != STAGE_CAPTURE)
		return;
	segments_seal(run->segments);
	account_for_seal(run);
	if (segments_complete(run->segments))
		stop(run, CAUSE_SEGMENTS);
}

static void by_signal(struct run *run, int signo)
{
	if (signo == SIGUSR1) {
		capture_count(run->capture);
		say_progress(run);
	} else if (signo == SIGUSR2) {
		seal_now(run);
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

static void stdin_closed(struct run *run)
{
	run->stdin_fd = -1;
	if (run->now - run->listening_at >= STDIN_GRACE)
		stop(run, CAUSE_STDIN_CLOSED);
	else if (!run->options->quiet)
		say("stdin is closed: going on without it (other ways to end: a signal, or a limit)");
}

static void read_stdin(struct run *run)
{
	char nothing[4096];
	ssize_t n = read(run->stdin_fd, nothing, sizeof(nothing));

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		stdin_closed(run);
}

static void each_tick(struct run *run)
{
	run->tick_at = run->now + TICK;
	capture_count(run->capture);
	say_loss(run);
	look_at_interface(run);
	if (run->options->verbose)
		say_progress(run);
}

/* 0: never */
static uint64_t stall_deadline(const struct run *run)
{
	uint64_t stall = run->options->stall;

	if (!run->reader_waits)
		return 0;
	if (run->cause == CAUSE_STDIN_CLOSED && (!stall || stall > STDIN_STALL))
		stall = STDIN_STALL;
	return stall ? run->delivery->progress_at + stall : 0;
}

static void by_clock(struct run *run)
{
	uint64_t stall_at = stall_deadline(run);
	bool live = !is_file(run);

	if (run->stage == STAGE_CAPTURE && live) {
		if (segments_tick(run->segments, run->now))
			account_for_seal(run);
		if (segments_complete(run->segments))
			stop(run, CAUSE_SEGMENTS);
		if (run->options->duration && run->now - run->listening_at >= run->options->duration)
			stop(run, CAUSE_DURATION);
		if (run->down_check_at && run->now >= run->down_check_at)
			look_at_interface(run);
	}
	if (run->now >= run->tick_at && run->stage != STAGE_FLUSH)
		each_tick(run);
	if (run->stage == STAGE_DRAIN && !wants_packets(run))
		run->drain_until = run->now + DRAIN_QUIET; /* the ring cannot be quiet before it is read */
	if (run->stage == STAGE_DRAIN && is_drained(run))
		finish(run);
	if (run->asked_at && run->now >= run->asked_at + DROP_AFTER)
		drop_late(run);
	if (run->asked_at && run->now >= run->asked_at + EXIT_AFTER)
		abandon(run, STATUS_READER, "the reader did not take everything within 5 s of the signal");
	else if (stall_at && run->now >= stall_at)
		abandon(run, STATUS_READER, "the reader has stalled");
}

static void earlier(uint64_t *deadline, uint64_t candidate)
{
	if (candidate && (!*deadline || candidate < *deadline))
		*deadline = candidate;
}

static uint64_t next_deadline(const struct run *run)
{
	uint64_t deadline = 0;

	if (run->stage == STAGE_CAPTURE && !is_file(run)) {
		earlier(&deadline, segments_due(run->segments));
		earlier(&deadline, run->options->duration ? run->listening_at + run->options->duration : 0);
		earlier(&deadline, run->down_check_at);
	}
	if (run->stage != STAGE_FLUSH)
		earlier(&deadline, run->tick_at);
	if (run->stage == STAGE_DRAIN && wants_packets(run))
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
	uint64_t at = next_deadline(run);
	struct itimerspec time = {.it_value = {(time_t)(at / CLOCK_SECOND), (long)(at % CLOCK_SECOND)}};

	if (at == run->timer_at)
		return 0;
	run->timer_at = at;
	if (timerfd_settime(run->timer_fd, TFD_TIMER_ABSTIME, &time, NULL) < 0)
		return err_sys(run->err, errno, "timerfd");
	return 0;
}

enum { POLL_PACKETS, POLL_SIGNAL, POLL_TIMER, POLL_STDIN, POLL_SINK, POLL_COUNT };

static int wait_for_events(struct run *run, struct pollfd polled[POLL_COUNT])
{
	bool packets = wants_packets(run);
	int timeout = is_file(run) && packets ? 0 : -1;

	if (set_timer(run) < 0)
		return -1;
	polled[POLL_PACKETS] = (struct pollfd){.fd = packets ? run->capture->fd : -1, .events = POLLIN};
	if (run->reading_file)
		polled[POLL_PACKETS].fd = run->capture->file;
	polled[POLL_SIGNAL] = (struct pollfd){.fd = run->parts->signals->fd, .events = POLLIN};
	polled[POLL_TIMER] = (struct pollfd){.fd = run->timer_fd, .events = POLLIN};
	polled[POLL_STDIN] = (struct pollfd){.fd = run->stage == STAGE_CAPTURE ? run->stdin_fd : -1, .events = POLLIN};
	polled[POLL_SINK] = (struct pollfd){
		.fd = run->parts->watch_sink ? run->delivery->sink->fd : -1,
		.events = run->reader_waits ? POLLOUT : 0,
	};
	if (poll(polled, POLL_COUNT, timeout) < 0 && errno != EINTR)
		return err_sys(run->err, errno, "poll");
	run->now = clock_boot();
	return 0;
}

static void by_events(struct run *run, const struct pollfd polled[POLL_COUNT])
{
	int signo;

	/* An expired timer stays readable until it is set anew. */
	if (polled[POLL_TIMER].revents)
		run->timer_at = TIMER_EXPIRED;
	if (polled[POLL_SINK].revents & (POLLERR | POLLHUP | POLLNVAL)) {
		abandon(run, STATUS_READER, "the reader has gone away");
		return;
	}
	while (polled[POLL_SIGNAL].revents && !run->over && (signo = signals_next(run->parts->signals)))
		by_signal(run, signo);
	if (run->over)
		return;
	if (polled[POLL_STDIN].revents && run->stage == STAGE_CAPTURE)
		read_stdin(run);
	if (!is_file(run) && (polled[POLL_PACKETS].revents & POLLERR))
		look_at_interface(run);
	if (wants_packets(run) && (is_file(run) || (polled[POLL_PACKETS].revents & POLLIN)))
		read_packets(run);
	by_clock(run);
}

static void send_waiting(struct run *run)
{
	enum deliver_result result = deliver_advance(run->delivery, run->now, run->err);

	run->reader_waits = result == DELIVER_WAITING;
	switch (result) {
	case DELIVER_IDLE:
	case DELIVER_WAITING:
		break;
	case DELIVER_DONE:
		run->over = true;
		break;
	case DELIVER_GONE:
		abandon(run, STATUS_READER, "the reader has gone away");
		break;
	case DELIVER_FAILED:
		abandon(run, STATUS_FAILED, "");
		break;
	}
	if (!run->over && run->stage != STAGE_FLUSH) {
		if (segments_room(run->segments))
			leave_hold(run);
		else
			enter_hold(run);
	}
}

/* While a file that is a pipe has nothing to read: everything else goes on. */
static bool wait_for_file(void *context)
{
	struct run *self = context;
	struct pollfd polled[POLL_COUNT] = {{0}};

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

static void say_ready(const struct run *run)
{
	const struct capture *capture = run->capture;
	const struct options *options = run->options;
	char duration[NUMBER_TEXT_SIZE], bytes[NUMBER_TEXT_SIZE], ring[NUMBER_TEXT_SIZE], pool[NUMBER_TEXT_SIZE];
	char limits[3 * NUMBER_TEXT_SIZE] = "no time or byte limit", link[160];

	if (options->quiet)
		return;
	number_format(NUMBER_DURATION, options->duration, duration);
	number_format(NUMBER_SIZE, options->max_bytes, bytes);
	if (options->duration || options->max_bytes)
		snprintf(limits, sizeof(limits), "ends after %s%s%s", options->duration ? duration : "",
			 options->duration && options->max_bytes ? " or " : "", options->max_bytes ? bytes : "");
	if (capture->link_type)
		snprintf(link, sizeof(link), "%s (%s)", capture->link_type,
			 capture->link_type_description ? capture->link_type_description : "?");
	else
		snprintf(link, sizeof(link), "%d", capture->link_type_number);
	number_format(NUMBER_SIZE, capture->ring, ring);
	number_format(NUMBER_SIZE, run->segments->pool->count * run->segments->pool->segment_size, pool);
	if (is_file(run))
		say("reading from file %s, link-type %s, snapshot length %u; %s; pool %s", capture->interface, link,
		    capture->snaplen, limits, pool);
	else
		say("listening on %s, link-type %s, snapshot length %u bytes; %s; ring %s, pool %s", capture->interface,
		    link, capture->snaplen, limits, ring, pool);
}

static void start_clocks(struct run *run)
{
	run->now = run->listening_at = clock_boot();
	run->tick_at = run->now + TICK;
	segments_start_clock(run->segments, run->now, run->options->segment_time, is_file(run));
}

enum status run(const struct run_parts *parts, struct account *account, struct err *err)
{
	struct pollfd polled[POLL_COUNT];
	struct run run = {
		.parts = parts,
		.options = parts->options,
		.capture = parts->capture,
		.segments = parts->segments,
		.delivery = parts->delivery,
		.account = account,
		.err = err,
		.stdin_fd = parts->stdin_fd,
	};

	run.timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (run.timer_fd < 0) {
		err_sys(err, errno, "timerfd");
		return err->status;
	}
	if (capture_fire(run.capture, err) < 0) {
		close(run.timer_fd);
		return err->status;
	}
	run.capture->wait_for_file = wait_for_file;
	run.capture->wait_context = &run;
	start_clocks(&run);
	say_ready(&run);
	for (send_waiting(&run); !run.over; send_waiting(&run)) {
		if (wait_for_events(&run, polled) < 0)
			break;
		by_events(&run, polled);
		if (run.over)
			break;
	}
	close(run.timer_fd);
	if (err->status)
		return err->status;
	if (run.status)
		return run.status;
	if (account->dropped_at_stop)
		return STATUS_READER;
	return run.cause == CAUSE_INTERFACE_GONE && account->written == 0 ? STATUS_SURROUNDINGS : STATUS_OK;
}
