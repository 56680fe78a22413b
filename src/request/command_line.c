#include "request/command_line.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/sizes.h"
#include "request/advice.h"
#include "request/ceilings.h"
#include "request/conflicts.h"
#include "request/filter_text.h"
#include "request/flags.h"
#include "request/plan.h"
#include "request/usage.h"

#define DAYS(n) (UINT64_C(n) * 86400 * CLOCK_SECOND)
#define HELP_COLUMN 33 /* where its texts begin */

#define AT(member) offsetof(struct options, member)

static int take_name(void *into, const char *flag, const char *argument, struct err *err)
{
	struct options *options = into;

	return options_set_name(options->name, flag, argument, err);
}

static int take_until(void *into, const char *flag, const char *argument, struct err *err)
{
	(void)flag;
	return event_names_add(into, argument, err);
}

static int take_recipient(void *into, const char *flag, const char *argument, struct err *err)
{
	struct options *options = into;

	(void)flag;
	return recipients_add(&options->recipients, argument, err);
}

/* -dd is another form than -d. */
static int take_dump(void *into, const char *flag, const char *argument, struct err *err)
{
	struct options *options = into;

	(void)flag, (void)argument, (void)err;
	options->action = ACTION_DUMP_FILTER;
	options->dump_level++;
	return 0;
}

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
static const struct flag capture_flags[] = {
	{'i', "interface", FLAG_LIST, "NAME", AT(interfaces), .count = AT(interface_count), .most = INTERFACES_MAX,
	 .help = "NAME, all or any (default: first up, not lo)"},
	{'s', "snapshot-length", FLAG_NUMBER, "N", AT(snaplen), {NUMBER_COUNT, 1, SNAPLEN_MAX, 1},
	 .help = "keep N bytes of each packet (default 262144)"},
	{0, "headers", FLAG_SET, NULL, AT(headers), .help = FLAG_WITH_NEXT},
	{0, "first", FLAG_NUMBER, "N", AT(first), {NUMBER_SIZE, 1, GIB, 0},
	 .help = "headers; N bytes of each connection, then so"},
	{0, "format", FLAG_CHOICE, "pcap|pcapng", AT(format), .choices = format_choices,
	 .help = "the files' format (default pcap; pcapng: ns)"},
	{'Q', "direction", FLAG_CHOICE, "in|out|inout", AT(direction), .choices = direction_choices,
	 .help = "only packets that came in, or went out"},
	{0, "promiscuous", FLAG_SET, NULL, AT(promiscuous), .help = FLAG_WITH_NEXT},
	{'y', "linktype", FLAG_TEXT, "NAME", AT(link_type),
	 .help = "promiscuous mode; this link type (see -L)"},
	{'F', NULL, FLAG_TEXT, "FILE", AT(filter_file), .help = FLAG_WITH_NEXT},
	{'r', NULL, FLAG_TEXT, "FILE", AT(read_file),
	 .help = "read the filter; read packets (-: stdin)"},

	{'c', NULL, FLAG_NUMBER, "N", AT(count), {NUMBER_COUNT, 1, UINT64_MAX / 2, 1}, .help = FLAG_WITH_NEXT},
	{'W', NULL, FLAG_NUMBER, "N", AT(segments), {NUMBER_COUNT, 1, UINT32_MAX, 0},
	 .help = "stop after N packets; after N files"},
	{0, "duration", FLAG_NUMBER, "D", AT(duration), {NUMBER_DURATION, CLOCK_SECOND / 1000, DAYS(366), 1},
	 .help = "stop after D (default 5m; 0: no limit)"},
	{0, "max-bytes", FLAG_NUMBER, "N", AT(max_bytes), {NUMBER_SIZE, 1, UINT64_MAX / 2, 1},
	 .help = "stop after N bytes (default 1G; 0: no limit)"},
	{0, "until", FLAG_CALL, "EVENT", .take = take_until, .help = FLAG_WITH_NEXT},
	{0, "after", FLAG_NUMBER, "D", AT(after), {NUMBER_DURATION, CLOCK_SECOND / 1000, DAYS(366), 1},
	 .help = "stop D (10s) after an event; help lists them"},

	{0, "record", FLAG_NUMBER, "SIZE", AT(record), {NUMBER_SIZE, PLAN_RECORD_MIN, PLAN_CEILING_MAX, 0}, .help = FLAG_WITH_NEXT},
	{0, "keep", FLAG_NUMBER, "D", AT(keep), {NUMBER_DURATION, CLOCK_SECOND, DAYS(366), 0},
	 .help = "keep the newest in memory until the end; for D"},

	{'w', NULL, FLAG_TEXT, "FILE", AT(write_file),
	 .help = "write the tar to FILE (default -: stdout)"},
	{0, "raw", FLAG_SET, NULL, AT(raw),
	 .help = "no tar: one pcap file, for | wireshark -k -i -"},
	{0, "to", FLAG_CALL, "RECIPIENT", .take = take_recipient,
	 .help = "encrypt to it: age1..., or a file of them"},
	{0, "compress", FLAG_CHOICE, "none|zstd", AT(compression), .choices = compress_choices,
	 .help = "compress each file; Wireshark opens it"},
	{0, "time-stamp-precision", FLAG_CHOICE, "micro|nano", AT(precision), .choices = precision_choices},
	{0, "micro", FLAG_CHOSEN, NULL, AT(precision), .chosen = PRECISION_MICRO, .help = FLAG_WITH_NEXT},
	{0, "nano", FLAG_CHOSEN, NULL, AT(precision), .chosen = PRECISION_NANO,
	 .help = "precision of times (default micro)"},
	{'C', "segment-size", FLAG_NUMBER, "N", AT(segment_size), {NUMBER_MILLIONS, 1, PLAN_SEGMENT_MAX, 0},
	 .help = "cut a file before it exceeds N (default 512k)"},
	{'G', "segment-time", FLAG_NUMBER, "D", AT(segment_time), {NUMBER_DURATION, CLOCK_SECOND / 10, DAYS(7), 0},
	 .help = "cut a file every D (default 1s, rising to 10s)"},
	{0, "name", FLAG_CALL, "NAME", .take = take_name, .help = FLAG_WITH_NEXT},
	{0, "reason", FLAG_TEXT, "TEXT", AT(reason),
	 .help = "the archive's directory; why, for the record"},
	{0, "no-context", FLAG_SET, NULL, AT(no_context),
	 .help = "leave out the network's state (context/)"},

	{'B', "buffer-size", FLAG_NUMBER, "KIB", AT(buffer_kib), {NUMBER_KIBIBYTES, PLAN_RING_MIN / KIB, PLAN_RING_MAX / KIB, 0},
	 .help = "the kernel's ring, in KiB (default 32768)"},
	{0, "memory", FLAG_NUMBER, "N", AT(memory), {NUMBER_SIZE, PLAN_POOL_MIN, PLAN_POOL_MAX, 0},
	 .help = "memory for files to be sent (default 16M)"},
	{0, "exclude-stream", FLAG_CHOICE, "auto|on|off", AT(exclude_stream), .choices = exclude_choices,
	 .help = "leave out what carries the archive away"},
	{0, "wait-reader", FLAG_SET, NULL, AT(wait_reader),
	 .help = "send nothing until a byte on stdin (attach)"},
	{0, "stdin", FLAG_CHOICE, "auto|ignore", AT(stdin_mode), .choices = stdin_choices,
	 .help = "auto: end when a piped stdin closes (default)"},
	{0, "stall", FLAG_NUMBER, "D", AT(stall), {NUMBER_DURATION, CLOCK_SECOND / 1000, DAYS(366), 1},
	 .help = "give up on a stuck reader (default 60s)"},

	{'q', "quiet", FLAG_COUNTER, NULL, AT(quiet), .help = FLAG_WITH_NEXT},
	{'v', "verbose", FLAG_COUNTER, NULL, AT(verbose),
	 .help = "errors only; more detail, progress in a file"},
	{'D', "list-interfaces", FLAG_CHOSEN, NULL, AT(action), .chosen = ACTION_LIST_INTERFACES, .help = FLAG_WITH_NEXT},
	{'L', "list-data-link-types", FLAG_CHOSEN, NULL, AT(action), .chosen = ACTION_LIST_LINK_TYPES,
	 .help = "list the interfaces; list link types for -y"},
	{'d', NULL, FLAG_CALL, .take = take_dump, .help = FLAG_WITH_NEXT},
	{'O', "no-optimize", FLAG_SET, NULL, AT(no_optimize),
	 .help = "print the compiled filter; do not optimize it"},
	{'h', "help", FLAG_CHOSEN, NULL, AT(action), .chosen = ACTION_HELP, .help = FLAG_WITH_NEXT},
	{0, "version", FLAG_CHOSEN, NULL, AT(action), .chosen = ACTION_VERSION,
	 .help = "show this; the version and the libraries"},

	{'p', "no-promiscuous-mode", FLAG_NOTHING},
	{'n', NULL, FLAG_NOTHING},
	{'U', "packet-buffered", FLAG_NOTHING},
	{'l', NULL, FLAG_NOTHING},
	{'K', "dont-verify-checksums", FLAG_NOTHING},
	{'Z', "relinquish-privileges", FLAG_NOTHING, "USER"},
	{0, "immediate-mode", FLAG_NOTHING},
	{0, "passphrase", FLAG_REFUSED,
	 .help = "everybody who sees the process would see it: make a key with 'age-keygen -o key.txt' and take --to age1..."},
	{'z', NULL, FLAG_REFUSED, "COMMAND", .help = "tarcap runs no commands: pipe its output instead"},
	{'A', NULL, FLAG_REFUSED, .help = printing},
	{'x', NULL, FLAG_REFUSED, .help = printing},
	{'X', NULL, FLAG_REFUSED, .help = printing},
	{'e', NULL, FLAG_REFUSED, .help = printing},
	{'t', NULL, FLAG_REFUSED, .help = printing},
	{'S', NULL, FLAG_REFUSED, .help = printing},
};
/* clang-format on */

