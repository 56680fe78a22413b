#include "number.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct unit {
	const char *suffix;
	uint64_t factor;
};

/* The largest unit first, so that number_format finds the shortest form. */
static const struct unit count_units[] = {{"", 1}, {NULL, 0}};
static const struct unit size_units[] = {{"G", 1 << 30}, {"g", 1 << 30}, {"M", 1 << 20}, {"m", 1 << 20},
					 {"k", 1 << 10}, {"K", 1 << 10}, {"", 1},	 {NULL, 0}};
static const struct unit millions_units[] = {{"G", 1 << 30}, {"g", 1 << 30}, {"M", 1 << 20}, {"m", 1 << 20},
					     {"k", 1 << 10}, {"K", 1 << 10}, {"", 1000000},  {NULL, 0}};
static const struct unit duration_units[] = {{"h", 3600 * UINT64_C(1000000000)}, {"m", 60 * UINT64_C(1000000000)},
					     {"s", UINT64_C(1000000000)},	 {"ms", UINT64_C(1000000)},
					     {"", UINT64_C(1000000000)},	 {NULL, 0}};

static const struct {
	const struct unit *units;
	const char *expects;
} kinds[] = {
	[NUMBER_COUNT] = {count_units, "a number"},
	[NUMBER_SIZE] = {size_units, "bytes, or with k, M or G"},
	[NUMBER_MILLIONS] = {millions_units, "millions of bytes, or with k, M or G"},
	[NUMBER_KIBIBYTES] = {count_units, "KiB"},
	[NUMBER_DURATION] = {duration_units, "seconds, or with ms, s, m or h"},
};

static int scan(const char *text, const struct unit *unit, uint64_t *value)
{
	uint64_t number = 0;
	const char *p = text;

	for (; *p >= '0' && *p <= '9'; p++) {
		if (__builtin_mul_overflow(number, 10, &number) || __builtin_add_overflow(number, *p - '0', &number))
			return -1;
	}
	if (p == text)
		return -1;
	for (; unit->suffix; unit++) {
		if (strcmp(p, unit->suffix) == 0)
			return __builtin_mul_overflow(number, unit->factor, value) ? -1 : 0;
	}
	return -1;
}

int number_parse(const char *flag, const char *text, const struct number_range *range, uint64_t *value, struct err *err)
{
	char min[NUMBER_TEXT_SIZE], max[NUMBER_TEXT_SIZE];
	uint64_t parsed;

	if (scan(text, kinds[range->kind].units, &parsed) == 0 &&
	    ((parsed >= range->min && parsed <= range->max) || (parsed == 0 && range->zero_is_none))) {
		*value = parsed;
		return 0;
	}
	return err_set(err, STATUS_USAGE, "%s '%.60s': allowed is %s to %s (%s)%s", flag, text,
		       number_format(range->kind, range->min, min), number_format(range->kind, range->max, max),
		       kinds[range->kind].expects, range->zero_is_none ? ", or 0 for none" : "");
}

char *number_format(enum number_kind kind, uint64_t value, char text[NUMBER_TEXT_SIZE])
{
	/* A bare count of millions would read oddly in a message: sizes are printed as sizes. */
	const struct unit *unit = kinds[kind == NUMBER_MILLIONS ? NUMBER_SIZE : kind].units;

	while (unit[1].suffix && (value == 0 || value % unit->factor != 0))
		unit++;
	snprintf(text, NUMBER_TEXT_SIZE, "%" PRIu64 "%s", value / unit->factor, unit->suffix);
	return text;
}
