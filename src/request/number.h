/* Numbers as people type them: one parser, one range check, one way to print them back. */
#ifndef TARCAP_NUMBER_H
#define TARCAP_NUMBER_H

#include <stdint.h>

#include "base/err.h"

enum number_kind {
	NUMBER_COUNT,	  /* plain decimal */
	NUMBER_SIZE,	  /* bytes; k, M, G and KiB, MiB, GiB are powers of 1024, kB, MB, GB of 1000; "1.5G" */
	NUMBER_MILLIONS,  /* as NUMBER_SIZE, but a bare number is in units of 1,000,000 (tcpdump's -C) */
	NUMBER_KIBIBYTES, /* a bare number of KiB (tcpdump's -B), or with k, M, G; the result is in KiB */
	NUMBER_DURATION,  /* ms, s, m, h, d, "1m30s", "1.5m", whole ms; a bare number is seconds; in nanoseconds */
};

struct number_range {
	enum number_kind kind;
	uint64_t min, max; /* in the unit of the result */
	int zero_is_none;  /* 0 is allowed besides, and means no limit */
};

#define NUMBER_TEXT_SIZE 32

/*
 * Parse text, given for flag (as typed, e.g. "--duration"), into *value. On failure returns -1 and
 * sets STATUS_USAGE with a line that names the flag, the value and what is allowed; *value stays.
 */
int number_parse(const char *flag, const char *text, const struct number_range *range, uint64_t *value,
		 struct err *err);

/* Print value so that number_parse would read it back: 262144 as "256k", 300 s as "5m". Returns text. */
char *number_format(enum number_kind kind, uint64_t value, char text[NUMBER_TEXT_SIZE]);

/* "s" where there is not one, for a word behind a number. */
static inline const char *number_plural(uint64_t count)
{
	return count == 1 ? "" : "s";
}

#endif
