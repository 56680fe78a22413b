#include "request/options.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/sizes.h"
#include "request/advice.h"
#include "request/ceilings.h"
#include "request/flags.h"
#include "request/number.h"
#include "request/plan.h"
#include "request/usage.h"

enum kind {
	KIND_NUMBER,
	KIND_TEXT,
	KIND_NAME,
	KIND_INTERFACE, /* one more each time */
	KIND_CHOICE,
	KIND_SET,     /* bool */
	KIND_CHOSEN,  /* a flag of its own for one of the choices of another */
	KIND_COUNTER, /* int, one more each time */
	KIND_ACTION,
	KIND_NOTHING, /* a tcpdump habit that changes nothing here */
	KIND_REFUSED, /* a tcpdump flag that cannot mean the same here; help says what to use */
};

#define DAYS(n) (UINT64_C(n) * 86400 * CLOCK_SECOND)

/*
 * One row per flag: its letter (0: none), its long name, what it takes, and its line in the help text. That one stands
 * on a line with the next row where it says WITH_NEXT, and nowhere without a help text.
 */
struct flag {
	int letter;
	const char *name;
	enum kind kind;
	const char *argument; /* NULL: takes none */
	size_t offset;
	struct number_range range;
	const char *const *choices;
	enum action action;
	uint64_t chosen;
	const char *help;
};

#define WITH_NEXT ""

#define AT(member) offsetof(struct options, member)

static const char *const direction_choices[] = {
	[DIRECTION_BOTH] = "inout", [DIRECTION_IN] = "in", [DIRECTION_OUT] = "out", NULL};
static const char *const stdin_choices[] = {"auto", "ignore", NULL};
static const char *const compress_choices[] = {[COMPRESSION_NONE] = "none", [COMPRESSION_ZSTD] = "zstd", NULL};
static const char *const exclude_choices[] = {
	[EXCLUDE_AUTO] = "auto", [EXCLUDE_ON] = "on", [EXCLUDE_OFF] = "off", NULL};
static const char *const precision_choices[] = {[PRECISION_MICRO] = "micro", [PRECISION_NANO] = "nano", NULL};

static const char *const format_choices[] = {[FORMAT_PCAP] = "pcap", [FORMAT_PCAPNG] = "pcapng", NULL};

static const char printing[] = "tarcap prints no packets: write the archive and read it with 'tarcap join -q x.tar | "
			       "tcpdump -r -'";

