#include "run/report.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "record/layers.h"
#include "request/number.h"
#include "run/say.h"
#include "system/audit.h"

#define LEFT_OUT_SHOWN 8 /* lines about interfaces that are not captured */

void report_asked(const struct options *options)
{
	char text[AUDIT_TEXT_SIZE];

	if (!options->quiet)
		say("asked for by %s", audit_text(getuid(), options->argv, text));
}

void report_sandbox(const struct sandbox *sandbox, const struct options *options)
{
	char text[SANDBOX_TEXT_SIZE];

	if (options->verbose)
		say("sandbox: %s", sandbox_text(sandbox, text));
}

static void warn_of_filter(const struct capture_set *captures, const struct options *options)
{
	const struct interface *user_filter = NULL, *headers = NULL;

	for (unsigned i = 0; i < captures->count; i++) {
		const struct interface *interface = &captures->list[i];

		if (interface->capture.user_filter)
			user_filter = interface;
		else if (interface->capture.headers && interface->capture.fd >= 0)
			headers = interface;
	}
	if (user_filter)
		say("the filter is too long for the kernel: every packet is copied, and filtered here");
	else if (headers && options->until_count)
		say("--headers: with --until every packet is copied whole, and cut here");
	else if (headers)
		say("--headers: the filter is too long for the kernel to cut, too: every packet it takes is copied, "
		    "and cut here");
}

/* What --first and the names of --until do not look into. */
static void warn_of_link_types(const struct capture_set *captures, const struct options *options)
{
	bool looks = options->first || event_names_used(options);

	for (unsigned i = 0; looks && i < captures->count; i++) {
		const struct capture *capture = &captures->list[i].capture;

		if (!layers_link(capture->link_type_number).known)
			say("%.60s: packets of link type %s are not looked into: %s", capture->interface,
			    capture->link_type ? capture->link_type : "unknown",
			    options->first ? "--first keeps them whole" : "no name of --until sees them");
	}
}

static void warn_of_activation(const struct capture_set *captures)
{
	for (unsigned i = 0; i < captures->count; i++) {
		const struct capture *capture = &captures->list[i].capture;

		if (capture->warning[0])
			say("%.60s: %s", capture->interface, capture->warning);
	}
}

static void warn_of_left_out(const struct capture_set *captures)
{
	for (unsigned i = 0; i < captures->left_out_count && i < LEFT_OUT_SHOWN; i++)
		say("%s: not captured: %s", captures->left_out[i].name, captures->left_out[i].why);
	if (captures->left_out_count > LEFT_OUT_SHOWN)
		say("%u more are not captured: see the manifest", captures->left_out_count - LEFT_OUT_SHOWN);
}

/* Said by -q as well: it may end the capture. */
static void warn_of_memory(const struct options *options)
{
	const struct confined *confined = &options->confined;
	char limit[NUMBER_TEXT_SIZE], left[NUMBER_TEXT_SIZE], pool[NUMBER_TEXT_SIZE], ring[NUMBER_TEXT_SIZE];

	number_format(NUMBER_SIZE, confined->limit, limit);
	number_format(NUMBER_SIZE, confined->left, left);
	number_format(NUMBER_SIZE, options->memory + options->compressor, pool);
	number_format(NUMBER_SIZE, options->buffer_kib * 1024, ring);
	if (confined->pool_above && options->record)
		say("the container's memory limit, %s, has no room for --record %s beside what else is used: this "
		    "capture may get killed%s",
		    limit, number_format(NUMBER_SIZE, options->record, left),
		    confined->ring_above ? "; its ring (-B/--buffer-size) is above the limit, too" : "");
	else if (confined->pool_above)
		say("the container's memory limit, %s, leaves %s to the pool (--memory), which may take %s%s%s%s: a "
		    "slow "
		    "reader may get this capture killed",
		    limit, left, pool, confined->ring_above ? "; its ring (-B/--buffer-size), " : "",
		    confined->ring_above ? ring : "", confined->ring_above ? ", is above the limit, too" : "");
	else if (confined->ring_above)
		say("-B/--buffer-size %s: more than the container's memory limit, %s, leaves; the kernel does not "
		    "count "
		    "the ring against it, but the node has to have it",
		    ring, limit);
}

