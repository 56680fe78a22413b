/*
 * What is wrong, as sentences: each analyser of summary/ adds its own at the end, in fixed memory, and the page begins
 * with them. A finding has evidence that a person can look at: where it was first seen, and the display filter that
 * shows it.
 */
#ifndef TARCAP_FINDINGS_H
#define TARCAP_FINDINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/sizes.h"
#include "read/roll.h"
#include "summary/dissect.h"

#define FINDINGS_MAX 64	      /* further ones are counted */
#define FINDING_CONNECTIONS 8 /* of a finding that are named; count says how often it was */
#define FINDING_SENTENCE_SIZE 400
#define FINDING_FILTER_SIZE 240
#define FINDING_NEXT_SIZE 240
#define PLACES_MEMBERS TABLE_OF(16384) /* whose names are kept; packets of later ones have a time, and no place */

/* In the order of how likely it is the cause of what a person noticed, where severity and weight are the same. */
enum finding_kind {
	FINDING_DNS_UNANSWERED,
	FINDING_DNS_FAILURE,
	FINDING_ARP_UNANSWERED,
	FINDING_ADDRESS_CONFLICT,
	FINDING_ICMP_ERROR,
	FINDING_REFUSED,
	FINDING_NO_ANSWER,
	FINDING_MTU,
	FINDING_TLS_FAILURE,
	FINDING_RESET_INJECTED,
	FINDING_IDLE_TIMEOUT,
	FINDING_ONE_WAY,
	FINDING_LISTEN_OVERFLOW,
	FINDING_ZERO_WINDOW,
	FINDING_RESET,
	FINDING_LOSS,
	FINDING_DNS_SLOW,
	FINDING_DNS_SEARCH,
	FINDING_SLOW_SERVER,
	FINDING_SLOW_NETWORK,
	FINDING_CHECKSUM,
	FINDING_KERNEL_DROPS,
	FINDING_CAPTURE_LOSS,
	FINDING_INJECTED_BETWEEN, /* these of several captures: see between.h */
	FINDING_LOST_BETWEEN,
	FINDING_REWRITTEN,
	FINDING_CLOCK_OFFSET,
	FINDING_PATH_DELAY,
	FINDING_KINDS,
};

enum finding_severity { FINDING_NOTE, FINDING_WARNING, FINDING_ERROR };

/* Where a packet is. All zeros: nowhere. */
struct place {
	uint32_t member;	/* of places: 1 and on; 0: its name is not known, or there is none */
	uint64_t packet;	/* within the member, or the file of packets, from 1; 0: not known */
	uint64_t joined_packet; /* in join's output, from 1; 0: not known */
	uint64_t time;		/* ns since the epoch */
};

/* Two ends and what they speak. */
struct finding_connection {
	struct dissect_end a, b;
	uint8_t version, protocol; /* as in struct dissected; version 0: hardware addresses, of 6 bytes */
	bool ports;
};

struct finding {
	enum finding_kind kind;
	enum finding_severity severity;
	unsigned weight; /* of those of one severity the larger comes first; 0 where nothing says how grave it is */
	char sentence[FINDING_SENTENCE_SIZE]; /* printable ASCII, once it is shown */
	uint64_t count;
	size_t connection_count;
	struct finding_connection connections[FINDING_CONNECTIONS];
	struct place first;
	char display_filter[FINDING_FILTER_SIZE]; /* Wireshark's; "" where none shows it */
	char next[FINDING_NEXT_SIZE];		  /* what to look at */
	bool absent; /* it says that something is not there: where it may be is told by left_open_say() */
};

struct findings {
	size_t count;
	uint64_t left_out; /* for which there was no room */
	struct finding list[FINDINGS_MAX];
	struct finding spare; /* what these are written into */
};

/* A new one, zeros but for these; never NULL. It is the caller's to fill until the next one is added. */
struct finding *findings_add(struct findings *findings, enum finding_kind kind, enum finding_severity severity,
			     unsigned weight);

/* Text behind what is there already; what does not fit is cut. */
void finding_say(struct finding *finding, const char *format, ...) __attribute__((format(printf, 2, 3)));
void finding_filter(struct finding *finding, const char *format, ...) __attribute__((format(printf, 2, 3)));
void finding_next(struct finding *finding, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* One that is there already, or for which there is no room, is none. */
void finding_connection(struct finding *finding, const struct finding_connection *connection);

/* Sort them as they are to be shown. */
void findings_rank(struct findings *findings);

/* "no-answer", "error": names that stay as they are. */
const char *finding_kind_name(enum finding_kind kind);
const char *finding_severity_name(enum finding_severity severity);

/* Of all findings, those of this severity. */
size_t findings_count(const struct findings *findings, enum finding_severity severity);

/* --- where packets are --- */

/* The members' names, by number. */
struct places;

struct places *places_open(struct err *err);
void places_close(struct places *places);

/* A member begins: its number, or 0 where there is no room for its name. */
uint32_t places_member(struct places *places, const char *name);

/* NULL for 0. */
const char *places_name(const struct places *places, uint32_t member);

#endif