/* clang-format off */
static const struct flag flags[] = {
	{'i', "interface", KIND_INTERFACE, "NAME",
	 .help = "NAME, all or any (default: first up, not lo)"},
	{'F', NULL, KIND_TEXT, "FILE", AT(filter_file),
	 .help = "read the filter from FILE"},
	{'s', "snapshot-length", KIND_NUMBER, "N", AT(snaplen), {NUMBER_COUNT, 1, SNAPLEN_MAX, 1},
	 .help = "keep N bytes of each packet (default 262144)"},
	{0, "headers", KIND_SET, NULL, AT(headers),
	 .help = "keep only the headers, up to TCP's or UDP's"},
	{0, "format", KIND_CHOICE, "pcap|pcapng", AT(format), .choices = format_choices,
	 .help = "the files' format (default pcap; pcapng: ns)"},
	{'Q', "direction", KIND_CHOICE, "in|out|inout", AT(direction), .choices = direction_choices,
	 .help = "only packets that came in, or went out"},
	{0, "promiscuous", KIND_SET, NULL, AT(promiscuous),
	 .help = "put the interface into promiscuous mode"},
	{'y', "linktype", KIND_TEXT, "NAME", AT(link_type),
	 .help = "record packets with this link type (see -L)"},
	{'r', NULL, KIND_TEXT, "FILE", AT(read_file),
	 .help = "read packets from a pcap FILE (-: stdin)"},

	{'c', NULL, KIND_NUMBER, "N", AT(count), {NUMBER_COUNT, 1, UINT64_MAX / 2, 1}, .help = WITH_NEXT},
	{'W', NULL, KIND_NUMBER, "N", AT(segments), {NUMBER_COUNT, 1, UINT32_MAX, 0},
	 .help = "stop after N packets; after N files"},
	{0, "duration", KIND_NUMBER, "D", AT(duration), {NUMBER_DURATION, CLOCK_SECOND / 1000, DAYS(366), 1},
	 .help = "stop after D (default 5m; 0: no limit)"},
	{0, "max-bytes", KIND_NUMBER, "N", AT(max_bytes), {NUMBER_SIZE, 1, UINT64_MAX / 2, 1},
	 .help = "stop after N bytes (default 1G; 0: no limit)"},

	{'w', NULL, KIND_TEXT, "FILE", AT(write_file),
	 .help = "write the tar to FILE (default -: stdout)"},
	{0, "raw", KIND_SET, NULL, AT(raw),
	 .help = "no tar: one pcap file, for | wireshark -k -i -"},
	{0, "compress", KIND_CHOICE, "none|zstd", AT(compression), .choices = compress_choices,
	 .help = "compress each file; Wireshark opens it"},
	{0, "time-stamp-precision", KIND_CHOICE, "micro|nano", AT(precision), .choices = precision_choices},
	{0, "micro", KIND_CHOSEN, NULL, AT(precision), .chosen = PRECISION_MICRO, .help = WITH_NEXT},
	{0, "nano", KIND_CHOSEN, NULL, AT(precision), .chosen = PRECISION_NANO,
	 .help = "precision of times (default micro)"},
	{'C', "segment-size", KIND_NUMBER, "N", AT(segment_size), {NUMBER_MILLIONS, 1, PLAN_SEGMENT_MAX, 0},
	 .help = "cut a file before it exceeds N (default 1M)"},
	{'G', "segment-time", KIND_NUMBER, "D", AT(segment_time), {NUMBER_DURATION, CLOCK_SECOND / 10, DAYS(7), 0},
	 .help = "cut a file every D (default 1s, rising to 10s)"},
	{0, "name", KIND_NAME, "NAME", .help = WITH_NEXT},
	{0, "reason", KIND_TEXT, "TEXT", AT(reason),
	 .help = "the archive's directory; why, for the record"},
	{0, "no-context", KIND_SET, NULL, AT(no_context),
	 .help = "leave out the network's state (context/)"},

	{'B', "buffer-size", KIND_NUMBER, "KIB", AT(buffer_kib), {NUMBER_KIBIBYTES, PLAN_RING_MIN / KIB, PLAN_RING_MAX / KIB, 0},
	 .help = "the kernel's ring, in KiB (default 32768)"},
	{0, "memory", KIND_NUMBER, "N", AT(memory), {NUMBER_SIZE, PLAN_POOL_MIN, PLAN_POOL_MAX, 0},
	 .help = "memory for files to be sent (default 16M)"},
	{0, "exclude-stream", KIND_CHOICE, "auto|on|off", AT(exclude_stream), .choices = exclude_choices,
	 .help = "leave out what carries the archive away"},
	{0, "wait-reader", KIND_SET, NULL, AT(wait_reader),
	 .help = "send nothing until a byte on stdin (attach)"},
	{0, "stdin", KIND_CHOICE, "auto|ignore", AT(stdin_mode), .choices = stdin_choices,
	 .help = "auto: end when a piped stdin closes (default)"},
	{0, "stall", KIND_NUMBER, "D", AT(stall), {NUMBER_DURATION, CLOCK_SECOND / 1000, DAYS(366), 1},
	 .help = "give up on a stuck reader (default 60s)"},

	{'q', "quiet", KIND_COUNTER, NULL, AT(quiet),
	 .help = "errors only"},
	{'v', "verbose", KIND_COUNTER, NULL, AT(verbose),
	 .help = "more detail, and progress also into a file"},
	{'D', "list-interfaces", KIND_ACTION, .action = ACTION_LIST_INTERFACES, .help = WITH_NEXT},
	{'L', "list-data-link-types", KIND_ACTION, .action = ACTION_LIST_LINK_TYPES,
	 .help = "list the interfaces; list link types for -y"},
	{'d', NULL, KIND_ACTION, .action = ACTION_DUMP_FILTER, .help = WITH_NEXT},
	{'O', "no-optimize", KIND_SET, NULL, AT(no_optimize),
	 .help = "print the compiled filter; do not optimize it"},
	{'h', "help", KIND_ACTION, .action = ACTION_HELP, .help = WITH_NEXT},
	{0, "version", KIND_ACTION, .action = ACTION_VERSION,
	 .help = "show this; the version and the libraries"},

	{'p', "no-promiscuous-mode", KIND_NOTHING},
	{'n', NULL, KIND_NOTHING},
	{'U', "packet-buffered", KIND_NOTHING},
	{'l', NULL, KIND_NOTHING},
	{'K', "dont-verify-checksums", KIND_NOTHING},
	{'Z', "relinquish-privileges", KIND_NOTHING, "USER"},
	{0, "immediate-mode", KIND_NOTHING},
	{'z', NULL, KIND_REFUSED, "COMMAND", .help = "tarcap runs no commands: pipe its output instead"},
	{'A', NULL, KIND_REFUSED, .help = printing},
	{'x', NULL, KIND_REFUSED, .help = printing},
	{'X', NULL, KIND_REFUSED, .help = printing},
	{'e', NULL, KIND_REFUSED, .help = printing},
	{'t', NULL, KIND_REFUSED, .help = printing},
	{'S', NULL, KIND_REFUSED, .help = printing},
};
/* clang-format on */

