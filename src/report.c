#include "report.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "audit.h"
#include "clock.h"
#include "number.h"
#include "say.h"

void report_asked(const struct options *options)
{
	char text[AUDIT_TEXT_SIZE];

	if (!options->quiet)
		say("asked for by %s", audit_text((int)getuid(), options->argv, text));
}

void report_sandbox(const struct sandbox *sandbox, const struct options *options)
{
	char text[SANDBOX_TEXT_SIZE];

	if (options->verbose)
		say("sandbox: %s", sandbox_text(sandbox, text));
}

void report_warnings(const struct capture *capture, const struct options *options)
{
	char size[NUMBER_TEXT_SIZE];

	if (options->segment_grown && !options->quiet)
		say("-C/--segment-size: raised to %s, so that one packet of %" PRIu64 " bytes fits",
		    number_format(NUMBER_SIZE, options->segment_size, size), options->snaplen);
	if (capture->user_filter)
		say("the filter is too long for the kernel: every packet is copied, and filtered here");
	else if (capture->headers && capture->fd >= 0)
		say("--headers: the filter is too long for the kernel to cut, too: every packet it takes is copied, "
		    "and cut here");
	if (capture->excluded[0] && !options->quiet)
		say("leaving out what may carry the archive away: %s (--exclude-stream off keeps it)",
		    capture->excluded);
	if (capture->ring && capture->ring < options->buffer_kib * 1024)
		say("-B/--buffer-size: the kernel granted only %s of ring",
		    number_format(NUMBER_SIZE, capture->ring, size));
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

static void format_link(const struct capture *capture, char *text, size_t size)
{
	const char *description = capture->link_type_description;

	if (capture->link_type)
		snprintf(text, size, "%s (%s)", capture->link_type, description ? description : "?");
	else
		snprintf(text, size, "%d", capture->link_type_number);
}

/* What user space takes: the pool, and what compresses beside it. */
static void format_memory(const struct options *options, const struct pool *pool, char *text, size_t size)
{
	char packets[NUMBER_TEXT_SIZE], compressor[NUMBER_TEXT_SIZE];

	number_format(NUMBER_SIZE, pool->count * pool->segment_size, packets);
	number_format(NUMBER_SIZE, options->compressor, compressor);
	snprintf(text, size, "pool %s%s%s", packets, options->compressor ? ", compressor " : "",
		 options->compressor ? compressor : "");
}

void report_ready(const struct capture *capture, const struct options *options, const struct pool *pool)
{
	char limits[160], link[160], ring[NUMBER_TEXT_SIZE], memory[2 * NUMBER_TEXT_SIZE + 32];
	const char *lowered = ceiling(options->lowered.memory, " (TARCAP_MAX_MEMORY)");
	const char *headers = options->headers ? ", headers only" : "";

	if (options->quiet)
		return;
	format_limits(options, limits, sizeof(limits));
	format_link(capture, link, sizeof(link));
	number_format(NUMBER_SIZE, capture->ring, ring);
	format_memory(options, pool, memory, sizeof(memory));
	if (capture->fd < 0)
		say("reading from file %s, link-type %s, snapshot length %u%s; %s; %s%s", capture->interface, link,
		    capture->snaplen, headers, limits, memory, lowered);
	else
		say("listening on %s, link-type %s, snapshot length %u bytes%s%s; %s; ring %s, %s%s",
		    capture->interface, link, capture->snaplen,
		    ceiling(options->lowered.snaplen, " (TARCAP_MAX_SNAPLEN)"), headers, limits, ring, memory, lowered);
}

void report_progress(uint64_t elapsed, uint64_t packets, uint64_t bytes, uint64_t dropped)
{
	say("%" PRIu64 " s: %" PRIu64 " packets, %" PRIu64 " bytes captured, %" PRIu64 " packets dropped by kernel",
	    elapsed / CLOCK_SECOND, packets, bytes, dropped);
}

static void count(uint64_t packets, const char *what)
{
	say_bare("%" PRIu64 " packet%s %s", packets, packets == 1 ? "" : "s", what);
}

void report_account(const struct account *account, const struct options *options)
{
	if (!options->quiet) {
		count(account->written, "captured");
		count(account->received, "received by filter");
	}
	if (!options->quiet || account->dropped)
		count(account->dropped, "dropped by kernel");
	if (account->dropped_reader_slow)
		say_bare("%" PRIu64 " of these while the reader took too little", account->dropped_reader_slow);
	if (account->dropped_at_stop)
		count(account->dropped_at_stop, "dropped at stop: the reader did not take them in time");
	if (account->dropped_output_failed)
		count(account->dropped_output_failed, "dropped: the output failed");
	if (account->after_limit && !options->quiet)
		count(account->after_limit, "came after the limit");
}
