#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "read/output.h"
#include "read/source.h"
#include "request/flags.h"
#include "summary/page.h"
#include "summary/summary.h"
#include "summary/together.h"

struct summary_options {
	bool json, help;
	struct sources sources;
};

#define AT(member) offsetof(struct summary_options, member)

static const struct flag summary_flags[] = {
	{0, "json", FLAG_SET, NULL, AT(json), .help = "the same as JSON"},
	{'h', "help", FLAG_SET, NULL, AT(help), .help = "show this and exit"},
};

static const struct flag_table summary_table = {"summary", FLAG_ROWS(summary_flags)};

static void summary_help(void)
{
	printf("usage: tarcap summary [OPTION]... [FILE]...\n"
	       "Reads an archive that tarcap wrote, or a pcap file (FILE, or stdin), and prints one page about it:\n"
	       "span, packets, bytes, loss, why it ended, protocols, traffic over time, and who talked with whom.\n"
	       "Of several FILEs, or the .tar files in a directory, first what only two can tell of connections that\n"
	       "are in both: clocks, delays, what was lost, made or changed between; then the findings of each.\n\n");
	flags_help(&summary_table);
	printf("\n"
	       "    tarcap summary x.tar\n"
	       "    docker run --rm -i tarcap summary --json < x.tar\n\n"
	       "Exit status: 0 it is whole, 1 it is not (the page is printed anyway), or cannot be read,\n"
	       "2 wrong usage, 3 the reader went away.\n");
}

static int parse_summary(struct summary_options *options, int argc, char **argv, struct err *err)
{
	int words;

	*options = (struct summary_options){0};
	words = flags_parse(&summary_table, argc, argv, options, err);
	return words < 0 ? -1 : sources_find(&options->sources, "summary", argv + words, err);
}

/* The page comes first, then the sentence that goes with the status. */
static int write_page(const struct summary_options *options, const struct summary *summary, struct output *output,
		      struct err *err)
{
	const char *name = source_name(&options->sources.list[0]);
	char sentence[320];

	if ((options->json ? page_write_json : page_write)(summary, name, output, err) < 0 ||
	    output_flush(output, err) < 0)
		return -1;
	if (defects_any(summary->defects))
		return err_set(err, STATUS_FAILED, "%.100s: %s: %s", name,
			       defects_unverified(summary->defects) ? "not verified" : "not whole",
			       defects_sentence(summary->defects, sentence, sizeof(sentence)));
	return 0;
}

static int summarize(struct summary_options *options, const struct siphash_key *key, struct err *err)
{
	struct output *output = malloc(sizeof(*output));
	struct reading *reading = summary_open(source_read, &options->sources.list[0], key, err);
	const struct summary *summary;

	if (!output) {
		err_sys(err, ENOMEM, "memory for the output");
	} else if (reading) {
		output_init(output, STDOUT_FILENO);
		summary = summary_run(reading, err);
		if (summary)
			write_page(options, summary, output, err);
	}
	summary_close(reading);
	free(output);
	return err->status ? -1 : 0;
}

/* All pages come first, then which are not whole. */
static int write_together(const struct summary_options *options, const struct page_both *both, struct output *output,
			  struct err *err)
{
	size_t bad = 0, first = 0;

	if ((options->json ? page_both_write_json : page_both_write)(both, output, err) < 0 ||
	    output_flush(output, err) < 0)
		return -1;
	for (size_t i = both->count; i-- > 0;) {
		if (defects_any(both->summaries[i]->defects)) {
			first = i;
			bad++;
		}
	}
	if (bad)
		return err_set(err, STATUS_FAILED, "%zu of %zu inputs %s not whole: %.100s%s", bad, both->count,
			       bad == 1 ? "is" : "are", source_short_name(&options->sources.list[first]),
			       bad > 1 ? " and others" : "");
	return 0;
}

static int summarize_together(struct summary_options *options, const struct siphash_key *key, struct err *err)
{
	struct output *output = malloc(sizeof(*output));
	struct together *together = together_open(&options->sources, key, err);
	struct page_both both;

	if (!output) {
		err_sys(err, ENOMEM, "memory for the output");
	} else if (together) {
		output_init(output, STDOUT_FILENO);
		if (together_run(together, &both, err) == 0)
			write_together(options, &both, output, err);
	}
	together_close(together);
	free(output);
	return err->status ? -1 : 0;
}

static int summarize_in_sandbox(struct summary_options *options, struct err *err)
{
	struct siphash_key key;

	if (siphash_key_make(&key, err) < 0 || sources_open(&options->sources, err) < 0)
		return -1;
	return options->sources.count == 1 ? summarize(options, &key, err) : summarize_together(options, &key, err);
}

enum status command_summary(int argc, char **argv, struct err *err)
{
	static struct summary_options options;

	if (parse_summary(&options, argc, argv, err) == 0) {
		if (options.help)
			summary_help();
		else
			summarize_in_sandbox(&options, err);
	}
	sources_close(&options.sources);
	return err->status;
}