#define FLAGS (sizeof(flags) / sizeof(flags[0]))
#define HELP_COLUMN 33 /* where its texts begin */
#define LONG_ONLY 256  /* getopt's value for row n without a letter is LONG_ONLY + n */

static int value_of(size_t row)
{
	return flags[row].letter ? flags[row].letter : LONG_ONLY + (int)row;
}

static const struct flag *find(int value)
{
	for (size_t row = 0; row < FLAGS; row++) {
		if (value_of(row) == value)
			return &flags[row];
	}
	return NULL;
}

static void getopt_tables(char *letters, struct option *longs)
{
	/* '+': the filter begins at the first word that is no option. ':': we say what is wrong, not getopt. */
	*letters++ = '+';
	*letters++ = ':';
	for (size_t row = 0; row < FLAGS; row++) {
		if (flags[row].letter) {
			*letters++ = (char)flags[row].letter;
			if (flags[row].argument)
				*letters++ = ':';
		}
		if (flags[row].name)
			*longs++ = (struct option){flags[row].name, flags[row].argument ? 1 : 0, NULL, value_of(row)};
	}
	*letters = '\0';
	*longs = (struct option){0};
}

/* As the user would type it: "--duration", or "-c" where there is no long name. */
static const char *typed(const struct flag *flag, char text[40])
{
	if (flag->name && flag->letter)
		snprintf(text, 40, "-%c/--%s", flag->letter, flag->name);
	else if (flag->name)
		snprintf(text, 40, "--%s", flag->name);
	else
		snprintf(text, 40, "-%c", flag->letter);
	return text;
}

static int set_choice(const struct flag *flag, const char *name, const char *argument, uint64_t *choice,
		      struct err *err)
{
	for (uint64_t i = 0; flag->choices[i]; i++) {
		if (strcmp(argument, flag->choices[i]) == 0) {
			*choice = i;
			return 0;
		}
	}
	return err_set(err, STATUS_USAGE, "%s '%.60s': allowed is %s", name, argument, flag->argument);
}

void options_safe_name(const char *text, char *name, size_t size)
{
	size_t i;

	for (i = 0; i < size - 1 && text[i]; i++) {
		int c = (unsigned char)text[i];
		int keep = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '.' ||
			   c == '_' || c == '-';
		name[i] = (char)(keep ? c : '-');
	}
	name[i] = '\0';
}

