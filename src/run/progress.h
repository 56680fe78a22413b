/* The live line: how a capture goes, on a terminal, rewritten twice a second. */
#ifndef TARCAP_PROGRESS_H
#define TARCAP_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROGRESS_TEXT_SIZE 200

/* Since the start, or now. */
struct progress_numbers {
	uint64_t elapsed, limit; /* ns; limit 0: none */
	uint64_t packets;
	uint64_t sent;				      /* bytes of output that have left */
	uint64_t waiting;			      /* files that are complete and have not left */
	uint64_t lost;				      /* packets */
	bool holds;				      /* a recorder, which sends nothing: what it has */
	uint64_t held_time, held_packets, held_bytes; /* ns; packets; bytes as stored */
};

/* All zero: there is no live line. */
struct progress {
	uint64_t due;			  /* when to show it next; 0: never */
	uint64_t shown_at, shown_packets; /* for the rate: when it was made last, and what it said */
	char text[PROGRESS_TEXT_SIZE];
};

/* now in ns, of any clock; the line is due at once. */
void progress_init(struct progress *progress, uint64_t now);

/*
 * The line that is due now, or as much of it as fits into so many columns: what matters least is at its end, and left
 * out first. Sets when the next is due. The text is progress's, and valid until the next call.
 */
const char *progress_text(struct progress *progress, const struct progress_numbers *numbers, uint64_t now,
			  unsigned columns);

#endif
