#include "request/number.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct unit {
	const char *suffix;
	uint64_t factor;
};

#define NANOSECONDS UINT64_C(1000000000)
#define MILLISECOND UINT64_C(1000000)

/* The largest unit first, so that number_format finds the shortest form. */
static const struct unit count_units[] = {{"", 1}, {NULL, 0}};
static const struct unit size_units[] = {{"G", 1 << 30}, {"M", 1 << 20}, {"k", 1 << 10}, {"", 1}, {NULL, 0}};
static const struct unit millions_units[] = {{"G", 1 << 30}, {"M", 1 << 20}, {"k", 1 << 10}, {"", 1000000}, {NULL, 0}};
static const struct unit duration_units[] = {{"h", 3600 * NANOSECONDS}, {"m", 60 * NANOSECONDS}, {"s", NANOSECONDS},
					     {"ms", MILLISECOND},	{"", NANOSECONDS},	 {NULL, 0}};

/* What is read besides, and never printed. MB is of 1000, MiB of 1024, as dd(1) has it; Mi is Kubernetes'. */
static const struct unit no_aliases[] = {{NULL, 0}};
static const struct unit size_aliases[] = {{"g", 1 << 30}, {"GiB", 1 << 30}, {"Gi", 1 << 30}, {"GB", 1000000000},
					   {"m", 1 << 20}, {"MiB", 1 << 20}, {"Mi", 1 << 20}, {"MB", 1000000},
					   {"K", 1 << 10}, {"KiB", 1 << 10}, {"Ki", 1 << 10}, {"kB", 1000},
					   {"KB", 1000},   {"B", 1},	     {NULL, 0}};
static const struct unit kibibytes_aliases[] = {{"G", 1 << 20},	  {"GiB", 1 << 20}, {"Gi", 1 << 20}, {"M", 1 << 10},
						{"MiB", 1 << 10}, {"Mi", 1 << 10},  {"k", 1},	     {"K", 1},
						{"KiB", 1},	  {"Ki", 1},	    {NULL, 0}};
static const struct unit duration_aliases[] = {
	{"d", 86400 * NANOSECONDS}, {"min", 60 * NANOSECONDS}, {"sec", NANOSECONDS}, {NULL, 0}};

static const struct {
	const struct unit *units, *aliases;
	const char *expects;
} kinds[] = {
	[NUMBER_COUNT] = {count_units, no_aliases, "a number"},
	[NUMBER_SIZE] = {size_units, size_aliases, "bytes, or with k, M or G"},
	[NUMBER_MILLIONS] = {millions_units, size_aliases, "millions of bytes, or with k, M or G"},
	[NUMBER_KIBIBYTES] = {count_units, kibibytes_aliases, "KiB, or with M or G"},
	[NUMBER_DURATION] = {duration_units, duration_aliases, "seconds, or with ms, s, m, h or d"},
};

/* The unit that the first length characters of text name, or NULL. */
static const struct unit *find_unit(const struct unit *unit, const char *text, size_t length)
{
	for (; unit->suffix; unit++) {
		if (strlen(unit->suffix) == length && memcmp(unit->suffix, text, length) == 0)
			return unit;
	}
	return NULL;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* ".25", from *text on, as a number of 10^9ths; more digits than that are left. */
static uint64_t scan_fraction(const char **text)
{
	uint64_t fraction = 0, digit = NANOSECONDS / 10;

	for (++*text; is_digit(**text) && digit; ++*text, digit /= 10)
		fraction += (uint64_t)(**text - '0') * digit;
	return fraction;
}

/* "1", "1.5m", "30s": one number and its unit, from *text on, which then is behind it. NULL where there is none. */
static const struct unit *scan_part(const char **text, enum number_kind kind, uint64_t *value)
{
	uint64_t number = 0, fraction = 0;
	const struct unit *unit;
	const char *p = *text;
	size_t length;

	for (; is_digit(*p); p++) {
		if (__builtin_mul_overflow(number, 10, &number) || __builtin_add_overflow(number, *p - '0', &number))
			return NULL;
	}
	if (p == *text)
		return NULL;
	if (*p == '.' && is_digit(p[1]))
		fraction = scan_fraction(&p);
	length = strcspn(p, "0123456789");
	unit = find_unit(kinds[kind].units, p, length);
	unit = unit ? unit : find_unit(kinds[kind].aliases, p, length);
	if (!unit || (fraction && unit->factor == 1) || __builtin_mul_overflow(number, unit->factor, value))
		return NULL;
	*text = p + length;
	/* Up to 10^9 times a day in ns: more than 64 bits. */
	fraction = (uint64_t)((unsigned __int128)fraction * unit->factor / NANOSECONDS);
	return __builtin_add_overflow(*value, fraction, value) ? NULL : unit;
}

/* A duration may have several parts, each with its unit, the largest first: "1h30m". */
static int scan(const char *text, enum number_kind kind, uint64_t *value)
{
	const struct unit *last = scan_part(&text, kind, value), *unit;
	uint64_t part;

	for (; last && *text; last = unit) {
		unit = kind == NUMBER_DURATION ? scan_part(&text, kind, &part) : NULL;
		if (!unit || !*unit->suffix || unit->factor >= last->factor ||
		    __builtin_add_overflow(*value, part, value))
			return -1;
	}
	/* What is finer than the smallest unit could not be printed as it is. */
	return !last || (kind == NUMBER_DURATION && *value % MILLISECOND) ? -1 : 0;
}

int number_parse(const char *flag, const char *text, const struct number_range *range, uint64_t *value, struct err *err)
{
	char min[NUMBER_TEXT_SIZE], max[NUMBER_TEXT_SIZE];
	uint64_t parsed;

	if (scan(text, range->kind, &parsed) == 0 &&
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