static int set_name(struct options *options, const char *argument, struct err *err)
{
	options_safe_name(argument, options->name, sizeof(options->name));
	if (strcmp(argument, options->name) != 0 || !*argument || strcmp(argument, ".") == 0 ||
	    strcmp(argument, "..") == 0)
		return err_set(err, STATUS_USAGE,
			       "--name '%.80s': allowed is 1 to %d of A-Z a-z 0-9 . _ -, not . or ..", argument,
			       NAME_MAX_LENGTH);
	return 0;
}

/* Twice the same is once. */
static int add_interface(struct options *options, const char *name, struct err *err)
{
	if (!*name)
		return err_set(err, STATUS_USAGE, "-i '': needs an argument, NAME");
	for (int i = 0; i < options->interface_count; i++) {
		if (strcmp(options->interfaces[i], name) == 0)
			return 0;
	}
	if (options->interface_count == INTERFACES_MAX)
		return err_set(err, STATUS_USAGE, "-i %.60s: allowed are at most %d interfaces", name, INTERFACES_MAX);
	options->interfaces[options->interface_count++] = name;
	return 0;
}

static int apply(struct options *options, const struct flag *flag, const char *argument, struct err *err)
{
	void *at = (char *)options + flag->offset;
	char name[40];

	typed(flag, name);
	if (flag->argument && flag->letter && argument[0] == '=')
		return err_set(err, STATUS_USAGE, "%s '%.60s': leave out '='", name, argument);
	switch (flag->kind) {
	case KIND_NUMBER:
		return number_parse(name, argument, &flag->range, at, err);
	case KIND_TEXT:
		if (!*argument)
			return err_set(err, STATUS_USAGE, "%s '': needs an argument, %s", name, flag->argument);
		*(const char **)at = argument;
		return 0;
	case KIND_NAME:
		return set_name(options, argument, err);
	case KIND_INTERFACE:
		return add_interface(options, argument, err);
	case KIND_CHOICE:
		return set_choice(flag, name, argument, at, err);
	case KIND_SET:
		*(bool *)at = true;
		return 0;
	case KIND_CHOSEN:
		*(uint64_t *)at = flag->chosen;
		return 0;
	case KIND_COUNTER:
		++*(int *)at;
		return 0;
	case KIND_ACTION:
		if (flag->action == ACTION_DUMP_FILTER)
			options->dump_level++;
		options->action = flag->action;
		return 0;
	case KIND_NOTHING:
		return 0;
	case KIND_REFUSED:
		return err_set(err, STATUS_USAGE, "%s: %s", name, flag->help);
	}
	return 0;
}

static void defaults(struct options *options)
{
	char host[256] = "";

	*options = (struct options){
		.duration = OPTIONS_NOT_GIVEN,
		.max_bytes = OPTIONS_NOT_GIVEN,
		.snaplen = OPTIONS_NOT_GIVEN,
		.buffer_kib = OPTIONS_NOT_GIVEN,
		.memory = OPTIONS_NOT_GIVEN,
		.stall = 60 * CLOCK_SECOND,
		.precision = PRECISION_NOT_GIVEN,
	};
	/* POSIX leaves a truncated name unterminated. */
	if (gethostname(host, sizeof(host) - 1) < 0 || !host[0] || host[0] == '.')
		strcpy(host, "capture");
	options_safe_name(host, options->name, sizeof(options->name));
}

/* tcpdump's -F: the file's text with comments (# to the end of the line) blanked. */
static int read_filter_file(struct options *options, struct err *err)
{
	int fd = open(options->filter_file, O_RDONLY | O_CLOEXEC);
	size_t used = 0;
	ssize_t n = 1;

	if (fd < 0)
		return err_sys(err, errno, "-F %.200s", options->filter_file);
	while (used <= FILTER_MAX_LENGTH && n > 0) {
		n = read(fd, options->filter + used, FILTER_MAX_LENGTH + 1 - used);
		used += n > 0 ? (size_t)n : 0;
	}
	if (n < 0) {
		int errnum = errno;
		close(fd);
		return err_sys(err, errnum, "-F %.200s", options->filter_file);
	}
	close(fd);
	if (used > FILTER_MAX_LENGTH)
		return err_set(err, STATUS_USAGE, "-F %.200s: a filter has at most %d bytes", options->filter_file,
			       FILTER_MAX_LENGTH);
	options->filter[used] = '\0';
	for (char *p = strchr(options->filter, '#'); p; p = strchr(p, '#'))
		memset(p, ' ', strcspn(p, "\n"));
	return 0;
}