void report_warnings(const struct capture_set *captures, const struct options *options)
{
	const char *excluded = capture_set_excluded(captures);
	uint64_t ring = capture_set_sum(captures).ring;
	char size[NUMBER_TEXT_SIZE];

	if (options->segment_grown && !options->quiet)
		say("-C/--segment-size: raised to %s, so that one packet of %" PRIu64 " bytes fits",
		    number_format(NUMBER_SIZE, options->segment_size, size), options->snaplen);
	warn_of_memory(options);
	warn_of_activation(captures);
	if (captures->list[0].capture.loopback && !options->interface_count && !options->read_file && !options->quiet)
		say("no interface but lo is up here: with docker, --network container:NAME says whose network it is");
	warn_of_filter(captures, options);
	warn_of_link_types(captures, options);
	warn_of_left_out(captures);
	if (excluded[0] && !options->quiet)
		say("leaving out what may carry the archive away: %s (--exclude-stream off keeps it)", excluded);
	if (ring && ring < captures->ring_asked)
		say("-B/--buffer-size: the kernel granted only %s of ring", number_format(NUMBER_SIZE, ring, size));
}

char *report_lowered(const struct options *options, char text[REPORT_LOWERED_SIZE])
{
	char limit[NUMBER_TEXT_SIZE];

	text[0] = '\0';
	if (options->lowered.memory)
		snprintf(text, REPORT_LOWERED_SIZE, " (TARCAP_MAX_MEMORY)");
	else if (options->confined.pool_above || options->confined.ring_above)
		snprintf(text, REPORT_LOWERED_SIZE, " (above what the container's limit, %s, leaves)",
			 number_format(NUMBER_SIZE, options->confined.limit, limit));
	else if (options->confined.lowered)
		snprintf(text, REPORT_LOWERED_SIZE, " (the container's limit, %s)",
			 number_format(NUMBER_SIZE, options->confined.limit, limit));
	return text;
}

static const char *ceiling(bool lowered, const char *text)
{
	return lowered ? text : "";
}

static void format_limits(const struct options *options, char *text, size_t size)
{
	char duration[NUMBER_TEXT_SIZE], bytes[NUMBER_TEXT_SIZE];
	bool both = options->duration && options->max_bytes;

	number_format(NUMBER_DURATION, options->duration, duration);
	number_format(NUMBER_SIZE, options->max_bytes, bytes);
	if (options->duration || options->max_bytes)
		snprintf(text, size, "ends after %s%s%s%s%s", options->duration ? duration : "",
			 ceiling(options->lowered.duration, " (TARCAP_MAX_DURATION)"), both ? " or " : "",
			 options->max_bytes ? bytes : "", ceiling(options->lowered.max_bytes, " (TARCAP_MAX_BYTES)"));
	else
		snprintf(text, size, "no time or byte limit");
}

/* How much of the text is used now. */
static size_t add_words(char *text, size_t size, size_t used, const char *format, ...)
{
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(text + used, size - used, format, args);
	va_end(args);
	return length < 0 || (size_t)length >= size - used ? size - 1 : used + (size_t)length;
}

/* "eth0 (10.0.0.7), link-type EN10MB (Ethernet)"; of several "3 interfaces: lo (EN10MB, 127.0.0.1), ...", as many as
 * fit. */
static void format_interfaces(const struct capture_set *captures, char *text, size_t size)
{
	const struct capture *first = &captures->list[0].capture;
	const char *addresses = captures->list[0].addresses;
	size_t used = 0;

	if (captures->count == 1) {
		used = add_words(text, size, 0, "%.60s%s%s%s, link-type ", first->interface, *addresses ? " (" : "",
				 addresses, *addresses ? ")" : "");
		if (first->link_type)
			add_words(text, size, used, "%s (%s)", first->link_type,
				  first->link_type_description ? first->link_type_description : "?");
		else
			add_words(text, size, used, "%u", first->link_type_number);
		return;
	}
	used = add_words(text, size, 0, "%u interfaces: ", captures->count);
	for (unsigned i = 0; i < captures->count; i++) {
		const struct capture *capture = &captures->list[i].capture;

		addresses =
			strcmp(captures->list[i].addresses, INTERFACES_NO_ADDRESS) ? captures->list[i].addresses : "";
		if (size - used < 120) {
			add_words(text, size, used, ", ...");
			break;
		}
		used = add_words(text, size, used, "%s%.20s (%.20s%s%.*s)", i ? ", " : "", capture->interface,
				 capture->link_type ? capture->link_type : "?", *addresses ? ", " : "",
				 (int)strcspn(addresses, ","), addresses);
	}
}

