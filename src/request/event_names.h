/* What --until waits for: the names of events, and what each is. */
#ifndef TARCAP_EVENT_NAMES_H
#define TARCAP_EVENT_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"

#define UNTIL_MAX 16				/* of them at once */
#define UNTIL_AFTER_DEFAULT (10 * CLOCK_SECOND) /* --after: how long it goes on after the event */
#define UNTIL_SILENCE_LEAST (CLOCK_SECOND / 10) /* the kernel hands packets over within that */
#define UNTIL_SILENCE_MOST (UINT64_C(7) * 86400 * CLOCK_SECOND)

enum until_kind {
	UNTIL_EXPRESSION, /* none of the names: a filter */
	UNTIL_RESET,
	UNTIL_UNREACHABLE,
	UNTIL_DNS_FAILURE,
	UNTIL_HTTP_5XX,
	UNTIL_TLS_ALERT,
	UNTIL_SILENCE,
	UNTIL_KINDS,
};

struct until {
	enum until_kind kind;
	const char *text;  /* as it was typed; the caller's */
	uint64_t duration; /* of silence, ns */
};

struct options;

/*
 * Append text, as it was given for --until, to options->until; "help" asks for event_names_help() by
 * options->action. An expression is only looked at when there is an interface: see record/events.h. STATUS_USAGE for
 * one too many, and for a silence without its time.
 */
int event_names_add(struct options *options, const char *text, struct err *err);

/* When all has been read: does --until go with the rest? Fills in options->after. STATUS_USAGE if not. */
int event_names_check(struct options *options, struct err *err);

/* Is one of the names asked for that are told by a packet? */
bool event_names_used(const struct options *options);

/* A sentence about a text that is neither a name nor a filter: which name was meant; "" where nobody knows. */
void event_names_advice(const char *text, char *advice, size_t size);

/* All names, what each is as a filter, and what it cannot see, to stdout. */
void event_names_help(void);

#endif
