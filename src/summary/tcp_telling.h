/* What tcp_findings.c and tcp_measures.c share: servers' troubles as sentences. */
#ifndef TARCAP_TCP_TELLING_H
#define TARCAP_TCP_TELLING_H

#include <stdbool.h>
#include <stdint.h>

#include "summary/ends.h"
#include "summary/tcp.h"

#define TELLING_TEXT 24

struct telling {
	const struct servers *servers;
	const struct conversations *conversations;
	const struct circumstances *circumstances;
	struct findings *findings;
};

/* A server's end, or "other servers". Returns text. */
const char *telling_name(const struct server *server, char text[ENDS_TEXT_SIZE]);

/* "0.21 ms", "60.0 s": three digits. Returns text. */
const char *telling_duration(uint64_t nanoseconds, char text[TELLING_TEXT]);

/* "once", "3 times". Returns text. */
const char *telling_times(uint64_t count, char text[TELLING_TEXT]);

/* A finding without a sentence: its connections, its first packet and its count are a trouble's. */
struct finding *telling_add(const struct telling *telling, enum finding_kind kind, enum finding_severity severity,
			    unsigned weight, const struct trouble *trouble);

/* The server's packets for which a display filter's expression holds. */
void telling_filter(struct finding *finding, const struct server *server, const char *expression);

/* Loss, windows, and what takes long (tcp_measures.c). */
void telling_measures(const struct telling *telling);

#endif
