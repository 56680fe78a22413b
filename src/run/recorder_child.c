#include "run/recorder_child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "record/channel.h"
#include "run/capturing.h"
#include "run/channel_words.h"
#include "system/container.h"
#include "system/privileges.h"

/* Neither listed nor signalled with the hold, out of its terminal's reach, and not without it. */
static void come_apart(void)
{
	(void)prctl(PR_SET_NAME, CONTAINER_RECORDER);
	(void)setsid();
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	privileges_stand_back();
}

/* Stdin and stdout are the hold's business. */
static int take_nothing(struct err *err)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fd < 0 || dup2(fd, STDIN_FILENO) < 0 || dup2(fd, STDOUT_FILENO) < 0)
		return err_sys(err, errno, "/dev/null");
	close(fd);
	return 0;
}

static void tell_hold(struct capturing *c, enum channel_kind kind, const struct err *err)
{
	const struct recorder_held held = recorder_held(&c->recorder);
	const struct area_state *state = &c->recorder.area.header->state;
	struct channel_message message = {
		.kind = kind,
		.status = err->status,
		.account = state->account,
		.packets = held.packets,
		.bytes = held.bytes,
		.from = held.from,
		.to = held.to,
		.event_at = state->event.count ? state->event.time : state->frozen_at,
	};

	snprintf(message.text, sizeof(message.text), "%s", err->text);
	(void)channel_send(c->words->fd, &message);
}

/* Before there is an area. */
static void tell_failure(const struct capturing *c, const struct err *err)
{
	struct channel_message message = {.kind = CHANNEL_FAILED, .status = err->status};

	memcpy(message.text, err->text, sizeof(message.text));
	(void)channel_send(c->words->fd, &message);
}

static bool is_gone(const struct capture_set *captures)
{
	unsigned gone = 0;

	for (unsigned i = 0; i < captures->count; i++)
		gone += captures->list[i].gone;
	return gone == captures->count;
}

/* Why nothing is recorded any more, if that is something to keep what was recorded for. */
static bool find_reason(const struct capturing *c, struct err *reason)
{
	const struct capture_event *event = &c->captures.event;

	if (event->count)
		snprintf(reason->text, sizeof(reason->text), "%.300s%s%.60s", event->what, event->series ? " on " : "",
			 event->series ? event->series->interface : "");
	else if (is_gone(&c->captures))
		snprintf(reason->text, sizeof(reason->text), "the interface is gone");
	return reason->text[0];
}

/* Frozen: wait for a word to go on, which is true, or to end. What is asked of it is answered at once. */
static bool wait_to_go_on(struct capturing *c)
{
	enum channel_word word = WORD_NONE;

	while (word != WORD_RESUME && word != WORD_END) {
		struct pollfd polled[] = {{.fd = c->words->fd, .events = POLLIN},
					  {.fd = c->signals.stop_fd, .events = POLLIN}};

		if (poll(polled, sizeof(polled) / sizeof(polled[0]), -1) < 0 && errno != EINTR)
			return false;
		if (polled[1].revents)
			return false;
		word = channel_words_next(c->words);
		if (word == WORD_SEAL)
			area_answer(&c->recorder.area, c->words->asker);
	}
	return word == WORD_RESUME;
}

/* Again and again, as often as an event freezes it and a snapshot lets it go on. */
static enum status record(struct capturing *c, const struct options *options, struct err *err)
{
	struct channel_words *words = c->words;
	enum status status = capturing_run(c, options, err);
	struct err reason = {0};

	while (!err->status && !words->told && find_reason(c, &reason)) {
		tell_hold(c, CHANNEL_FROZEN, &reason);
		words->frozen = true;
		if (!wait_to_go_on(c))
			break;
		words->frozen = false;
		words->account++;
		if (capturing_begin_anew(c, err) < 0)
			break;
		reason = (struct err){0};
		tell_hold(c, CHANNEL_RESUMED, &reason);
		status = capturing_go_on(c, options, err);
	}
	if (words->told)
		tell_hold(c, CHANNEL_ENDED, &reason);
	else if (!err->status)
		err_set(err, STATUS_FAILED, "ended by a signal that was not the hold's");
	return status;
}

enum status recorder_child(const struct options *options, int area, int channel)
{
	static struct capturing c; /* too large for a small stack */
	struct channel_words words = {.fd = channel, .account = 1};
	struct err err = {0};
	enum status status = STATUS_FAILED;

	come_apart();
	capturing_init(&c);
	c.area_fd = area;
	c.words = &words;
	if (take_nothing(&err) == 0 && capturing_open(&c, options, &err) == 0) {
		tell_hold(&c, CHANNEL_READY, &err);
		status = record(&c, options, &err);
	}
	if (err.status)
		tell_failure(&c, &err);
	capturing_close(&c);
	return status;
}