static int join_words(struct options *options, char **words, struct err *err)
{
	size_t used = 0;

	for (; *words; words++) {
		size_t length = strlen(*words);

		if (used + length + 1 > FILTER_MAX_LENGTH)
			return err_set(err, STATUS_USAGE, "the filter: at most %d bytes; use fewer terms",
				       FILTER_MAX_LENGTH);
		if (used)
			options->filter[used++] = ' ';
		memcpy(options->filter + used, *words, length);
		used += length;
	}
	options->filter[used] = '\0';
	return 0;
}

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), end_length = strlen(end);

	return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

bool options_all_interfaces(const struct options *options)
{
	return options->interface_count == 1 && strcmp(options->interfaces[0], "all") == 0;
}

static int check_precision(struct options *options, struct err *err)
{
	if (options->format == FORMAT_PCAPNG && options->precision == PRECISION_MICRO)
		return err_set(err, STATUS_USAGE,
			       "--time-stamp-precision micro cannot be combined with --format pcapng, which is in "
			       "nanoseconds");
	if (options->precision == PRECISION_NOT_GIVEN)
		options->precision = options->format == FORMAT_PCAPNG ? PRECISION_NANO : PRECISION_MICRO;
	return 0;
}

static int check_interfaces(const struct options *options, struct err *err)
{
	if (options->read_file && options->interface_count)
		return err_set(err, STATUS_USAGE, "-i %.60s cannot be combined with -r", options->interfaces[0]);
	for (int i = 0; options->interface_count > 1 && i < options->interface_count; i++) {
		const char *name = options->interfaces[i];

		if (strcmp(name, "all") == 0 || strcmp(name, "any") == 0)
			return err_set(err, STATUS_USAGE, "-i %s cannot be combined with other interfaces", name);
	}
	if (options->raw && options->format == FORMAT_PCAP &&
	    (options->interface_count > 1 || options_all_interfaces(options)))
		return err_set(err, STATUS_USAGE,
			       "--raw: a pcap file has one link type: name one interface, or any, or add --format "
			       "pcapng");
	return 0;
}

/* The name says what is in the file: one that promises what is not done would be believed. */
static int check_write_file(const struct options *options, struct err *err)
{
	static const struct {
		const char *end, *program;
	} packed[] = {{".gz", "gzip"}, {".tgz", "gzip"},  {".zst", "zstd"}, {".tzst", "zstd"}, {".xz", "xz"},
		      {".txz", "xz"},  {".bz2", "bzip2"}, {".lz4", "lz4"},  {".zip", "zip"}};
	const char *name = options->write_file, *what = options->raw ? "capture file" : "tar";

	if (!name)
		return 0;
	for (size_t i = 0; i < sizeof(packed) / sizeof(packed[0]); i++) {
		if (ends_with(name, packed[i].end))
			return err_set(
				err, STATUS_USAGE,
				"-w %.200s: a plain %s would be written under that name: leave -w out and add '| %s > "
				"%.100s'%s",
				name, what, packed[i].program, name,
				options->raw ? "" : ", or take --compress zstd and a name that ends in .tar");
	}
	if (ends_with(name, ".age") || ends_with(name, ".gpg"))
		return err_set(
			err, STATUS_USAGE,
			"-w %.200s: tarcap does not encrypt: leave -w out and pipe into %s, as in '| %s > %.100s'",
			name, ends_with(name, ".age") ? "age" : "gpg",
			ends_with(name, ".age") ? "age -r RECIPIENT" : "gpg -e", name);
	if (!options->raw && (ends_with(name, ".pcap") || ends_with(name, ".pcapng") || ends_with(name, ".cap")))
		return err_set(
			err, STATUS_USAGE,
			"-w %.200s: what is written is a tar of pcap files: give it a name that ends in .tar, or "
			"use --raw",
			name);
	return 0;
}

