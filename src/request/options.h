/* What a capture is asked for. The command line that it comes from is another thing (command_line.h). */
#ifndef TARCAP_OPTIONS_H
#define TARCAP_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "request/event_names.h"
#include "request/recipients.h"

#define SNAPLEN_MAX 262144	 /* libpcap's MAXIMUM_SNAPLEN */
#define INTERFACES_MAX 256	 /* captured at once */
#define NAME_MAX_LENGTH 64	 /* of --name */
#define FILTER_MAX_LENGTH 131072 /* bytes of filter text, from the command line or -F */
#define REASON_MAX_LENGTH 1000	 /* bytes of --reason */

#define OPTIONS_NOT_GIVEN UINT64_MAX /* as a limit, before the ceilings: no flag has set it */

enum action {
	ACTION_CAPTURE,
	ACTION_LIST_INTERFACES,
	ACTION_LIST_LINK_TYPES,
	ACTION_DUMP_FILTER,
	ACTION_HELP,
	ACTION_VERSION,
	ACTION_UNTIL_HELP,
};

enum direction { DIRECTION_BOTH, DIRECTION_IN, DIRECTION_OUT };
enum precision { PRECISION_MICRO, PRECISION_NANO, PRECISION_NOT_GIVEN /* while parsing */ };
enum format { FORMAT_PCAP, FORMAT_PCAPNG };
enum compression { COMPRESSION_NONE, COMPRESSION_ZSTD };
enum exclude_stream { EXCLUDE_AUTO, EXCLUDE_ON, EXCLUDE_OFF };

/* The ceilings that have lowered a default (ceilings.h). */
struct lowered {
	bool duration, max_bytes, snaplen, memory;
};

/* What the container's memory limit did (plan.h). */
struct confined {
	uint64_t limit;		     /* bytes; 0: there is none */
	uint64_t left;		     /* for the pool and what goes with it */
	bool lowered;		     /* a default */
	bool pool_above, ring_above; /* more than it leaves, all the same */
};

/* Texts point into argv, except filter. 0 means no limit where a limit can be none. */
struct options {
	uint64_t action;			/* enum action */
	int dump_level;				/* -d, -dd, -ddd */
	const char *interfaces[INTERFACES_MAX]; /* as named; "all" and "any" stand alone */
	int interface_count;
	const char *link_type; /* -y; NULL: the interface's own */
	const char *read_file;
	const char *write_file; /* NULL: stdout */
	const char *filter_file;
	const char *reason;
	char *filter;		       /* malloc'ed, never NULL; options_free releases it */
	struct recipients *recipients; /* the same, of --to and TARCAP_TO; NULL: everybody can read what is written */
	char name[NAME_MAX_LENGTH + 1];
	uint64_t snaplen;
	uint64_t count;
	uint64_t duration; /* ns */
	uint64_t max_bytes;
	uint64_t segment_size;
	uint64_t segment_time; /* ns; 0: not given, starts at 1 s and doubles up to 10 s */
	uint64_t segments;
	uint64_t buffer_kib;
	uint64_t memory;
	uint64_t memory_ceiling; /* of ring, pool and compressor together */
	uint64_t compression;	 /* enum compression */
	uint64_t compressor;	 /* bytes of memory that it takes, besides */
	uint64_t record;     /* bytes of memory that packets stay in, until the end; 0: they are sent as they come */
	uint64_t keep;	     /* ns that they stay there at most; 0: as long as there is room */
	uint64_t stall;	     /* ns */
	uint64_t direction;  /* enum direction */
	uint64_t stdin_mode; /* 0 auto, 1 ignore */
	uint64_t exclude_stream; /* enum exclude_stream */
	uint64_t precision;	 /* enum precision; nano with pcapng */
	uint64_t format;	 /* enum format */
	struct lowered lowered;
	struct confined confined;
	struct until until[UNTIL_MAX]; /* events, the first of which ends it */
	unsigned until_count;
	uint64_t after;	      /* ns that it goes on after the event */
	uint64_t first;	      /* bytes of payload that are kept of each connection and direction; 0: all */
	uint64_t first_table; /* bytes of memory that this takes */
	bool no_context;
	bool headers;	  /* keep only these of each packet */
	bool no_optimize; /* -O */
	bool promiscuous;
	bool wait_reader;
	bool raw;		 /* one file of packets instead of an archive */
	bool duration_chosen;	 /* --duration was given, also as 0 */
	bool segment_by_default; /* nobody asked for segment_size */
	bool segment_grown;	 /* -C was below one maximal packet, and was raised to segment_size */
	int quiet, verbose;
	char *const *argv; /* as it was given to command_line_parse */
	int words;	   /* of argv: where the filter begins */
};

void options_free(struct options *options);

/* Is no interface or file to be opened at all: is only something to be printed? */
bool options_only_print(const struct options *options);

/* Is each interface that is up to be captured? */
bool options_all_interfaces(const struct options *options);

/* Copy text into name as a member name may have it: [A-Za-z0-9.-] and '_' stay, the rest becomes '-'. */
void options_safe_name(const char *text, char *name, size_t size);

/* STATUS_USAGE where --reason is too long. NULL is none. */
int options_check_reason(const char *reason, struct err *err);

/*
 * Both put into name[NAME_MAX_LENGTH + 1] what a member's directory may be called: argument, given for flag (as typed),
 * or -1 with STATUS_USAGE; and the host's name, made into one.
 */
int options_set_name(char *name, const char *flag, const char *argument, struct err *err);
void options_default_name(char *name);

#endif
