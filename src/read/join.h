/*
 * An archive into one pcap or pcapng file: source -> input -> members -> expand -> records -> order -> joined ->
 * output, and what was found on the way. Prints nothing, has no globals, and takes its memory once, whatever the
 * archive claims.
 */
#ifndef TARCAP_JOIN_H
#define TARCAP_JOIN_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "format/pcap_read.h"
#include "read/input.h"
#include "read/members.h"
#include "read/order.h"
#include "read/verify.h"

#define JOIN_MEMORY_MIN ORDER_MEMORY_MIN
#define JOIN_MEMORY ((size_t)16 << 20) /* as long as nobody asks for more or less */

/*
 * For who only reads, without an output: then files of any link type belong together. Packets of an interface may come
 * from here on: series is the first part of its file's name, the records tell the rest. Returns a number of its own, or
 * an enum joined_place where they have no place.
 */
typedef int join_interface(void *context, const char *series, const struct pcap_read *records);

/* Where a packet stands: member is its name without the directory, valid until the call returns. */
struct join_place {
	const char *member;
	uint64_t member_number; /* a running number of members that have packets, from 1 */
	uint64_t packet;	/* within the member, from 1 */
	bool fleeting;		/* its data is valid until the call returns; else until the next call of join_gone */
};

/* A packet that is there, of such an interface, before any sorting; time in ns since the epoch. */
typedef void join_packet(void *context, unsigned interface, uint64_t time, const struct packet *packet,
			 const struct join_place *place);

/* The data of all packets that were given is not valid from here on. */
typedef void join_gone(void *context);

/* A member of the context has come whole: "context/end/hosts". Of one that is too long, nothing. */
typedef void join_context(void *context, const char *name, const char *text, size_t size);

#define JOIN_CONTEXT_MAX ((size_t)64 << 10) /* bytes of one; tarcap writes no longer ones */

struct join_setup {
	members_source *source;
	struct input *input; /* the caller's, in place of a source: one that has been looked at */
	/* Where the file goes; NULL: nowhere. -1 with *err set ends the run. */
	int (*output)(void *context, const void *data, size_t size, struct err *err);
	void *source_context, *output_context; /* the caller's */
	size_t slice;			       /* bytes of packets that join_step() takes at most; 0: as they come */
	size_t memory; /* bytes for sorting, at least JOIN_MEMORY_MIN; without an output, only to find an event */
	join_interface *interface; /* both, or NULL */
	join_packet *packet;
	join_gone *gone;
	join_context *context_member; /* or NULL */
	void *packet_context;	      /* the caller's */
};

struct join_result {
	bool found;			/* there was an archive at all */
	uint64_t junk;			/* bytes before it */
	uint64_t trailing;		/* bytes after its end that are not zero */
	uint64_t files;			/* that came whole */
	uint64_t packets;		/* given to the output */
	uint64_t late;			/* of these, too late to be sorted */
	const struct defects *defects;	/* what is missing or wrong; this and told are valid until join_close */
	const struct verify_told *told; /* what the manifest tells */
	const struct verify *verify;	/* as valid as these */
	const struct input *input;	/* what it is, where there is no archive; as valid as these */
};

struct join;

/* NULL when there is no memory. */
struct join *join_open(const struct join_setup *setup, struct err *err);
void join_close(struct join *join);

/*
 * Read to the end of the source. 0 however bad the archive is: see *result. -1 with *err when the source or the output
 * has failed; what came before that has been given to the output, and *result is filled.
 */
int join_run(struct join *join, struct join_result *result, struct err *err);

/*
 * The same in steps, for who reads several at once: begin, step as long as it says that there is more, and finish in
 * any case, also after an error. *result is filled by the last, and stays the caller's.
 */
int join_begin(struct join *join, struct join_result *result, struct err *err);
bool join_step(struct join *join, struct err *err);
int join_finish(struct join *join, struct err *err);

/* The directory of its members, with the slash behind it; "" while it is not known, or where there is none. */
const char *join_directory(const struct join *join);

/* An interface's name, by its series: as capture.json told it, or else the series. */
const char *join_interface_name(const struct join *join, const char *series);

#endif
