#include "read/recorder_text.h"
#include "request/number.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* "2026-11-22 12:20:17.642499" of RFC 3339. */
static const char *short_time(const char *time, char text[CLOCK_TEXT_SIZE])
{
	snprintf(text, CLOCK_TEXT_SIZE, "%.26s", time);
	if (strlen(text) > 10)
		text[10] = ' ';
	return text;
}

/* Behind what is in text; what does not fit is cut. */
__attribute__((format(printf, 2, 3))) static void append(char text[RECORDER_TEXT_SIZE], const char *format, ...)
{
	size_t used = strlen(text);
	va_list args;

	va_start(args, format);
	vsnprintf(text + used, RECORDER_TEXT_SIZE - used, format, args);
	va_end(args);
}

const char *recorder_text_window(const struct recorder_told *told, char text[RECORDER_TEXT_SIZE])
{
	const struct overwritten *overwritten = &told->account.overwritten;
	char from[CLOCK_TEXT_SIZE], to[CLOCK_TEXT_SIZE];

	if (!told->window_told)
		return NULL;
	text[0] = '\0';
	if (told->from[0])
		append(text, "%s to %s UTC", short_time(told->from, from), short_time(told->to, to));
	else
		append(text, "no packets");
	if (overwritten->files)
		append(text, "; %" PRIu64 " packet%s before it %s overwritten (%" PRIu64 " file%s)",
		       overwritten->packets, number_plural(overwritten->packets),
		       overwritten->packets == 1 ? "was" : "were", overwritten->files,
		       number_plural(overwritten->files));
	else
		append(text, "; nothing was overwritten");
	if (told->account.not_yet_stored)
		append(text, "; %" PRIu64 " packet%s not stored yet", told->account.not_yet_stored,
		       told->account.not_yet_stored == 1 ? " was" : "s were");
	return text;
}

const char *recorder_text_event(const struct recorder_told *told, char text[RECORDER_TEXT_SIZE])
{
	char time[CLOCK_TEXT_SIZE];

	if (!told->event_told)
		return NULL;
	text[0] = '\0';
	if (!told->what[0]) {
		append(text, "none came");
		return text;
	}
	append(text, "%s at %s UTC", told->what, short_time(told->time, time));
	if (told->interface[0])
		append(text, " on %s", told->interface);
	if (told->member[0])
		append(text, ": packet %" PRIu64 " of %s", told->packet, told->member);
	else if (told->interface[0])
		append(text, ": its packet is not in the archive");
	if (told->joined_packet)
		append(text, ", packet %" PRIu64 " of join's output", told->joined_packet);
	if (told->events > 1)
		append(text, "; %" PRIu64 " more came after it", told->events - 1);
	return text;
}

const char *recorder_text_cut(const struct recorder_told *told, char text[RECORDER_TEXT_SIZE])
{
	const struct cut_by_first *cut = &told->account.cut;

	if (!told->account.cut_told)
		return NULL;
	text[0] = '\0';
	append(text, "--first cut %" PRIu64 " packet%s, by %" PRIu64 " byte%s in all", cut->packets,
	       number_plural(cut->packets), cut->bytes, number_plural(cut->bytes));
	return text;
}
