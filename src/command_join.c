#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/siphash.h"
#include "base/sizes.h"
#include "command.h"
#include "read/join.h"
#include "read/output.h"
#include "read/recorder_text.h"
#include "read/several.h"
#include "read/source.h"
#include "request/flags.h"
#include "request/number.h"
#include "run/say.h"
#include "summary/together.h"

struct join_options {
	bool align, check, quiet, help;
	uint64_t memory;
	struct siphash_key key; /* with align */
	struct sources sources;
};

#define AT(member) offsetof(struct join_options, member)

/* clang-format off */
static const struct flag join_flags[] = {
	{0, "align", FLAG_SET, NULL, AT(align), .help = "of several: times by the clock of the first"},
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
	printf("usage: tarcap join [OPTION]... [FILE]... > packets.pcap\n"
	       "Reads an archive that tarcap wrote (FILE, or stdin), checks it against its manifest, and writes its\n"
	       "packets as one pcap file, in order of time, to stdout.\n"
	       "Several FILEs, which may be pcap files, too, or a directory, which means the .tar files in it,\n"
	       "become one pcapng file with an interface for each of theirs.\n\n");
	flags_help(&join_table);
	printf("\n"
	       "    docker run --rm -i tarcap join < x.tar > x.pcap\n"
	       "    tarcap join client.tar server.tar > both.pcapng\n\n"
	       "Exit status: 0 the archive is whole, 1 it is not, or cannot be read, 2 wrong usage,\n"
	       "3 the reader went away.\n");
}

