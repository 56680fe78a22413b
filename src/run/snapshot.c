#include "run/snapshot.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "record/held.h"
#include "record/stored.h"
#include "request/conflicts.h"
#include "request/number.h"
#include "request/recipients.h"
#include "run/capturing.h"
#include "run/report.h"
#include "run/resume.h"
#include "run/run.h"
#include "run/say.h"
#include "run/stopping.h"
#include "system/privileges.h"
#include "system/sandbox.h"

#define ANSWER_TIME CLOCK_SECOND /* for the recorder to seal, or to begin again */

const struct number_range snapshot_duration = {NUMBER_DURATION, CLOCK_SECOND / 1000,
					       UINT64_C(366) * 86400 * CLOCK_SECOND, 0};

struct snapshot {
	const struct snapshot_asked *asked;
	pid_t hold;
	struct area_view view;
	struct stored stored;
	json_t *told;		     /* the recorder's capture.json */
	struct options options;	     /* what the archive's parts want to know of it */
	struct capturing c;	     /* of a capture's parts, those that send */
	char last[NUMBER_TEXT_SIZE]; /* as asked for, for the manifest, which is made when all has been sent */
	int resume;		     /* see resume.h; -1: there is nothing to resume */
};

static void pause_shortly(void)
{
	const struct timespec pause = {.tv_nsec = 2000000};

	nanosleep(&pause, NULL);
}

/* --- what is there --- */

static int open_area(struct snapshot *s, struct err *err)
{
	int fd = held_open(&s->hold, err), result;

	if (fd < 0)
		return -1;
	result = area_open(&s->view, fd, err);
	close(fd);
	return result < 0 ? -1 : area_look(&s->view, err);
}

/* --after: false when we are to end before it is over. */
static bool wait_before(const struct snapshot *s)
{
	uint64_t now = clock_boot(), until = now + s->asked->after;
	struct pollfd polled[] = {{.fd = s->c.signals.stop_fd, .events = POLLIN}, {.fd = s->c.output_fd}};

	while (now < until && s->view.state.phase != AREA_FROZEN) {
		if (poll(polled, sizeof(polled) / sizeof(polled[0]), (int)((until - now) / 1000000) + 1) > 0)
			return false;
		now = clock_boot();
	}
	return true;
}

/* Whether the recorder answers or not: what it has sealed is there. */
static int seal(struct snapshot *s, struct err *err)
{
	uint64_t before = area_answers(&s->view), give_up_at = clock_boot() + ANSWER_TIME;
	struct err refused = {0};

	if (held_ask_to_seal(s->hold, &refused) < 0)
		say("%s: what the recorder has not sealed yet is not in this archive", refused.text);
	while (!refused.status && !area_has_answered(&s->view, before, getpid()) && clock_boot() < give_up_at)
		pause_shortly();
	if (!refused.status && !area_has_answered(&s->view, before, getpid()))
		say("the recorder has not answered within 1 s: what it has not sealed yet is not in this archive");
	return area_look(&s->view, err);
}

static json_t *parse_text(const struct area_view *view, const char *name)
{
	struct area_text text;
	const char *data;

	for (uint64_t i = 0; area_text(view, i, &text, &data); i++) {
		if (strcmp(text.name, name) == 0)
			return json_loadb(data, text.size, 0, NULL);
	}
	return NULL;
}

/* Is all there that manifest.c takes from it? */
static bool is_told(const struct snapshot *s)
{
	const json_t *interfaces = json_object_get(s->told, "interfaces");

	return json_array_size(interfaces) == s->view.header.series && json_object_get(s->told, "limits") &&
	       json_object_get(s->told, "memory") && json_object_get(s->told, "clock_offset_seconds");
}

