/*
 * A stream of bytes into the regular files of a tar, with junk before it and damage in it: ustar, also with the long
 * names that pax and GNU tar put in front (extended.h).
 *
 * Not libarchive, on purpose: kubectl puts chatter of any length in front, transports cut, drop and insert bytes, and
 * what is behind the damage must still be found, byte exactly. A block counts as a header only if its magic, its
 * checksum and a plain octal size say so; nothing else in it is trusted, and no size from it is ever allocated.
 */
#ifndef TARCAP_MEMBERS_H
#define TARCAP_MEMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "read/extended.h"

#define MEMBERS_BLOCK 512
#define MEMBERS_NAME_SIZE EXTENDED_NAME_SIZE
#define MEMBERS_BUFFER ((size_t)256 << 10)
#define MEMBERS_KEEP ((size_t)64 << 10)	    /* bytes that stay, so that a header too early for a wrong size is found */
#define MEMBERS_EXTENDED ((size_t)64 << 10) /* of an extended header's data; a longer one is passed over */

/* Up to size bytes of the stream into data: how many, 0 at its end, -errno on failure. Never asked to seek. */
typedef ssize_t members_source(void *context, void *data, size_t size);

enum members_event {
	MEMBERS_FILE,  /* a regular file begins: name and size */
	MEMBERS_DATA,  /* its next bytes: data and length */
	MEMBERS_DONE,  /* that was all of it */
	MEMBERS_CUT,   /* the stream has ended inside of it */
	MEMBERS_END,   /* the stream has ended; said once more each time it is asked */
	MEMBERS_ERROR, /* the source has failed: errnum */
};

enum members_state {
	MEMBERS_AT_HEADER,
	MEMBERS_IN_DATA,
	MEMBERS_IN_PADDING,
	MEMBERS_AT_END,
};

/* Owns nothing; read the first two groups, leave the rest alone. */
struct members {
	char name[MEMBERS_NAME_SIZE]; /* of the latest file, without a leading "./"; "" before the first */
	uint64_t size;		      /* of the latest file, in bytes, as its headers claim */
	const unsigned char *data;    /* in the buffer: valid until the next call */
	size_t length;
	int errnum;

	bool found;	   /* there was a header */
	bool ended;	   /* the two zero blocks that end an archive have come */
	uint64_t junk;	   /* bytes before the first header; all of the stream if there is none */
	uint64_t gaps;	   /* places where a header was expected and something else stood */
	uint64_t skipped;  /* bytes passed over there; 0 where bytes are missing */
	uint64_t trailing; /* bytes after the archive's end that are not zero */

	/* May be set by the caller at any time: the archive cannot be over yet, so zero blocks are damage. */
	bool more_to_come;

	members_source *source;
	void *context;
	enum members_state state;
	char top[MEMBERS_NAME_SIZE]; /* the first file's top directory with its slash, or members_keep_to()'s */
	struct extended global;	     /* what holds for all files from here on */
	struct extended next;	     /* for the next one alone */
	struct extended looked_at;   /* while a header is looked for */
	bool regular;		     /* what is being passed is a regular file */
	bool source_ended;
	uint64_t left;	  /* bytes of data still to come */
	uint64_t padding; /* and of zeros behind them */
	uint64_t base;	  /* of the buffer's first byte in the stream */
	uint64_t floor;	  /* in the stream: no header is looked for before this */
	size_t at, end;	  /* in the buffer */
	unsigned char buffer[MEMBERS_BUFFER];
};

/* The context stays the caller's. */
void members_init(struct members *members, members_source *source, void *context);

/*
 * The next event. After MEMBERS_FILE come any number of MEMBERS_DATA, then MEMBERS_DONE or MEMBERS_CUT; a caller who
 * does not want the file may ignore them. Where a header is wrong, the next good one in the same top directory is
 * looked for byte by byte, a little before that place as well.
 */
enum members_event members_next(struct members *members);

/* Behind damage, what is looked for from now on is in the top directory of this path, whatever the first file's was. */
void members_keep_to(struct members *members, const char *path);

#endif