/* What user space takes: the pool, and what is beside it. */
static void format_memory(const struct options *options, const struct pool *pool, const struct context *context,
			  char *text, size_t size)
{
	char packets[NUMBER_TEXT_SIZE], compressor[NUMBER_TEXT_SIZE], kept[NUMBER_TEXT_SIZE];
	char record[NUMBER_TEXT_SIZE];
	char first[NUMBER_TEXT_SIZE];

	number_format(NUMBER_SIZE, pool_memory(pool), packets);
	number_format(NUMBER_SIZE, options->compressor, compressor);
	number_format(NUMBER_SIZE, CONTEXT_MEMORY, kept);
	number_format(NUMBER_SIZE, options->record, record);
	number_format(NUMBER_SIZE, options->first_table, first);
	snprintf(text, size, "%s%s%spool %s%s%s%s%s%s%s", options->record ? "record " : "",
		 options->record ? record : "", options->record ? ", " : "", packets,
		 options->compressor ? ", compressor " : "", options->compressor ? compressor : "",
		 options->first ? ", connections " : "", options->first ? first : "", context ? ", context " : "",
		 context ? kept : "");
}

/* "; encrypted to age1..."; or "". */
static void format_recipients(const struct recipients *recipients, char *text, size_t size)
{
	char words[RECIPIENTS_WORDS_SIZE];

	text[0] = '\0';
	if (recipients)
		snprintf(text, size, "; encrypted to %s", recipients_words(recipients, words));
}

void report_ready(const struct capture_set *captures, const struct options *options, const struct pool *pool,
		  const struct context *context)
{
	char limits[160], interfaces[500], ring[NUMBER_TEXT_SIZE], memory[5 * NUMBER_TEXT_SIZE + 80];
	char lowered[REPORT_LOWERED_SIZE], encrypted[RECIPIENTS_WORDS_SIZE + 20];
	const char *headers = options->headers ? ", headers only" : "";
	const struct capture *first = &captures->list[0].capture;
	struct capture_set_sum sum = capture_set_sum(captures);

	if (options->quiet)
		return;
	format_limits(options, limits, sizeof(limits));
	format_interfaces(captures, interfaces, sizeof(interfaces));
	number_format(NUMBER_SIZE, sum.ring, ring);
	format_memory(options, pool, context, memory, sizeof(memory));
	report_lowered(options, lowered);
	format_recipients(options->recipients, encrypted, sizeof(encrypted));
	if (first->fd < 0)
		say("reading from file %s, snapshot length %u%s; %s; %s%s%s", interfaces, first->snaplen, headers,
		    limits, memory, lowered, encrypted);
	else
		say("listening on %s, snapshot length %u bytes%s%s; %s; ring %s%s, %s%s%s", interfaces, first->snaplen,
		    ceiling(options->lowered.snaplen, " (TARCAP_MAX_SNAPLEN)"), headers, limits,
		    sum.ring_unknown ? "at most " : "", ring, memory, lowered, encrypted);
}

void report_without_stdin(const struct options *options, uint64_t limit)
{
	static const char front[] = "stdin is closed: going on without it";
	char text[NUMBER_TEXT_SIZE];

	if (options->quiet)
		return;
	number_format(NUMBER_DURATION, limit, text);
	if (options->read_file)
		say("%s, to the end of the file", front);
	else if (limit)
		say("%s; ends after %s%s", front, text,
		    options->duration_chosen ? " (--duration)" : " (--duration sets another time)");
	else
		say("%s; no time limit: a signal ends it, or another limit", front);
}

void report_event(const struct capture_event *event, const struct options *options, bool ends)
{
	char time[CLOCK_TEXT_SIZE], after[NUMBER_TEXT_SIZE], end[NUMBER_TEXT_SIZE + 24] = "";

	if (options->quiet)
		return;
	number_format(NUMBER_DURATION, options->after, after);
	if (ends && options->after)
		snprintf(end, sizeof(end), "; ends %s %s", options->read_file ? "after" : "in", after);
	else if (ends)
		snprintf(end, sizeof(end), "; ends now");
	say("event: %.100s%s%.60s, at %s%s", event->what, event->series ? " on " : "",
	    event->series ? event->series->interface : "", clock_rfc3339(event->time, time), end);
}

void report_progress(uint64_t elapsed, uint64_t packets, uint64_t bytes, uint64_t dropped, uint64_t waiting)
{
	char files[64] = "";

	if (waiting)
		snprintf(files, sizeof(files), ", %" PRIu64 " file%s waiting for the reader", waiting,
			 number_plural(waiting));
	say("%" PRIu64 " s: %" PRIu64 " packet%s, %" PRIu64 " bytes captured, %" PRIu64 " packets dropped by kernel%s",
	    elapsed / CLOCK_SECOND, packets, number_plural(packets), bytes, dropped, files);
}