static int parse_join(struct join_options *options, int argc, char **argv, struct err *err)
{
	int words;

	*options = (struct join_options){.memory = JOIN_MEMORY};
	words = flags_parse(&join_table, argc, argv, options, err);
	if (words < 0 || sources_find(&options->sources, "join", argv + words, err) < 0)
		return -1;
	if (options->align && options->sources.count == 1)
		return err_set(err, STATUS_USAGE,
			       "--align: there is one FILE, and it needs several (see tarcap join --help)");
	return 0;
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

static void say_late(const struct join_options *options, uint64_t late)
{
	char size[NUMBER_TEXT_SIZE];

	if (late)
		say("%" PRIu64 " packets came too late to be sorted within --memory %s", late,
		    number_format(NUMBER_SIZE, options->memory, size));
}

/* What is no fault of the archive, but good to know. */
static void say_told(const struct join_options *options, const struct join_result *result)
{
	const struct verify_told *told = result->told;

	if (result->junk && !options->quiet)
		say("skipped %" PRIu64 " bytes before the archive begins", result->junk);
	if (result->trailing && !options->quiet)
		say("%" PRIu64 " bytes after the end are ignored", result->trailing);
	if (told->reordered && !options->quiet)
		say("%" PRIu64 " file%s in another order than written, first %s: that is no damage", told->reordered,
		    told->reordered == 1 ? " stands" : "s stand", told->first_reordered);
	say_late(options, result->late);
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

	return err_set(err, STATUS_FAILED, "%.100s: %s: %s; %" PRIu64 " file%s, %" PRIu64 " packet%s were good", name,
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
static int give_verdict(const struct join_options *options, const char *name, const struct join_result *result,
			struct err *err)
{
	if (!result->found)
		return no_archive(name, result, err);
	say_told(options, result);
	if (defects_any(result->defects))
		return not_whole(name, result, err);
	if (!options->quiet)
		say_whole(name, result);
	return 0;
}

static int join_one(struct join_options *options, struct output *output, struct err *err)
{
	struct source *source = &options->sources.list[0];
	struct join_setup setup = {
		.source = source_read,
		.source_context = source,
		.output = options->check ? NULL : write_output,
		.output_context = output,
		.memory = options->memory,
	};
	struct join *join = join_open(&setup, err);
	struct join_result result;

	if (!join)
		return -1;
	if (join_run(join, &result, err) == 0 && (options->check || output_flush(output, err) == 0))
		give_verdict(options, source_short_name(source), &result, err);
	else if (!options->check)
		output_flush(output, err);
	join_close(join);
	return err->status ? -1 : 0;
}

/* --- several --- */

static void judge_file(const struct join_options *options, const struct several_result *result, struct err *err)
{
	char sentence[320];

	if (defects_any(result->defects))
		err_set(err, STATUS_FAILED, "%.100s: not whole: %s; %" PRIu64 " packet%s were good", result->path,
			defects_sentence(result->defects, sentence, sizeof(sentence)), result->packets,
			number_plural(result->packets));
	else if (!options->quiet)
		say("%.100s: a file of packets: %" PRIu64 " packet%s", result->path, result->packets,
		    number_plural(result->packets));
}

static void judge_archive(const struct join_options *options, const struct several_result *result, struct err *err)
{
	static struct verify_told told;
	struct join_result joined = result->joined;

	/* Its number among its own packets is none in what was written. */
	if (joined.found) {
		told = *joined.told;
		told.recorder.joined_packet = 0;
		joined.told = &told;
	}
	give_verdict(options, result->path, &joined, err);
}

/* One that isn't whole is said as such. Returns whether it is whole. */
static bool judge(const struct join_options *options, const struct several_result *result)
{
	struct err err = {0};

	if (result->err.status)
		err_set(&err, STATUS_FAILED, "%.100s: %s", result->path, result->err.text);
	else if (result->defects && !result->archive)
		judge_file(options, result, &err);
	else
		judge_archive(options, result, &err);
	if (err.status)
		say("%s", err.text);
	return !err.status;
}

static int judge_all(const struct join_options *options, const struct several *several, struct err *err)
{
	size_t count = options->sources.count, bad = 0;
	const char *first = NULL;

	for (size_t i = 0; i < count; i++) {
		const struct several_result *result = several_result(several, i);

		if (judge(options, result))
			continue;
		first = bad++ ? first : result->path;
	}
	say_late(options, several_late(several));
	if (bad)
		return err_set(err, STATUS_FAILED, "%zu of %zu inputs %s not whole: %.100s%s", bad, count,
			       bad == 1 ? "is" : "are", first, bad > 1 ? " and others" : "");
	return 0;
}

static void say_offset(const struct join_options *options, size_t i, bool known, int64_t offset)
{
	char text[CLOCK_TEXT_SIZE];

	if (options->quiet)
		return;
	if (known)
		say("%.100s: its clock is %s s %s that of the first: its times are moved",
		    source_short_name(&options->sources.list[i]),
		    clock_seconds((uint64_t)(offset < 0 ? -offset : offset), text), offset < 0 ? "behind" : "ahead of");
	else
		say("%.100s: no connection tells its clock against the first: its times stay",
		    source_short_name(&options->sources.list[i]));
}

/* What to add to each one's times, from reading them all once. */
static int find_offsets(struct join_options *options, int64_t offsets[SOURCES_MAX], struct err *err)
{
	struct together *together = together_open(&options->sources, &options->key, err);
	struct page_both both;

	if (together && together_run(together, &both, err) == 0) {
		for (size_t i = 1; i < options->sources.count; i++) {
			bool known = betweens_offset(both.betweens, 0, (unsigned)i, &offsets[i]);

			say_offset(options, i, known, offsets[i]);
			offsets[i] = -offsets[i];
		}
	}
	together_close(together);
	for (size_t i = 0; i < options->sources.count && !err->status; i++) {
		if (source_again(&options->sources.list[i]) < 0)
			err_set(err, STATUS_USAGE,
				"--align reads everything twice, which %.100s does not allow: name a file",
				source_short_name(&options->sources.list[i]));
	}
	return err->status ? -1 : 0;
}

static int join_several(struct join_options *options, struct output *output, struct err *err)
{
	int64_t offsets[SOURCES_MAX] = {0};
	struct several_setup setup = {
		.offsets = offsets,
		.sources = &options->sources,
		.output = options->check ? NULL : write_output,
		.output_context = output,
		.memory = options->memory,
	};
	struct several *several = NULL;

	if (!options->align || find_offsets(options, offsets, err) == 0)
		several = several_open(&setup, err);
	if (!several)
		return -1;
	if (several_run(several, err) == 0 && (options->check || output_flush(output, err) == 0))
		judge_all(options, several, err);
	else if (!options->check)
		output_flush(output, err);
	several_close(several);
	return err->status ? -1 : 0;
}

static int join_all(struct join_options *options, struct err *err)
{
	struct output *output = malloc(sizeof(*output));

	if (!output)
		return err_sys(err, ENOMEM, "memory for the output");
	output_init(output, STDOUT_FILENO);
	if (options->sources.count == 1)
		join_one(options, output, err);
	else
		join_several(options, output, err);
	free(output);
	return err->status ? -1 : 0;
}

/* The key before the sandbox, which has no random numbers. */
static int open_all(struct join_options *options, struct err *err)
{
	if (options->align && siphash_key_make(&options->key, err) < 0)
		return -1;
	return sources_open(&options->sources, err);
}

static int no_terminal(const struct join_options *options, struct err *err)
{
	if (options->check || !isatty(STDOUT_FILENO))
		return 0;
	return err_set(err, STATUS_USAGE,
		       "stdout is a terminal, and what is written is a pcap file: add '> packets.pcap', or --check");
}

enum status command_join(int argc, char **argv, struct err *err)
{
	static struct join_options options;

	if (parse_join(&options, argc, argv, err) == 0) {
		if (options.help)
			join_help();
		else if (no_terminal(&options, err) == 0 && open_all(&options, err) == 0)
			join_all(&options, err);
	}
	sources_close(&options.sources);
	return err->status;
}
