#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "command.h"
#include "request/ceilings.h"
#include "request/command_line.h"
#include "request/event_names.h"
#include "request/flags.h"
#include "request/number.h"
#include "request/options.h"
#include "run/recorder_process.h"
#include "run/recorder_said.h"
#include "run/say.h"
#include "system/audit.h"
#include "system/container.h"
#include "system/privileges.h"
#include "system/signals.h"

#define TTL_DEFAULT (3600 * CLOCK_SECOND)
#define TTL_MAX (UINT64_C(366) * 86400 * CLOCK_SECOND)
#define END_TIME (6 * CLOCK_SECOND) /* for captures to end in: they take 5 s at most */
#define LOOK_EVERY (CLOCK_SECOND / 10)
#define FROZEN_TIME (3600 * CLOCK_SECOND) /* what an event has kept is kept for this long at least */
#define FAREWELL CLOCK_SECOND /* at most, for 'tarcap stop' to see that the captures have ended: it ends with us */
#define FAREWELL_LOOK (CLOCK_SECOND / 50)

#define WORDS_MAX 4200 /* of the recorder's command line: more than container.h takes of ours */

struct hold {
	uint64_t ttl; /* ns; 0: none */
	bool quiet, help;
	const char *record, *after, *keep; /* as typed: the recorder's own command line has them */
	const char *until[UNTIL_MAX];
	int until_count;
	uint64_t longest; /* the ceiling of what records; ns; 0: none */
};

struct holding {
	const struct hold *asked;
	struct signals signals;
	struct audit audit;
	struct recorder_process recorder;
	uint64_t began_at, ends_at; /* boot time; UINT64_MAX: never */
	bool lost;		    /* the recorder has ended by itself */
	pid_t ended_by;		    /* who told us to end; 0: nobody in this process namespace */
};

#define AT(member) offsetof(struct hold, member)