void report_held(uint64_t elapsed, const struct recorder_held *held, uint64_t dropped)
{
	char bytes[NUMBER_TEXT_SIZE];

	number_format(NUMBER_SIZE, held->bytes, bytes);
	say("%" PRIu64 " s: holds %" PRIu64 " s, %" PRIu64 " packet%s in %s, %" PRIu64 " packets dropped by kernel",
	    elapsed / CLOCK_SECOND, (held->to - held->from) / CLOCK_SECOND, held->packets, number_plural(held->packets),
	    bytes, dropped);
}

void report_window(const struct manifest_window *window, const struct options *options)
{
	uint64_t time = window->to - window->from;
	char texts[2][CLOCK_TEXT_SIZE];

	if (options->quiet)
		return;
	if (window->any)
		say_bare("window: %" PRIu64 ".%03" PRIu64 " s, from %s to %s", time / CLOCK_SECOND,
			 time % CLOCK_SECOND / 1000000, clock_rfc3339(window->from, texts[0]),
			 clock_rfc3339(window->to, texts[1]));
	else
		say_bare("window: no packet");
}

bool report_has_reader(void)
{
	struct stat status;

	return fstat(STDERR_FILENO, &status) == 0 && (S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode));
}

static void say_count(uint64_t packets, const char *what)
{
	say_bare("%" PRIu64 " packet%s %s", packets, number_plural(packets), what);
}

/* Of several, those that lost some. */
static void account_for_each(const struct capture_set *captures)
{
	for (unsigned i = 0; captures->count > 1 && i < captures->count; i++) {
		const struct interface *interface = &captures->list[i];

		if (interface->account.dropped)
			say_bare("%" PRIu64 " of these on %s", interface->account.dropped,
				 interface->capture.interface);
	}
}

/* Why there is nothing, as far as the interfaces' own counters tell. Without a filter packets could have come later. */
static void explain_nothing(const struct capture_set *captures, const struct options *options, const struct idle *idle)
{
	const struct capture *first = &captures->list[0].capture;
	const char *name = captures->count > 1 || first->any ? "the interfaces" : first->interface;
	bool filtered = options->filter[strspn(options->filter, " \t\n")] || options->direction != DIRECTION_BOTH ||
			first->excluded[0];
	uint64_t passed;

	if (!idle_passed(idle, &passed))
		return;
	if (passed == 0)
		say("%s: idle: no packet passed", name);
	else if (filtered)
		say("%s: %" PRIu64 " packet%s passed, and none matched the filter%s%.200s", name, passed,
		    number_plural(passed), options->filter[0] ? " " : "", options->filter);
}

void report_account(const struct capture_set *captures, const struct options *options, const struct idle *idle)
{
	struct account account = capture_set_account(captures);

	if (!options->quiet && !account.written && !account.received)
		explain_nothing(captures, options, idle);
	if (!options->quiet && options->until_count && !captures->event.count)
		say("no event came");
	if (!options->quiet) {
		say_count(account.written, "captured");
		say_count(account.received, "received by filter");
	}
	if (!options->quiet || account.dropped)
		say_count(account.dropped, "dropped by kernel");
	account_for_each(captures);
	if (account.dropped_reader_slow)
		say_bare("%" PRIu64 " of these while the reader took too little", account.dropped_reader_slow);
	if (options->record && !options->quiet)
		say_count(account.overwritten.packets, "overwritten: the oldest, to keep what is newer");
	if (account.dropped_at_stop)
		say_count(account.dropped_at_stop, "dropped at stop: the reader did not take them in time");
	if (account.dropped_output_failed)
		say_count(account.dropped_output_failed, "dropped: the output failed");
	if (captures->left_out_at_least || captures->left_out_count > LEFT_OUT_SHOWN)
		say_bare("%s%u interfaces not captured: see the manifest",
			 captures->left_out_at_least ? "at least " : "", captures->left_out_count);
	if (account.cut.packets && !options->quiet)
		say_bare("%" PRIu64 " packet%s cut by --first, by %" PRIu64 " bytes", account.cut.packets,
			 number_plural(account.cut.packets), account.cut.bytes);
	if (captures->event.count > 1 && !options->quiet)
		say_bare("%" PRIu64 " events", captures->event.count);
	if (account.after_limit && !options->quiet)
		say_count(account.after_limit, "came after the limit");
}

void report_encrypted(struct manifest_totals totals, const struct options *options)
{
	char words[RECIPIENTS_WORDS_SIZE];

	if (!options->quiet)
		say("the archive's manifest, which only the key opens, says: %" PRIu64 " packet%s in %" PRIu64
		    " file%s, %" PRIu64 " bytes; encrypted to %s",
		    totals.packets, number_plural(totals.packets), totals.files, number_plural(totals.files),
		    totals.bytes, recipients_words(options->recipients, words));
}
