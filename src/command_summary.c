#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "command.h"
#include "read/output.h"
#include "read/source.h"
#include "request/flags.h"
#include "summary/page.h"
#include "summary/summary.h"

struct summary_options {
	bool json, help;
	const char *path; /* NULL: stdin */
};

static const struct option longs[] = {
	{"json", no_argument, NULL, 'J'},
	{"help", no_argument, NULL, 'h'},
	{0},
};

static void help(void)
{
	printf("usage: tarcap summary [OPTION]... [FILE]\n"
	       "Reads an archive that tarcap wrote, or a pcap file (FILE, or stdin), and prints one page about it:\n"
	       "span, packets, bytes, loss, why it ended, protocols, traffic over time, and who talked with whom.\n\n"
	       "      --json   the same as JSON\n"
	       "  -h, --help   show this and exit\n\n"
	       "    tarcap summary x.tar\n"
	       "    docker run --rm -i tarcap summary --json < x.tar\n\n"
	       "Exit status: 0 it is whole, 1 it is not (the page is printed anyway), or cannot be read,\n"
	       "2 wrong usage, 3 the reader went away.\n");
}

static int parse(struct summary_options *options, int argc, char **argv, struct err *err)
{
	const char *word;
	int value;

	*options = (struct summary_options){0};
	opterr = 0;
	optind = 1;
	while ((word = argv[optind]), (value = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		if (value == '?')
			return flags_refuse("summary", *word == '-' ? word : argv[optind - 1], optopt, longs, err);
		options->json |= value == 'J';
		options->help |= value == 'h';
	}
	if (argc - optind > 1)
		return err_set(err, STATUS_USAGE, "summary '%.100s': allowed is one FILE (see tarcap summary --help)",
			       argv[optind + 1]);
	if (argc - optind == 1 && strcmp(argv[optind], "-") != 0)
		options->path = argv[optind];
	return 0;
}

/* The page comes first, then the sentence that goes with the status. */
static int write_page(const struct summary_options *options, const struct summary *summary, struct output *output,
		      struct err *err)
{
	const char *name = options->path ? options->path : "stdin";
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

static int summarize(const struct summary_options *options, int fd, const struct siphash_key *key, struct err *err)
{
	struct output *output = malloc(sizeof(*output));
	struct reading *reading = summary_open(source_read, &fd, key, err);
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

/* From a file where getrandom(2) is refused: kernels before 3.17, and seccomp profiles that do not know it. */
static int make_key(struct siphash_key *key, struct err *err)
{
	ssize_t size = getrandom(key, sizeof(*key), 0);
	int fd = size < 0 ? open("/dev/urandom", O_RDONLY | O_CLOEXEC) : -1;

	if (fd >= 0) {
		size = read(fd, key, sizeof(*key));
		close(fd);
	}
	return size == (ssize_t)sizeof(*key) ? 0 : err_sys(err, errno, "random numbers");
}

static enum status summarize_in_sandbox(const struct summary_options *options, struct err *err)
{
	struct siphash_key key;
	int fd;

	if (make_key(&key, err) < 0)
		return err->status;
	fd = source_open(options->path, "summary", err);
	if (fd < 0)
		return err->status;
	summarize(options, fd, &key, err);
	source_close(fd);
	return err->status;
}

enum status command_summary(int argc, char **argv, struct err *err)
{
	struct summary_options options;

	if (parse(&options, argc, argv, err) < 0)
		return err->status;
	if (options.help) {
		help();
		return STATUS_OK;
	}
	return summarize_in_sandbox(&options, err);
}
