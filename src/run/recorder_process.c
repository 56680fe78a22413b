#include "run/recorder_process.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "record/area.h"
#include "run/recorder_child.h"

#define END_TIME CLOCK_SECOND

void recorder_process_init(struct recorder_process *recorder)
{
	*recorder = (struct recorder_process){.channel = -1, .area = -1};
}

static void give_up(struct recorder_process *recorder)
{
	if (recorder->channel >= 0)
		close(recorder->channel);
	recorder->channel = -1;
}

int recorder_process_start(struct recorder_process *recorder, const struct options *options, struct err *err)
{
	int ends[2];
	pid_t pid;

	if ((recorder->area = area_create(options->record, err)) < 0 || channel_open(ends, err) < 0)
		return -1;
	signal(SIGCHLD, SIG_IGN); /* it leaves no zombie: wait(2). Its end shows in the socket. */
	pid = fork();
	if (pid == 0) {
		close(ends[0]);
		exit((int)recorder_child(options, recorder->area, ends[1]));
	}
	recorder->channel = ends[0];
	close(ends[1]);
	return pid < 0 ? err_sys(err, errno, "a process that records") : 0;
}

/* Says whether there is a message, or the end; false when it took too long, or a signal has come. */
static bool wait_for_word(const struct recorder_process *recorder, int stop_fd, int timeout)
{
	struct pollfd polled[] = {{.fd = recorder->channel, .events = POLLIN}, {.fd = stop_fd, .events = POLLIN}};
	int ready;

	do {
		ready = poll(polled, sizeof(polled) / sizeof(polled[0]), timeout);
	} while (ready < 0 && errno == EINTR);
	return polled[0].revents;
}

int recorder_process_await(struct recorder_process *recorder, const struct signals *signals, struct err *err)
{
	struct channel_message message;
	enum channel_result result;

	do {
		if (!wait_for_word(recorder, signals->stop_fd, -1))
			return -1;
		result = recorder_process_hear(recorder, &message);
	} while (result == CHANNEL_EMPTY);
	if (result == CHANNEL_CLOSED)
		return err_set(err, STATUS_FAILED, "the process that was to record has ended before it began");
	if (message.kind != CHANNEL_READY)
		return err_set(err, message.status ? message.status : STATUS_FAILED, "%s", message.text);
	return 0;
}

enum channel_result recorder_process_hear(struct recorder_process *recorder, struct channel_message *message)
{
	enum channel_result result = channel_receive(recorder->channel, message);

	if (result == CHANNEL_CLOSED)
		give_up(recorder);
	return result;
}

static void tell_recorder(const struct recorder_process *recorder, struct channel_message message)
{
	if (recorder->channel >= 0)
		(void)channel_send(recorder->channel, &message);
}

void recorder_process_seal(const struct recorder_process *recorder, pid_t asker)
{
	tell_recorder(recorder, (struct channel_message){.kind = CHANNEL_SEAL, .asker = asker});
}

void recorder_process_resume(const struct recorder_process *recorder, uint64_t account)
{
	tell_recorder(recorder, (struct channel_message){.kind = CHANNEL_RESUME, .account = account});
}

void recorder_process_end(struct recorder_process *recorder, struct channel_message *message)
{
	uint64_t now = clock_boot(), give_up_at = now + END_TIME;

	tell_recorder(recorder, (struct channel_message){.kind = CHANNEL_END});
	*message = (struct channel_message){0};
	while (recorder->channel >= 0 && message->kind != CHANNEL_ENDED && now < give_up_at &&
	       wait_for_word(recorder, -1, (int)((give_up_at - now) / 1000000) + 1)) {
		(void)recorder_process_hear(recorder, message);
		now = clock_boot();
	}
	give_up(recorder);
}