static int check(struct options *options, struct err *err)
{
	if (check_interfaces(options, err) < 0)
		return -1;
	if (options->read_file && options->link_type)
		return err_set(err, STATUS_USAGE, "-y/--linktype %.60s cannot be combined with -r", options->link_type);
	if (options->read_file && options->action == ACTION_LIST_LINK_TYPES)
		return err_set(err, STATUS_USAGE,
			       "-L/--list-data-link-types cannot be combined with -r: it asks an interface");
	if (options->raw && (options->segments || options->segment_size || options->segment_time))
		return err_set(err, STATUS_USAGE, "--raw cannot be combined with -C, -G or -W: it is one file");
	if (options->raw && options->compression != COMPRESSION_NONE)
		return err_set(err, STATUS_USAGE, "--raw cannot be combined with --compress");
	if (check_write_file(options, err) < 0)
		return -1;
	if (options->write_file && strcmp(options->write_file, "-") == 0)
		options->write_file = NULL;
	if (options->wait_reader && (options->write_file || (options->read_file && !strcmp(options->read_file, "-"))))
		return err_set(err, STATUS_USAGE, "--wait-reader cannot be combined with %s",
			       options->write_file ? "-w FILE: nobody reads stdout"
						   : "-r -: stdin cannot be both the packets and the sign");
	if (options->reason && strlen(options->reason) > REASON_MAX_LENGTH)
		return err_set(err, STATUS_USAGE, "--reason '%.40s...': allowed is at most %d bytes", options->reason,
			       REASON_MAX_LENGTH);
	return check_precision(options, err) < 0 ? -1 : plan_segments(options, err);
}

/* "-duration": one dash, and a name that takes two. As letters it could be nearly anything. */
static bool lacks_a_dash(const char *word)
{
	for (size_t row = 0; row < FLAGS && word[0] == '-' && word[1] != '-'; row++) {
		if (flags[row].name && strcmp(word + 1, flags[row].name) == 0)
			return true;
	}
	return false;
}

