#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "command.h"
#include "request/flags.h"
#include "request/options.h"
#include "run/snapshot.h"

#define D_MAX (UINT64_C(366) * 86400 * CLOCK_SECOND)

struct words {
	struct snapshot_asked asked;
	bool help;
};

#define AT(member) offsetof(struct words, member)

static int take_snapshot_name(void *into, const char *flag, const char *argument, struct err *err)
{
	struct words *words = into;

	return options_set_name(words->asked.name, flag, argument, err);
}

static int take_snapshot_recipient(void *into, const char *flag, const char *argument, struct err *err)
{
	struct words *words = into;

	(void)flag;
	return recipients_add(&words->asked.recipients, argument, err);
}

/* clang-format off */
static const struct flag snapshot_flags[] = {
	{0, "last", FLAG_NUMBER, "D", AT(asked.last), {NUMBER_DURATION, CLOCK_SECOND / 1000, D_MAX, 0},
	 .help = "of the last D alone: whole files, so at least D (default: all there is)"},
	{0, "after", FLAG_NUMBER, "D", AT(asked.after), {NUMBER_DURATION, CLOCK_SECOND / 1000, D_MAX, 1},
	 .help = "D from now (default 0)"},
	{0, "resume", FLAG_SET, NULL, AT(asked.resume),
	 .help = "let a recorder that an event has frozen record again, once all was taken"},
	{'w', NULL, FLAG_TEXT, "FILE", AT(asked.write_file), .help = "write the tar to FILE (default -: stdout)"},
	{0, "to", FLAG_CALL, "RECIPIENT", .take = take_snapshot_recipient,
	 .help = "encrypt to it: age1..., or a file of them"},
	{0, "name", FLAG_CALL, "NAME", .take = take_snapshot_name, .help = "the archive's directory (default: the recorder's)"},
	{0, "reason", FLAG_TEXT, "TEXT", AT(asked.reason), .help = "why, for the record"},
	{0, "stall", FLAG_NUMBER, "D", AT(asked.stall), {NUMBER_DURATION, CLOCK_SECOND / 1000, D_MAX, 1},
	 .help = "give up on a stuck reader (default 60s)"},
	{'q', "quiet", FLAG_SET, NULL, AT(asked.quiet), .help = "errors only"},
	{'h', "help", FLAG_SET, NULL, AT(help), .help = "show this and exit"},
};
/* clang-format on */

static const struct flag_table snapshot_table = {"snapshot", FLAG_ROWS(snapshot_flags)};

static void snapshot_help(void)
{
	printf("usage: tarcap snapshot [OPTION]... > x.tar\n"
	       "What the recorder of this container's hold (tarcap hold --record 64M) has in memory, as an archive:\n"
	       "what came before this command. The recorder goes on meanwhile. As often as you like.\n\n");
	flags_help(&snapshot_table);
	printf("\n"
	       "    docker exec cap tarcap snapshot --last 2m > x.tar\n"
	       "    kubectl cp POD:/snapshot ./x -c CONTAINER\n");
}

static int parse_snapshot(struct words *words, int argc, char **argv, struct err *err)
{
	int place;

	*words = (struct words){.asked.stall = SNAPSHOT_STALL};
	place = flags_parse(&snapshot_table, argc, argv, words, err);
	if (place < 0 || words->help)
		return place;
	if (place < argc)
		return err_set(err, STATUS_USAGE,
			       "snapshot '%.100s': takes options alone, what is recorded was filtered", argv[place]);
	if (options_check_reason(words->asked.reason, err) < 0)
		return -1;
	if (words->asked.write_file && strcmp(words->asked.write_file, "-") == 0)
		words->asked.write_file = NULL;
	if (!words->asked.write_file && isatty(STDOUT_FILENO))
		return err_set(
			err, STATUS_USAGE,
			"stdout is a terminal, and what is written is a tar: add '> snapshot.tar' (with docker exec "
			"or kubectl exec: no -t)");
	return 0;
}

enum status command_snapshot(int argc, char **argv, struct err *err)
{
	enum status status = STATUS_OK;
	struct words words;

	if (parse_snapshot(&words, argc, argv, err) < 0)
		status = err->status;
	else if (words.help)
		snapshot_help();
	else
		status = snapshot_take(&words.asked, err);
	free(words.asked.recipients);
	return status;
}