/* clang-format off */
static const struct flag hold_flags[] = {
	{0, "ttl", FLAG_NUMBER, "D", AT(ttl), {NUMBER_DURATION, CLOCK_SECOND / 1000, TTL_MAX, 1},
	 .help = "end after D, once the captures have ended (default 1h; 0: never)"},
	{0, "record", FLAG_TEXT, "SIZE", AT(record),
	 .help = "record all the time, and keep the latest SIZE of it, for 'tarcap snapshot'"},
	{0, "until", FLAG_LIST, "EVENT", AT(until), .count = AT(until_count), .most = UNTIL_MAX,
	 .help = "keep what is recorded when this comes (help: the events there are)"},
	{0, "after", FLAG_TEXT, "D", AT(after), .help = "and what follows for D (default 10s)"},
	{0, "keep", FLAG_TEXT, "D", AT(keep), .help = "wipe what is older than D"},
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

/* "--until help", with or without the rest. */
static bool asks_for_events(const struct hold *hold)
{
	bool asks = false;

	for (int i = 0; i < hold->until_count; i++)
		asks |= strcmp(hold->until[i], "help") == 0;
	return asks;
}

/* The place in argv of what is behind "--", or -1. */
static int parse_hold(struct hold *hold, int argc, char **argv, struct err *err)
{
	int words;

	*hold = (struct hold){.ttl = OPTIONS_NOT_GIVEN};
	words = flags_parse(&hold_table, argc, argv, hold, err);
	if (words >= 0 && words < argc && strcmp(argv[words - 1], "--") != 0)
		return err_set(err, STATUS_USAGE, "hold '%.100s': a capture's options and filter come after --",
			       argv[words]);
	if (words >= 0 && asks_for_events(hold))
		return words;
	if (words >= 0 && !hold->record && (hold->until_count || hold->after || hold->keep))
		return err_set(err, STATUS_USAGE, "hold: --until, --after and --keep go with --record SIZE");
	return words;
}

/* What is recorded ends some time, also with --ttl 0. */
static int settle_ttl(struct hold *hold, struct err *err)
{
	bool chosen = hold->ttl != OPTIONS_NOT_GIVEN;

	if (!chosen)
		hold->ttl = TTL_DEFAULT;
	return hold->record ? ceilings_ttl(&hold->ttl, chosen, &hold->longest, err) : 0;
}

/* What is behind "--" is used much later, by somebody else: say now if it is wrong. */
static int check_capture(int argc, char **argv, struct err *err)
{
	struct options options;
	int result = command_line_parse(&options, argc, argv, err);

	if (result == 0 && (options.action != ACTION_CAPTURE || options.raw))
		result = err_set(err, STATUS_USAGE,
				 "hold: the options after -- must describe a capture (no --raw, no -D)");
	if (result == 0 && options.record)
		result = err_set(err, STATUS_USAGE, "hold: --record stands before --");
	options_free(&options);
	return result;
}

static void add_word(const char **words, int *count, const char *flag, const char *value)
{
	if (!value)
		return;
	words[(*count)++] = flag;
	words[(*count)++] = value;
}

/*
 * The recorder's own command line: what stands before "--" and what is behind it. The limits there are for captures: it
 * ends with us.
 */
static int parse_recorded(struct options *recorded, const struct hold *hold, char **behind, struct err *err)
{
	static const char *words[WORDS_MAX + 2 * UNTIL_MAX + 8];
	int count = 0;

	words[count++] = "tarcap";
	add_word(words, &count, "--record", hold->record);
	add_word(words, &count, "--after", hold->after);
	add_word(words, &count, "--keep", hold->keep);
	for (int i = 0; i < hold->until_count; i++)
		add_word(words, &count, "--until", hold->until[i]);
	for (; *behind; behind++) {
		if (count >= WORDS_MAX)
			return err_set(err, STATUS_USAGE, "hold: there are too many words behind --");
		words[count++] = *behind;
	}
	if (command_line_parse(recorded, count, (char **)words, err) < 0)
		return -1;
	if (recorded->read_file)
		return err_set(err, STATUS_USAGE, "hold: --record cannot be combined with -r: it records an interface");
	recorded->duration = recorded->count = recorded->max_bytes = 0;
	recorded->write_file = NULL;
	recorded->wait_reader = false;
	return 0;
}

/* Whose names these are cannot be known here: the host name is the target's with docker's --network container:. */
static void say_what_to_type(const struct hold *hold)
{
	char ttl[NUMBER_TEXT_SIZE];

	if (hold->record) {
		say("holding%s%s, and recording into %.20s; now type: docker exec CONTAINER tarcap snapshot > "
		    "snapshot.tar, or: kubectl exec POD -c CONTAINER -- tarcap snapshot > snapshot.tar, or: kubectl cp "
		    "POD:/snapshot ./snapshot -c CONTAINER (CONTAINER is the one with this hold)",
		    hold->ttl ? " for " : "", hold->ttl ? number_format(NUMBER_DURATION, hold->ttl, ttl) : "",
		    hold->record);
		return;
	}
	say("holding%s%s; now type: docker exec -i CONTAINER tarcap > capture.tar, or: kubectl exec -i POD -c "
	    "CONTAINER "
	    "-- tarcap > capture.tar, or: kubectl cp POD:/capture ./capture -c CONTAINER (CONTAINER is the one with "
	    "this "
	    "hold)",
	    hold->ttl ? " for " : "", hold->ttl ? number_format(NUMBER_DURATION, hold->ttl, ttl) : "");
}

static void say_who_may_look(void)
{
	say("processes of other containers are visible here: what runs in them as uid %d may read what is recorded; "
	    "give "
	    "this container a uid of its own (docker run --user, runAsUser)",
	    (int)geteuid());
}

static int milliseconds_until(uint64_t at)
{
	uint64_t now = clock_boot(), left = at > now ? at - now : 0;

	if (at == UINT64_MAX)
		return -1;
	left = left / 1000000 + 1;
	return left > INT32_MAX ? INT32_MAX : (int)left;
}

/* A capture in this container has begun, or a snapshot. False where nothing tells who it is. */
static bool note_capture(struct holding *holding, pid_t pid)
{
	struct container_process process;
	char text[AUDIT_TEXT_SIZE];

	if (!pid || !container_describe(pid, &process, text))
		return false;
	if (audit_begin(&holding->audit, pid, clock_boot()) && !holding->asked->quiet)
		say("process %d %s, for %s", (int)pid, process.snapshot ? "takes a snapshot" : "captures", text);
	return true;
}

/* First, while it waits for the answer; but not for ever, and we may have been stopped. */
static void hear_snapshot(struct holding *holding, pid_t pid)
{
	if (!note_capture(holding, pid) && !holding->asked->quiet)
		say("process %d asked for a snapshot; nobody can say who that was: it has ended, or is of another "
		    "container",
		    (int)pid);
	recorder_process_seal(&holding->recorder, pid);
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

/* What is frozen is kept for an hour at least, for somebody to come and take it. */
static void keep_frozen(struct holding *holding)
{
	uint64_t until = clock_boot() + FROZEN_TIME, longest = holding->asked->longest;

	if (longest && until > holding->began_at + longest)
		until = holding->began_at + longest;
	if (holding->ends_at < until)
		holding->ends_at = until;
}

static void hear_recorder(struct holding *holding)
{
	struct recorder_process *recorder = &holding->recorder;
	struct channel_message message;
	enum channel_result result = CHANNEL_EMPTY;

	while (recorder->channel >= 0 && (result = recorder_process_hear(recorder, &message)) == CHANNEL_MESSAGE) {
		if (message.kind == CHANNEL_FROZEN)
			keep_frozen(holding);
		if (!holding->asked->quiet)
			recorder_say(&message, holding->ends_at);
	}
	holding->lost |= result == CHANNEL_CLOSED;
}

/* What is no end. */
static bool take_signal(struct holding *holding, int signo, pid_t sender, uint64_t value)
{
	if (signo == SIGUSR1)
		(void)note_capture(holding, sender);
	else if (signo == SIGNALS_SEAL)
		hear_snapshot(holding, sender);
	else if (signo == SIGNALS_RESUME)
		recorder_process_resume(&holding->recorder, value);
	else
		return signo == SIGUSR2;
	return true;
}

/* The next signal that ends us, or 0 when the time has come, or the recorder has ended. */
static int wait_until(struct holding *holding, uint64_t at)
{
	bool was_lost = holding->lost;
	int signo = 0;

	do {
		struct pollfd polled[2 + AUDIT_MAX] = {{.fd = holding->signals.fd, .events = POLLIN},
						       {.fd = holding->recorder.channel, .events = POLLIN}};
		uint64_t value;
		pid_t sender;

		audit_poll(&holding->audit, polled + 2);
		poll(polled, 2 + holding->audit.count, milliseconds_until(at));
		note_ends(holding);
		hear_recorder(holding);
		while ((signo = signals_next_from(&holding->signals, &sender, &value)) &&
		       take_signal(holding, signo, sender, value))
			;
		if (signo)
			holding->ended_by = sender;
	} while (!signo && holding->lost == was_lost && clock_boot() < at);
	return signo;
}

static void see_off(struct holding *holding)
{
	uint64_t give_up_at = clock_boot() + FAREWELL;

	while (holding->ended_by && (kill(holding->ended_by, 0) == 0 || errno == EPERM) && clock_boot() < give_up_at)
		wait_until(holding, clock_boot() + FAREWELL_LOOK);
}

/* Our end is the container's, and every process's in it: captures have to end first. */
static void end_captures(struct holding *holding)
{
	static struct container_told told;
	uint64_t give_up_at = clock_boot() + END_TIME;

	do {
		container_end_captures(&told, clock_boot());
		if (wait_until(holding, clock_boot() + (told.count ? LOOK_EVERY : 0)))
			return; /* told a second time */
	} while (container_captures() > 0 && clock_boot() < give_up_at);
	see_off(holding);
}

/* Until a signal, or the time, which an event puts off. */
static int hold_on(struct holding *holding)
{
	const struct hold *asked = holding->asked;
	int signo = 0;
	size_t captures;

	while (!signo && !holding->lost && clock_boot() < holding->ends_at)
		signo = wait_until(holding, holding->ends_at);
	captures = container_captures();
	if (!signo && !holding->lost && captures && !asked->quiet)
		say("--ttl reached; waiting for %zu capture%s to end", captures, number_plural(captures));
	while (!signo && !holding->lost && container_captures() > 0)
		signo = wait_until(holding, clock_boot() + CLOCK_SECOND);
	return signo;
}

static void stay(struct holding *holding, struct err *err)
{
	struct channel_message ended;
	int signo = hold_on(holding);

	if (signo || holding->lost)
		end_captures(holding);
	if (holding->lost) {
		err_set(err, STATUS_FAILED, "ended: the recorder has ended, and with it what it had");
		return;
	}
	recorder_process_end(&holding->recorder, &ended);
	if (!holding->asked->quiet) {
		say(signo ? "ended by a signal" : "ended: --ttl reached");
		recorder_say(&ended, 0);
	}
}

/*
 * Opened in this order: the recorder has to be there before we give up what it takes, and nobody may look at us before
 * we have given it up. A process that may be looked at may also be traced by its own uid (ptrace(2)): what is to be had
 * from us is a memory that can only be read.
 */
static int begin_to_hold(struct holding *holding, const struct options *recorded, struct err *err)
{
	const struct hold *asked = holding->asked;

	if (asked->record && recorder_process_start(&holding->recorder, recorded, err) < 0)
		return -1;
	if (privileges_drop(PRIVILEGES_KILL, err) < 0 || signals_open_for_hold(&holding->signals, err) < 0)
		return -1;
	/* Orphans that come to us are gone at once: wait(2), on SIGCHLD being ignored. */
	signal(SIGCHLD, SIG_IGN);
	if (asked->record &&
	    (recorder_process_await(&holding->recorder, &holding->signals, err) < 0 || privileges_be_seen(err) < 0))
		return -1;
	holding->began_at = clock_boot();
	holding->ends_at = asked->ttl ? holding->began_at + asked->ttl : UINT64_MAX;
	return 0;
}

static int parse_all(struct hold *hold, struct options *recorded, int argc, char **argv, struct err *err)
{
	int words = parse_hold(hold, argc, argv, err);

	if (words < 0 || hold->help || asks_for_events(hold))
		return words;
	if (settle_ttl(hold, err) < 0 || check_capture(argc - words + 1, argv + words - 1, err) < 0)
		return -1;
	return hold->record ? parse_recorded(recorded, hold, argv + words, err) : 0;
}

enum status command_hold(int argc, char **argv, struct err *err)
{
	static struct options recorded; /* too large for a small stack */
	struct hold hold;
	struct holding holding = {.asked = &hold, .signals = {-1, -1}};
	int result = parse_all(&hold, &recorded, argc, argv, err);

	recorder_process_init(&holding.recorder);
	if (result >= 0 && hold.help)
		hold_help();
	else if (result >= 0 && asks_for_events(&hold))
		event_names_help();
	else if (result >= 0 && begin_to_hold(&holding, &recorded, err) == 0) {
		if (!hold.quiet)
			say_what_to_type(&hold);
		if (hold.record && container_sees_others())
			say_who_may_look();
		stay(&holding, err);
	}
	options_free(&recorded);
	signals_close(&holding.signals);
	return err->status;
}