static int scan_flags(struct options *options, int argc, char **argv, struct err *err)
{
	struct option longs[FLAGS + 1];
	char letters[2 * FLAGS + 3];
	const char *word;
	int value;

	getopt_tables(letters, longs);
	opterr = 0;
	optind = 1;
	while ((word = argv[optind]), (value = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
		const struct flag *flag = find(value == ':' ? optopt : value);
		char name[40];

		if (value == '?' || !flag || lacks_a_dash(word))
			return flags_refuse(NULL, word, optopt, longs, err);
		if (value == ':')
			return err_set(err, STATUS_USAGE, "%s: needs an argument, %s", typed(flag, name),
				       flag->argument);
		if (apply(options, flag, optarg, err) < 0)
			return -1;
	}
	return 0;
}

static const struct flag *find_long(const char *name, size_t length)
{
	for (size_t row = 0; row < FLAGS; row++) {
		if (flags[row].name && strlen(flags[row].name) == length && !strncmp(name, flags[row].name, length))
			return &flags[row];
	}
	return NULL;
}

/* "-c", "-c5", "-nn", "--duration" or "--duration=5": a flag of the table. In a filter none of them means anything. */
static const struct flag *late_flag(const char *word)
{
	const char again[] = {(char)(word[0] ? word[1] : 0), '\0'};
	const struct flag *flag;

	if (word[0] != '-' || !word[1])
		return NULL;
	if (word[1] == '-')
		return find_long(word + 2, strcspn(word + 2, "="));
	flag = find((unsigned char)word[1]);
	return flag && !word[2 + strspn(word + 2, flag->argument ? "0123456789" : again)] ? flag : NULL;
}

/* Behind the filter's first word getopt looks for no flags: whoever typed one there did not mean it as filter. */
static int refuse_late_flags(char *const *words, struct err *err)
{
	char before[120] = "", advice[ADVICE_SIZE];
	const struct flag *flag = NULL;
	const char *value = "";
	size_t used = 0;

	for (; *words && !(flag = late_flag(*words)); words++) {
		if (used < sizeof(before))
			used += (size_t)snprintf(before + used, sizeof(before) - used, "%s%s", used ? " " : "", *words);
	}
	if (!flag)
		return 0;
	if (advice_no_filter(before, advice))
		return err_set(err, STATUS_USAGE, "'%.100s' is no filter: %s", before, advice);
	if (flag->argument && words[1] && ((*words)[1] == '-' ? !strchr(*words, '=') : !(*words)[2]))
		value = words[1];
	return err_set(err, STATUS_USAGE,
		       "'%.60s' comes after the filter: options come first, as in: tarcap %.60s%s%.60s%s%s%s", *words,
		       *words, *value ? " " : "", value, *before ? " '" : "", before, *before ? "'" : "");
}

int options_parse(struct options *options, int argc, char **argv, struct err *err)
{
	defaults(options);
	options->argv = argv;
	options->filter = calloc(1, FILTER_MAX_LENGTH + 2);
	if (!options->filter)
		return err_sys(err, errno, "memory for the filter");
	if (scan_flags(options, argc, argv, err) < 0)
		return -1;
	options->words = optind;
	if (options->action == ACTION_HELP || options->action == ACTION_VERSION)
		return 0; /* whatever else is wrong */
	if (refuse_late_flags(argv + optind, err) < 0 || ceilings_apply(options, err) < 0 || check(options, err) < 0)
		return -1;
	return options->filter_file ? read_filter_file(options, err) : join_words(options, argv + optind, err);
}

void options_free(struct options *options)
{
	free(options->filter);
	options->filter = NULL;
}

/* Append the flag as the help text has it: with its long name, unless it shares a line and its letter will do. */
static size_t help_flag(const struct flag *flag, bool shares, char *text, size_t size)
{
	const char *name = shares && flag->letter ? NULL : flag->name;
	char letter[] = {'-', (char)flag->letter, '\0'};

	return (size_t)snprintf(text, size, "%s%s%s%s%s%s", flag->letter ? letter : "",
				flag->letter && name ? ", " : "", name ? "--" : "", name ? name : "",
				flag->argument ? " " : "", flag->argument ? flag->argument : "");
}

static void help_flags(void)
{
	char left[80];
	size_t used = 0;

	for (size_t row = 0; row < FLAGS; row++) {
		const struct flag *flag = &flags[row];
		bool last = flag->help && *flag->help;

		if (flag->kind == KIND_REFUSED || !flag->help)
			continue;
		used += help_flag(flag, used || !last, left + used, sizeof(left) - used);
		if (last) {
			printf("  %-*s%s\n", HELP_COLUMN - 2, left, flag->help);
			used = 0;
		} else {
			used += (size_t)snprintf(left + used, sizeof(left) - used, ", ");
		}
	}
}

void options_help(void)
{
	printf("tarcap 'tcp port 443' > x.tar  # until Ctrl-C; then tarcap join x.tar > x.pcap\n"
	       "docker run --rm -i --log-driver none --network container:web tarcap > x.tar\n\n"
	       "usage: tarcap [OPTION]... [FILTER]      FILTER as in pcap-filter(7)\n"
	       "       tarcap COMMAND ...\n");
	usage_print();
	printf("\n");
	help_flags();
	printf("  %-*s%s\n", HELP_COLUMN - 2, "-n -p -U -l -K -Z USER", "accepted as in tcpdump; no effect");
	printf("Sizes take k M G, durations ms s m h d. Exit status: 0 captured and delivered,\n"
	       "1 failed, 2 wrong usage or filter, 3 the reader did not take everything,\n"
	       "4 the interface vanished, or the archive came back as packets. See tarcap(1).\n");
}