static int read_texts(struct snapshot *s, struct err *err)
{
	const char *name, *reason;

	s->told = parse_text(&s->view, "capture.json");
	if (!is_told(s))
		return err_set(err, STATUS_FAILED, "snapshot: what the recorder was asked for cannot be read");
	s->options.reason = s->asked->reason;
	if (!s->options.reason && json_get_text(s->told, "reason", &reason))
		s->options.reason = reason;
	if (s->asked->name[0])
		memcpy(s->options.name, s->asked->name, sizeof(s->options.name));
	else if (json_get_text(s->told, "name", &name))
		options_safe_name(name, s->options.name, sizeof(s->options.name));
	s->options.record = s->view.header.size;
	s->options.stall = s->asked->stall;
	s->options.quiet = s->asked->quiet;
	s->options.format = s->view.series[0].pcapng ? FORMAT_PCAPNG : FORMAT_PCAP;
	return 0;
}

/* The recorder's --to is in its capture.json, and holds here, too. */
static int add_recorders_recipients(struct snapshot *s, struct err *err)
{
	const json_t *list = json_object_get(s->told, "encrypted_to");

	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *text = json_string_value(json_array_get(list, i));

		if (!text || strncmp(text, "age1", 4) != 0)
			return err_set(err, STATUS_FAILED, "snapshot: to whom the recorder encrypts cannot be read");
		if (recipients_add(&s->options.recipients, text, err) < 0)
			return -1;
	}
	return 0;
}

static int open_encryption(struct snapshot *s, struct err *err)
{
	char words[RECIPIENTS_WORDS_SIZE];

	if (add_recorders_recipients(s, err) < 0 || recipients_from_environment(&s->options.recipients, err) < 0 ||
	    conflicts_check_write_file(&s->options, err) < 0)
		return -1;
	if (!s->options.recipients)
		return 0;
	recipients_words(s->options.recipients, words);
	if (s->asked->as_tar)
		return err_set(
			err, STATUS_USAGE,
			"/snapshot: the output is encrypted here, to %s, and kubectl cp can take nothing but a tar: "
			"type kubectl exec -i POD -c CONTAINER -- tarcap snapshot > x.tar.age",
			words);
	if (!s->asked->quiet)
		say("encrypted to %s", words);
	s->c.encrypt = s->c.delivery.encrypt = encrypt_open(s->options.recipients, getentropy, err);
	return s->c.encrypt ? 0 : -1;
}

/* --last counts from now, or from when the recorder was frozen. */
static uint64_t since(const struct snapshot *s)
{
	uint64_t until = s->view.state.frozen_at ? s->view.state.frozen_at : clock_real();

	return s->asked->last && s->asked->last < until ? until - s->asked->last : 0;
}

/* The network's state when the recorder began, as it lies in the area; and what is to be read of it at the end. */
static int open_context(struct snapshot *s, struct err *err)
{
	struct context *context = &s->c.context;
	struct area_text text;
	const char *data;
	char name[CONTEXT_NAME_SIZE];

	if (!json_is_true(json_object_get(s->told, "context")))
		return 0;
	if (context_open(context, context_sources, context_source_count, err) < 0)
		return -1;
	for (size_t i = 0; i < context->count; i++) {
		struct context_member *member = &context->members[CONTEXT_START][i];

		member->left_out = "the recorder does not have it";
		context_name(context, CONTEXT_START, i, name);
		for (uint64_t n = 0; area_text(&s->view, n, &text, &data); n++) {
			if (strcmp(text.name, name) == 0)
				*member = (struct context_member){.text = data, .size = text.size, .time = text.time};
		}
	}
	return 0;
}

/* --- sending it --- */

