#include "run/progress.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "request/number.h"

#define INTERVAL (CLOCK_SECOND / 2)
#define NUMBER_SIZE 24

void progress_init(struct progress *progress, uint64_t now)
{
	*progress = (struct progress){.due = now, .shown_at = now};
}

/* "0:07", "12:34", "1:02:03" */
static char *format_time(uint64_t nanoseconds, char text[NUMBER_SIZE])
{
	uint64_t seconds = nanoseconds / CLOCK_SECOND;

	if (seconds < 3600)
		snprintf(text, NUMBER_SIZE, "%" PRIu64 ":%02" PRIu64, seconds / 60, seconds % 60);
	else
		snprintf(text, NUMBER_SIZE, "%" PRIu64 ":%02" PRIu64 ":%02" PRIu64, seconds / 3600, seconds / 60 % 60,
			 seconds % 60);
	return text;
}

/* Three digits or four, as there is no room for more: "999", "1.2k", "34M" by powers of unit. */
static char *format_short(uint64_t value, uint64_t unit, char text[NUMBER_SIZE])
{
	static const char units[] = "kMGTPE";
	uint64_t factor = unit;
	size_t i = 0;

	if (value < unit) {
		snprintf(text, NUMBER_SIZE, "%" PRIu64, value);
		return text;
	}
	while (value / factor >= unit && i + 2 < sizeof(units)) {
		factor *= unit;
		i++;
	}
	if (value / factor < 10)
		snprintf(text, NUMBER_SIZE, "%" PRIu64 ".%" PRIu64 "%c", value / factor, value % factor / (factor / 10),
			 units[i]);
	else
		snprintf(text, NUMBER_SIZE, "%" PRIu64 "%c", value / factor, units[i]);
	return text;
}

struct line {
	char *text;
	size_t used, columns;
	bool full;
};

/* One more part, if it fits; once one did not, none does. */
static void __attribute__((format(printf, 2, 3))) add(struct line *line, const char *format, ...)
{
	char part[64];
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(part, sizeof(part), format, args);
	va_end(args);
	line->full |= length < 0 || line->used + (size_t)length > line->columns;
	if (line->full)
		return;
	memcpy(line->text + line->used, part, (size_t)length + 1);
	line->used += (size_t)length;
}

static void add_held(struct line *line, const struct progress_numbers *numbers)
{
	char time[NUMBER_SIZE], bytes[NUMBER_SIZE];

	add(line, ", holds %s: %" PRIu64 " packet%s, %s", format_time(numbers->held_time, time), numbers->held_packets,
	    number_plural(numbers->held_packets), format_short(numbers->held_bytes, 1024, bytes));
}

/* Packets a second since the line was last shown. */
static uint64_t rate(struct progress *progress, uint64_t packets, uint64_t now)
{
	uint64_t time = (now - progress->shown_at) / 1000000;
	uint64_t rate = time > 0 ? (packets - progress->shown_packets) * 1000 / time : 0;

	progress->shown_at = now;
	progress->shown_packets = packets;
	return rate;
}

const char *progress_text(struct progress *progress, const struct progress_numbers *numbers, uint64_t now,
			  unsigned columns)
{
	struct line line = {.text = progress->text,
			    .columns = columns < PROGRESS_TEXT_SIZE ? columns : PROGRESS_TEXT_SIZE - 1};
	char elapsed[NUMBER_SIZE], limit[NUMBER_SIZE], number[NUMBER_SIZE];

	progress->due = now + INTERVAL;
	progress->text[0] = '\0';
	add(&line, "%s", format_time(numbers->elapsed, elapsed));
	if (numbers->limit)
		add(&line, " of %s", format_time(numbers->limit, limit));
	if (numbers->holds)
		add_held(&line, numbers);
	add(&line, ", %" PRIu64 " packet%s", numbers->packets, number_plural(numbers->packets));
	if (numbers->lost)
		add(&line, ", %" PRIu64 " lost", numbers->lost);
	add(&line, ", %s/s", format_short(rate(progress, numbers->packets, now), 1000, number));
	if (!numbers->holds)
		add(&line, ", %s out", format_short(numbers->sent, 1024, number));
	if (numbers->waiting)
		add(&line, ", %" PRIu64 " file%s waiting", numbers->waiting, number_plural(numbers->waiting));
	if (!numbers->lost)
		add(&line, ", none lost");
	return progress->text;
}
