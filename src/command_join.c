#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/sizes.h"
#include "command.h"
#include "read/join.h"
#include "read/output.h"
#include "read/recorder_text.h"
#include "read/source.h"
#include "request/flags.h"
#include "request/number.h"
#include "run/say.h"

struct join_options {
	bool check, quiet, help;
	uint64_t memory;
	const char *path; /* NULL: stdin */
};

#define AT(member) offsetof(struct join_options, member)

/* clang-format off */
static const struct flag join_flags[] = {
	{0, "check", FLAG_SET, NULL, AT(check), .help = "only check: write nothing"},
	{0, "memory", FLAG_NUMBER, "N", AT(memory), {NUMBER_SIZE, JOIN_MEMORY_MIN, GIB, 0},
	 .help = "memory for sorting (default 16M); a packet too late for that keeps its place"},
	{'q', "quiet", FLAG_SET, NULL, AT(quiet), .help = "print only errors and losses"},
	{'h', "help", FLAG_SET, NULL, AT(help), .help = "show this and exit"},
};
/* clang-format on */

static const struct flag_table join_table = {"join", FLAG_ROWS(join_flags)};

static void join_help(void)
{
	printf("usage: tarcap join [OPTION]... [FILE] > packets.pcap\n"
	       "Reads an archive that tarcap wrote (FILE, or stdin), checks it against its manifest, and writes its\n"
	       "packets as one pcap file, in order of time, to stdout.\n\n");
	flags_help(&join_table);
	printf("\n"
	       "    tarcap join x.tar > x.pcap\n"
	       "    docker run --rm -i tarcap join < x.tar > x.pcap\n\n"
	       "Exit status: 0 the archive is whole, 1 it is not, or cannot be read, 2 wrong usage,\n"
	       "3 the reader went away.\n");
}

static int parse_join(struct join_options *options, int argc, char **argv, struct err *err)
{
	int words;

	*options = (struct join_options){.memory = JOIN_MEMORY};
	words = flags_parse(&join_table, argc, argv, options, err);
	return words < 0 ? -1 : source_path(&options->path, "join", argv + words, err);
}

static int write_output(void *context, const void *data, size_t size, struct err *err)
{
	return output_put(context, data, size, err);
}

static void say_count(uint64_t count, const char *one, const char *many)
{
	if (count)
		say("%" PRIu64 " %s", count, count == 1 ? one : many);
}

/* Of a recorder's archive. */
static void say_recorder(const struct recorder_told *told)
{
	char text[RECORDER_TEXT_SIZE];

	if (recorder_text_window(told, text))
		say("window: %s", text);
	if (recorder_text_event(told, text))
		say("event: %s", text);
	if (recorder_text_cut(told, text))
		say("%s", text);
}

/* What is no fault of the archive, but good to know. */
static void say_told(const struct join_options *options, const struct join_result *result)
{
	const struct verify_told *told = result->told;
	char size[NUMBER_TEXT_SIZE];

	if (result->junk && !options->quiet)
		say("skipped %" PRIu64 " bytes before the archive begins", result->junk);
	if (result->trailing && !options->quiet)
		say("%" PRIu64 " bytes after the end are ignored", result->trailing);
	if (told->reordered && !options->quiet)
		say("%" PRIu64 " file%s in another order than written, first %s: that is no damage", told->reordered,
		    told->reordered == 1 ? " stands" : "s stand", told->first_reordered);
	if (result->late)
		say("%" PRIu64 " packets came too late to be sorted within --memory %s", result->late,
		    number_format(NUMBER_SIZE, options->memory, size));
	if (!options->quiet)
		say_recorder(&told->recorder);
	say_count(told->dropped_by_kernel, "packet was dropped by the kernel", "packets were dropped by the kernel");
	say_count(told->dropped_at_stop, "packet was dropped at the stop", "packets were dropped at the stop");
	say_count(told->dropped_output_failed, "packet was dropped because the output failed",
		  "packets were dropped because the output failed");
}

static void say_whole(const char *name, const struct join_result *result)
{
	const struct verify_told *told = result->told;
	uint64_t lost = verify_lost(told);
	char losses[40] = "nothing";

	if (lost)
		snprintf(losses, sizeof(losses), "%" PRIu64 " packet%s", lost, number_plural(lost));
	say("%.100s: whole: %" PRIu64 " file%s, %" PRIu64 " packet%s; %s lost; ended by %s%s%s%s", name, result->files,
	    number_plural(result->files), result->packets, number_plural(result->packets), losses, told->cause,
	    told->detail[0] ? " (" : "", told->detail, told->detail[0] ? ")" : "");
}

static int not_whole(const char *name, const struct join_result *result, struct err *err)
{
	char sentence[320];

	return err_set(err, STATUS_FAILED, "%.80s: %s: %s; %" PRIu64 " file%s, %" PRIu64 " packet%s were good", name,
		       defects_unverified(result->defects) ? "not verified" : "not whole",
		       defects_sentence(result->defects, sentence, sizeof(sentence)), result->files,
		       number_plural(result->files), result->packets, number_plural(result->packets));
}

static int no_archive(const char *name, const struct join_result *result, struct err *err)
{
	char hint[120];
	const char *what = input_hint(result->input, "join", hint, sizeof(hint));

	return err_set(err, STATUS_FAILED, "%.100s: no tarcap archive%s%s", name, what ? ", but " : "",
		       what ? what : "");
}

/* Exactly one sentence at the end. */
static int give_verdict(const struct join_options *options, const struct join_result *result, struct err *err)
{
	const char *name = options->path ? options->path : "stdin";

	if (!result->found)
		return no_archive(name, result, err);
	say_told(options, result);
	if (defects_any(result->defects))
		return not_whole(name, result, err);
	if (!options->quiet)
		say_whole(name, result);
	return 0;
}

static int join_now(const struct join_options *options, int fd, struct output *output, struct err *err)
{
	struct join_setup setup = {
		.source = source_read,
		.source_context = &fd,
		.output = options->check ? NULL : write_output,
		.output_context = output,
		.memory = options->memory,
	};
	struct join *join = join_open(&setup, err);
	struct join_result result;

	if (!join)
		return -1;
	if (join_run(join, &result, err) == 0 && (options->check || output_flush(output, err) == 0))
		give_verdict(options, &result, err);
	else if (!options->check)
		output_flush(output, err);
	join_close(join);
	return err->status ? -1 : 0;
}

static enum status join_all(const struct join_options *options, struct err *err)
{
	struct output *output;
	int fd;

	if (!options->check && isatty(STDOUT_FILENO)) {
		err_set(err, STATUS_USAGE,
			"stdout is a terminal, and what is written is a pcap file: add '> packets.pcap', "
			"or --check");
		return err->status;
	}
	fd = source_open(options->path, "join", err);
	if (fd < 0)
		return err->status;
	output = malloc(sizeof(*output));
	if (output) {
		output_init(output, STDOUT_FILENO);
		join_now(options, fd, output, err);
	} else {
		err_sys(err, ENOMEM, "memory for the output");
	}
	free(output);
	source_close(fd);
	return err->status;
}

enum status command_join(int argc, char **argv, struct err *err)
{
	struct join_options options;

	if (parse_join(&options, argc, argv, err) < 0)
		return err->status;
	if (options.help) {
		join_help();
		return STATUS_OK;
	}
	return join_all(&options, err);
}
