/*
 * Several inputs, archives and files of packets, into one pcapng file by time: an interface for each interface of each
 * of them. Each archive is checked as join checks one. Prints nothing, and takes its memory once.
 */
#ifndef TARCAP_SEVERAL_H
#define TARCAP_SEVERAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "read/join.h"
#include "read/joined.h"
#include "read/source.h"

#define SEVERAL_NAME_SIZE 80

struct several_setup {
	struct sources *sources; /* open; the caller's */
	joined_output *output;	 /* NULL: only check */
	void *output_context;
	size_t memory;		/* for sorting, at least JOIN_MEMORY_MIN: of all together */
	const int64_t *offsets; /* ns to add to each one's times; NULL: none */
};

/* What came of one. */
struct several_result {
	const char *path;	       /* or "stdin" */
	char name[SEVERAL_NAME_SIZE];  /* that its interfaces have in front; "" when it had none */
	bool archive;		       /* else a file of packets, or nothing that is known: then without defects */
	uint64_t packets;	       /* that were put into the output */
	struct join_result joined;     /* of an archive; valid until several_close(), as are these: */
	const struct defects *defects; /* what is missing or wrong; NULL where it is neither */
	const struct input *input;
	struct err err; /* it could not be read to its end */
};

struct several;

/* NULL when there is no memory. */
struct several *several_open(const struct several_setup *setup, struct err *err);
void several_close(struct several *several);

/*
 * Read all to their ends. 0 however bad they are: see their results. -1 when the output has failed, or where there is
 * no memory.
 */
int several_run(struct several *several, struct err *err);

/* In the order of the sources. */
const struct several_result *several_result(const struct several *several, size_t i);

/* Packets that came too late to be sorted. */
uint64_t several_late(const struct several *several);

/*
 * Which of count inputs is to be read next, so that all come about as far in time: where it is running, and its latest
 * packet is the earliest. count: none is.
 */
size_t several_next(const bool *running, const uint64_t *latest, size_t count);

/* "/a/client.pcap" -> "client.pcap". */
const char *several_base_name(const char *path);

#endif
