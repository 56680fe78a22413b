#include "system/signals.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/signalfd.h>
#include <unistd.h>

static void end_at_once(int signo)
{
	_exit(128 + signo);
}

static int hangup_is_ignored(void)
{
	struct sigaction inherited;

	return sigaction(SIGHUP, NULL, &inherited) == 0 && inherited.sa_handler == SIG_IGN;
}

void signals_end_at_once(void)
{
	signal(SIGINT, end_at_once);
	signal(SIGTERM, end_at_once);
	if (!hangup_is_ignored())
		signal(SIGHUP, end_at_once);
}

static int open_one(const sigset_t *set, struct err *err)
{
	int fd = signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK);

	return fd < 0 ? err_sys(err, errno, "signalfd") : fd;
}

static int open_descriptors(struct signals *signals, bool for_hold, struct err *err)
{
	sigset_t stop, all;

	sigemptyset(&stop);
	sigaddset(&stop, SIGINT);
	sigaddset(&stop, SIGTERM);
	if (!hangup_is_ignored())
		sigaddset(&stop, SIGHUP);
	all = stop;
	sigaddset(&all, SIGUSR1);
	sigaddset(&all, SIGUSR2);
	if (for_hold) {
		sigaddset(&all, SIGNALS_RESUME);
		sigaddset(&all, SIGNALS_SEAL);
	}
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a file may grow no more: write() says so, too */
	sigprocmask(SIG_BLOCK, &all, NULL);
	signals->fd = open_one(&all, err);
	signals->stop_fd = open_one(&stop, err);
	return signals->fd < 0 || signals->stop_fd < 0 ? -1 : 0;
}

int signals_open(struct signals *signals, struct err *err)
{
	return open_descriptors(signals, false, err);
}

int signals_open_for_hold(struct signals *signals, struct err *err)
{
	return open_descriptors(signals, true, err);
}

void signals_close(struct signals *signals)
{
	if (signals->fd >= 0)
		close(signals->fd);
	if (signals->stop_fd >= 0)
		close(signals->stop_fd);
	*signals = (struct signals){-1, -1};
}

int signals_next_from(const struct signals *signals, pid_t *sender, uint64_t *value)
{
	struct signalfd_siginfo info;

	if (read(signals->fd, &info, sizeof(info)) != sizeof(info))
		return 0;
	*sender = (pid_t)info.ssi_pid;
	*value = info.ssi_ptr;
	return (int)info.ssi_signo;
}

int signals_next(const struct signals *signals)
{
	uint64_t value;
	pid_t sender;

	return signals_next_from(signals, &sender, &value);
}
