#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "command.h"
#include "request/command_line.h"
#include "request/flags.h"
#include "request/number.h"
#include "request/options.h"
#include "run/say.h"
#include "system/audit.h"
#include "system/container.h"
#include "system/privileges.h"
#include "system/signals.h"

#define TTL_MAX (UINT64_C(366) * 86400 * CLOCK_SECOND)
#define END_TIME (6 * CLOCK_SECOND) /* for captures to end in: they take 5 s at most */
#define LOOK_EVERY (CLOCK_SECOND / 10)
#define FAREWELL (CLOCK_SECOND / 4) /* for 'tarcap stop', which ends with us, to see that the captures have ended */

struct hold {
	uint64_t ttl; /* ns; 0: none */
	bool quiet, help;
};

struct holding {
	const struct hold *asked;
	struct signals signals;
	struct audit audit;
};

#define AT(member) offsetof(struct hold, member)

/* clang-format off */
static const struct flag hold_flags[] = {
	{0, "ttl", FLAG_NUMBER, "D", AT(ttl), {NUMBER_DURATION, CLOCK_SECOND / 1000, TTL_MAX, 1},
	 .help = "end after D, once the captures have ended (default 1h; 0: never)"},
	{'q', "quiet", FLAG_SET, NULL, AT(quiet), .help = "say nothing"},
	{'h', "help", FLAG_SET, NULL, AT(help), .help = "show this and exit"},
};
/* clang-format on */

static const struct flag_table hold_table = {"hold", FLAG_ROWS(hold_flags), .words_last = true};

static void hold_help(void)
{
	printf("usage: tarcap hold [OPTION]... [-- CAPTURE]\n"
	       "Stays idle as a container's main process, so that captures can be started in it:\n"
	       "with 'kubectl exec' or 'docker exec', or with 'kubectl cp POD:/capture'.\n"
	       "CAPTURE is options and a filter, the defaults for captures made by 'kubectl cp'.\n\n");
	flags_help(&hold_table);
	printf("\n"
	       "    docker run -d --name cap --network container:web tarcap hold\n"
	       "    tarcap hold --ttl 8h -- --headers 'tcp port 443'\n\n"
	       "SIGTERM, or 'tarcap stop' in the same container, ends the captures and then the hold.\n");
}

/* The place in argv of what is behind "--", or -1. */
static int parse_hold(struct hold *hold, int argc, char **argv, struct err *err)
{
	int words;

	*hold = (struct hold){.ttl = 3600 * CLOCK_SECOND};
	words = flags_parse(&hold_table, argc, argv, hold, err);
	if (words >= 0 && words < argc && strcmp(argv[words - 1], "--") != 0)
		return err_set(err, STATUS_USAGE, "hold '%.100s': a capture's options and filter come after --",
			       argv[words]);
	return words;
}

/* What is behind "--" is used much later, by somebody else: say now if it is wrong. */
static int check_capture(int argc, char **argv, struct err *err)
{
	struct options options;
	int result = command_line_parse(&options, argc, argv, err);

	if (result == 0 && (options.action != ACTION_CAPTURE || options.raw))
		result = err_set(err, STATUS_USAGE,
				 "hold: the options after -- must describe a capture (no --raw, no -D)");
	options_free(&options);
	return result;
}

/* Whose names these are cannot be known here: the host name is the target's with docker's --network container:. */
static void say_what_to_type(const struct hold *hold)
{
	char ttl[NUMBER_TEXT_SIZE];

	say("holding%s%s; now type: docker exec -i CONTAINER tarcap > capture.tar, or: kubectl exec -i POD -c "
	    "CONTAINER "
	    "-- tarcap > capture.tar, or: kubectl cp POD:/capture ./capture -c CONTAINER (CONTAINER is the one with "
	    "this "
	    "hold)",
	    hold->ttl ? " for " : "", hold->ttl ? number_format(NUMBER_DURATION, hold->ttl, ttl) : "");
}

static int milliseconds_until(uint64_t at)
{
	uint64_t now = clock_boot(), left = at > now ? at - now : 0;

	if (at == UINT64_MAX)
		return -1;
	left = left / 1000000 + 1;
	return left > INT32_MAX ? INT32_MAX : (int)left;
}

/* A capture in this container has begun. */
static void note_capture(struct holding *holding, pid_t pid)
{
	char text[AUDIT_TEXT_SIZE];

	if (!pid || !container_describe(pid, text))
		return;
	audit_begin(&holding->audit, pid, clock_boot());
	if (!holding->asked->quiet)
		say("process %d captures, for %s", (int)pid, text);
}

static void note_ends(struct holding *holding)
{
	uint64_t since;
	pid_t pid;

	while ((pid = audit_ended(&holding->audit, &since))) {
		if (!holding->asked->quiet)
			say("process %d has ended, after %" PRIu64 " s", (int)pid,
			    (clock_boot() - since) / CLOCK_SECOND);
	}
}

/* The next signal that ends us, or 0 when the time has come. */
static int wait_until(struct holding *holding, uint64_t at)
{
	int signo = 0;

	do {
		struct pollfd polled[1 + AUDIT_MAX] = {{.fd = holding->signals.fd, .events = POLLIN}};
		pid_t sender;

		audit_poll(&holding->audit, polled + 1);
		poll(polled, 1 + holding->audit.count, milliseconds_until(at));
		note_ends(holding);
		while ((signo = signals_next_from(&holding->signals, &sender)) == SIGUSR1 || signo == SIGUSR2) {
			if (signo == SIGUSR1)
				note_capture(holding, sender);
		}
	} while (!signo && clock_boot() < at);
	return signo;
}

/* Our end is the container's, and every process's in it: captures have to end first. */
static void end_captures(struct holding *holding)
{
	uint64_t give_up_at = clock_boot() + END_TIME;
	pid_t told[CONTAINER_PROCESSES];
	size_t count = 0;

	do {
		container_end_captures(told, &count);
		if (wait_until(holding, clock_boot() + (count ? LOOK_EVERY : 0)))
			return; /* told a second time */
	} while (container_captures() > 0 && clock_boot() < give_up_at);
	wait_until(holding, clock_boot() + FAREWELL);
}

static void stay(struct holding *holding)
{
	const struct hold *asked = holding->asked;
	int signo = wait_until(holding, asked->ttl ? clock_boot() + asked->ttl : UINT64_MAX);
	size_t captures = container_captures();

	if (!signo && captures && !asked->quiet)
		say("--ttl reached; waiting for %zu capture%s to end", captures, captures == 1 ? "" : "s");
	while (!signo && container_captures() > 0)
		signo = wait_until(holding, clock_boot() + CLOCK_SECOND);
	if (signo)
		end_captures(holding);
	if (!asked->quiet)
		say(signo ? "ended by a signal" : "ended: --ttl reached");
}

enum status command_hold(int argc, char **argv, struct err *err)
{
	struct hold hold;
	struct holding holding = {.asked = &hold, .signals = {-1, -1}};
	int words = parse_hold(&hold, argc, argv, err);

	if (words >= 0 && hold.help)
		hold_help();
	else if (words >= 0 && check_capture(argc - words + 1, argv + words - 1, err) == 0 &&
		 privileges_drop(PRIVILEGES_KILL, err) == 0 && signals_open(&holding.signals, err) == 0) {
		/* Orphans that come to us are gone at once: wait(2), on SIGCHLD being ignored. */
		signal(SIGCHLD, SIG_IGN);
		if (!hold.quiet)
			say_what_to_type(&hold);
		stay(&holding);
	}
	signals_close(&holding.signals);
	return err->status;
}