static int open_sending(struct snapshot *s, struct err *err)
{
	struct capturing *c = &s->c;
	struct manifest_setup setup = {
		.options = &s->options,
		.captures = &c->captures,
		.pool = &c->pool,
		.context = c->context.count ? &c->context : NULL,
		.told = s->told,
		.told_started = s->view.state.started,
		.told_live = s->view.state.phase != AREA_FROZEN,
	};

	if (stored_open(&s->stored, &s->view, &c->captures, since(s), err) < 0)
		return -1;
	segments_init(&c->segments, &c->pool, &(struct segments_limits){0});
	outbox_init(&c->delivery.outbox);
	if (!(c->manifest = manifest_open(&setup, err)) ||
	    !(c->tar = tar_open(&c->delivery.outbox, s->options.name, err)))
		return -1;
	c->delivery.context = setup.context ? &c->context : NULL;
	c->delivery.store = stored_source(&s->stored);
	return deliver_start(&c->delivery, &c->segments, &c->sink, c->tar, c->manifest, clock_boot(), err);
}

static void finish(struct run *run, struct snapshot *s)
{
	deliver_finish(run->delivery, CAUSE_SNAPSHOT,
		       s->asked->last ? number_format(NUMBER_DURATION, s->asked->last, s->last) : NULL);
}

static uint64_t deadline(const struct run *run)
{
	const struct ending_reader reader = {.waits = run->sending.waits, .progress_at = run->delivery->progress_at};
	uint64_t at = ending_signal_due(&run->ending, run->now);

	run_earlier(&at, ending_stall_at(&run->ending, &reader, run->options->stall));
	return at;
}

static int milliseconds_until(uint64_t at, uint64_t now)
{
	return !at ? -1 : at <= now ? 0 : (int)((at - now) / 1000000) + 1;
}

static void by_clock(struct run *run, uint64_t at)
{
	if (ending_is_late(&run->ending, run->now))
		stop_by(run, EVENT_LATE);
	if (ending_is_too_late(&run->ending, run->now))
		stop_by(run, EVENT_TOO_LATE);
	else if (at && run->now >= at && !run->ending.asked_at)
		stop_by(run, EVENT_STALLED);
}

/* Wait until the reader takes more, or something ends it. */
static void wait_for_reader(struct run *run)
{
	bool pipe = run->delivery->sink->kind != SINK_BLOCKING;
	struct pollfd polled[] = {
		{.fd = run->parts->signals->fd, .events = POLLIN},
		{.fd = pipe ? run->delivery->sink->fd : -1, .events = run->sending.waits ? POLLOUT : 0},
	};
	uint64_t at = deadline(run);
	int signo;

	(void)poll(polled, sizeof(polled) / sizeof(polled[0]), milliseconds_until(at, run->now));
	run->now = clock_boot();
	if (polled[1].revents & (POLLERR | POLLHUP | POLLNVAL))
		stop_by(run, EVENT_READER_GONE);
	while (!run_is_over(run) && (signo = signals_next(run->parts->signals))) {
		if (signo != SIGUSR1 && signo != SIGUSR2)
			stopping_do(run, ending_by_signal(&run->ending, signo, run->now));
	}
	if (!run_is_over(run))
		by_clock(run, polled[1].revents ? 0 : at);
}

static enum status outcome(const struct run *run)
{
	const struct account account = capture_set_account(run->captures);

	if (run->delivery->errnum)
		deliver_explain(run->delivery, run->err);
	return run->err->status ? run->err->status : ending_status(&run->ending, &account);
}

static enum status send_all(struct snapshot *s, struct err *err)
{
	struct run_parts parts = {.signals = &s->c.signals, .stdin_fd = -1, .links_fd = -1};
	struct run run = {
		.parts = &parts,
		.options = &s->options,
		.captures = &s->c.captures,
		.segments = &s->c.segments,
		.delivery = &s->c.delivery,
		.err = err,
		.now = clock_boot(),
		.reader.fd = -1,
	};

	ending_init(&run.ending, false, 0, run.now);
	/* What is to be done besides, disarming and closing accounts, is the recorder's matter. */
	if (ending_by_cause(&run.ending, CAUSE_SNAPSHOT, NULL, run.now) & ENDING_CUT)
		return STATUS_FAILED;
	while (!run_is_over(&run)) {
		sending_advance(&run);
		if (run_is_over(&run))
			break;
		if (run.sending.waits)
			wait_for_reader(&run);
		else if (!run.delivery->finishing)
			finish(&run, s);
	}
	return outcome(&run);
}

