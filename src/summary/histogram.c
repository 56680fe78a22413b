#include "summary/histogram.h"

#include <stdbool.h>
#include <string.h>

#include "base/clock.h"

#define HOUR UINT64_C(3600)
#define DAY (24 * HOUR)

/* Each is a multiple of the one before. The last reaches over all times that a packet can have. */
static const uint64_t widths[] = {1, 10, 60, 600, HOUR, 6 * HOUR, DAY, 10 * DAY, 100 * DAY, 1000 * DAY};

/* What people divide time by, seconds. */
static const uint64_t round_widths[] = {1,   2,	  5,	10,   15,   20,	  30,	 60,	120,   300,
					600, 900, 1200, 1800, 3600, 7200, 10800, 21600, 43200, DAY};

static struct histogram_bucket *slot(struct histogram *histogram, uint64_t bucket)
{
	return &histogram->slots[bucket % HISTOGRAM_BUCKETS];
}

static uint64_t next_width(uint64_t width)
{
	size_t i = 0;

	while (widths[i] <= width)
		i++;
	return widths[i];
}

static void coarsen(struct histogram *histogram)
{
	static struct histogram wider;
	uint64_t factor = next_width(histogram->width) / histogram->width;

	memset(&wider, 0, sizeof(wider));
	wider.width = histogram->width * factor;
	wider.low = histogram->low / factor;
	wider.high = histogram->high / factor;
	for (uint64_t bucket = histogram->low; bucket <= histogram->high; bucket++) {
		const struct histogram_bucket *from = slot(histogram, bucket);
		struct histogram_bucket *to = slot(&wider, bucket / factor);

		to->packets += from->packets;
		to->bytes += from->bytes;
	}
	*histogram = wider;
}

/* Make it reach over the time as well. */
static uint64_t reach(struct histogram *histogram, uint64_t seconds)
{
	for (;;) {
		uint64_t bucket = seconds / histogram->width;
		uint64_t low = bucket < histogram->low ? bucket : histogram->low;
		uint64_t high = bucket > histogram->high ? bucket : histogram->high;

		if (high - low < HISTOGRAM_BUCKETS) {
			histogram->low = low;
			histogram->high = high;
			return bucket;
		}
		coarsen(histogram);
	}
}

void histogram_add(struct histogram *histogram, uint64_t time, uint64_t bytes)
{
	uint64_t seconds = time / CLOCK_SECOND;
	struct histogram_bucket *to;

	if (histogram->width == 0) {
		histogram->width = widths[0];
		histogram->low = histogram->high = seconds;
	}
	to = slot(histogram, reach(histogram, seconds));
	to->packets++;
	to->bytes += bytes;
}

static size_t rows_of(const struct histogram *histogram, uint64_t factor)
{
	return (size_t)(histogram->high / factor - histogram->low / factor + 1);
}

struct histogram_view histogram_view(const struct histogram *histogram, size_t max)
{
	uint64_t factor = 0;

	if (histogram->width == 0)
		return (struct histogram_view){0};
	for (size_t i = 0; i < sizeof(round_widths) / sizeof(round_widths[0]); i++) {
		factor = round_widths[i] / histogram->width;
		if (factor && round_widths[i] % histogram->width == 0 && rows_of(histogram, factor) <= max)
			break;
		factor = 0;
	}
	for (uint64_t more = 1; factor == 0; more++)
		factor = rows_of(histogram, more) <= max && more * histogram->width > DAY ? more : 0;
	return (struct histogram_view){histogram->low / factor * factor * histogram->width, factor * histogram->width,
				       rows_of(histogram, factor)};
}

struct histogram_bucket histogram_row(const struct histogram *histogram, const struct histogram_view *view, size_t i)
{
	uint64_t factor = view->width / histogram->width;
	uint64_t from = view->start / histogram->width + i * factor, to = from + factor;
	struct histogram_bucket row = {0};

	for (uint64_t bucket = from; bucket < to; bucket++) {
		const struct histogram_bucket *in = &histogram->slots[bucket % HISTOGRAM_BUCKETS];
		bool within = bucket >= histogram->low && bucket <= histogram->high;

		row.packets += within ? in->packets : 0;
		row.bytes += within ? in->bytes : 0;
	}
	return row;
}