static const struct flag_table capture_table = {FLAG_ROWS(capture_flags), .words_last = true, .column = HELP_COLUMN};

static void defaults(struct options *options)
{
	*options = (struct options){
		.duration = OPTIONS_NOT_GIVEN,
		.max_bytes = OPTIONS_NOT_GIVEN,
		.snaplen = OPTIONS_NOT_GIVEN,
		.buffer_kib = OPTIONS_NOT_GIVEN,
		.memory = OPTIONS_NOT_GIVEN,
		.compression = OPTIONS_NOT_GIVEN,
		.after = OPTIONS_NOT_GIVEN,
		.stall = 60 * CLOCK_SECOND,
		.precision = PRECISION_NOT_GIVEN,
	};
	options_default_name(options->name);
}

/* Behind the filter's first word getopt looks for no flags: whoever typed one there did not mean it as filter. */
static int refuse_late_flags(char *const *words, struct err *err)
{
	char before[120] = "", advice[ADVICE_SIZE];
	const struct flag *flag = NULL;
	const char *value = "";
	size_t used = 0;

	for (; *words && !(flag = flags_find(&capture_table, *words)); words++) {
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

/* A recorder's defaults are others: nothing waits for its files, and larger ones get smaller. */
static void settle_record(struct options *options)
{
	uint64_t most = options->keep / PLAN_KEEP_SEGMENTS;

	if (options->compression == OPTIONS_NOT_GIVEN)
		options->compression = options->record ? COMPRESSION_ZSTD : COMPRESSION_NONE;
	if (!options->record)
		return;
	if (!options->segment_time)
		options->segment_time = PLAN_RECORD_SEGMENT_TIME;
	if (most && options->segment_time > most)
		options->segment_time = most;
}

/* What follows from all of it together. */
static int derive(struct options *options, struct err *err)
{
	if (options->write_file && strcmp(options->write_file, "-") == 0)
		options->write_file = NULL;
	if (recipients_from_environment(&options->recipients, err) < 0 || conflicts_check(options, err) < 0 ||
	    event_names_check(options, err) < 0)
		return -1;
	if (options->precision == PRECISION_NOT_GIVEN)
		options->precision = options->format == FORMAT_PCAPNG ? PRECISION_NANO : PRECISION_MICRO;
	return plan_segments(options, err);
}

int command_line_parse(struct options *options, int argc, char **argv, struct err *err)
{
	int words;

	defaults(options);
	options->argv = argv;
	options->filter = calloc(1, FILTER_MAX_LENGTH + 2);
	if (!options->filter)
		return err_sys(err, errno, "memory for the filter");
	words = flags_parse(&capture_table, argc, argv, options, err);
	if (words < 0)
		return -1;
	options->words = words;
	if (options_only_print(options))
		return 0; /* whatever else is wrong */
	settle_record(options);
	if (refuse_late_flags(argv + words, err) < 0 || ceilings_apply(options, err) < 0 || derive(options, err) < 0)
		return -1;
	return options->filter_file ? filter_text_from_file(options->filter_file, options->filter, err)
				    : filter_text_from_words(argv + words, options->filter, err);
}

void command_line_help(void)
{
	printf("tarcap 'tcp port 443' > x.tar  # until Ctrl-C; then tarcap join x.tar > x.pcap\n"
	       "docker run --rm -i --log-driver none --network container:web tarcap > x.tar\n\n"
	       "usage: tarcap [OPTION]... [FILTER]      FILTER as in pcap-filter(7)\n"
	       "       tarcap COMMAND ...\n");
	usage_print();
	printf("\n");
	flags_help(&capture_table);
	printf("  %-*s%s\n", HELP_COLUMN - 2, "-n -p -U -l -K -Z USER", "accepted as in tcpdump; no effect");
	printf("Sizes take k M G, durations ms s m h d. Exit status: 0 captured and delivered,\n"
	       "1 failed, 2 wrong usage or filter, 3 the reader did not take everything,\n"
	       "4 the interface vanished, or the archive came back as packets. See tarcap(1).\n");
}