/* --- from finding it to letting it go on --- */

static int prepare_resume(struct snapshot *s, struct err *err)
{
	if (!s->asked->resume)
		return 0;
	if (s->view.state.phase != AREA_FROZEN) {
		say("--resume: the recorder is not frozen, it records all the time");
		return 0;
	}
	s->resume = resume_prepare(s->hold, s->view.state.account, err);
	return s->resume < 0 ? -1 : 0;
}

/* Everything that the sandbox forbids. */
static int open_snapshot(struct snapshot *s, struct err *err)
{
	if (privileges_drop(PRIVILEGES_KILL, err) < 0 || open_area(s, err) < 0 || read_texts(s, err) < 0 ||
	    open_encryption(s, err) < 0 || signals_open(&s->c.signals, err) < 0 ||
	    capturing_open_output(&s->c, &s->options, err) < 0)
		return -1;
	if (!wait_before(s))
		return err_set(err, STATUS_READER, "snapshot: ended before --after was over");
	if (seal(s, err) < 0 || prepare_resume(s, err) < 0 || open_context(s, err) < 0)
		return -1;
	return open_sending(s, err);
}

static void let_go_on(struct snapshot *s)
{
	uint64_t account = s->view.state.account, give_up_at = clock_boot() + ANSWER_TIME;
	struct err ignored = {0};

	if (area_look(&s->view, &ignored) == 0 && s->view.state.account != account) {
		say("--resume: another snapshot has let the recorder go on already");
		return;
	}
	resume_now(s->resume);
	while (clock_boot() < give_up_at && area_look(&s->view, &ignored) == 0 && s->view.state.account == account)
		pause_shortly();
	if (s->view.state.account == account)
		say("--resume: the recorder has not begun again within 1 s; the hold's log may say why");
	else if (!s->asked->quiet)
		say("the recorder has begun again");
}

static void say_what_was_sent(const struct snapshot *s, enum status status)
{
	const struct stored *stored = &s->stored;
	char from[CLOCK_TEXT_SIZE], to[CLOCK_TEXT_SIZE];

	if (stored->missed)
		say("overwritten while others were sent: %" PRIu64 " file%s, which the manifest counts", stored->missed,
		    number_plural(stored->missed));
	if (s->asked->quiet)
		return;
	if (!stored->from)
		say("no packets");
	else
		say("%" PRIu64 " packets, of %" PRIu64 " s: from %s to %s", s->c.delivery.packets,
		    (stored->to - stored->from) / CLOCK_SECOND, clock_rfc3339(stored->from, from),
		    clock_rfc3339(stored->to, to));
	if (status == STATUS_OK && s->options.recipients)
		report_encrypted(manifest_totals(s->c.manifest), &s->options);
}

static enum status take_and_send(struct snapshot *s, struct err *err)
{
	struct sandbox sandbox;
	enum status status;

	if (open_snapshot(s, err) < 0 || sandbox_enter(SANDBOX_CAPTURE, &sandbox, err) < 0)
		return err_status(err);
	status = send_all(s, err);
	say_what_was_sent(s, status);
	if (status == STATUS_OK && s->resume >= 0)
		let_go_on(s);
	return status;
}

enum status snapshot_take(struct snapshot_asked *asked, struct err *err)
{
	static struct snapshot s; /* too large for a small stack */
	enum status status;

	s.asked = asked;
	s.resume = -1;
	s.options.write_file = asked->write_file;
	s.options.recipients = asked->recipients;
	asked->recipients = NULL;
	capturing_init(&s.c);
	status = take_and_send(&s, err);
	stored_close(&s.stored);
	capturing_close(&s.c);
	area_close(&s.view);
	json_decref(s.told);
	options_free(&s.options);
	return status;
}
