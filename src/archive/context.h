/*
 * The network namespace as it is at the start and at the end of a capture: small files beside the packets. They are
 * read into memory at these moments, and wait there for the reader.
 */
#ifndef TARCAP_CONTEXT_H
#define TARCAP_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "archive/netstate.h"
#include "base/err.h"

#define CONTEXT_MEMBER_MAX ((size_t)64 << 10) /* bytes of a member, with the line that says that it was cut */
#define CONTEXT_MEMORY ((size_t)1 << 20)      /* bytes for all, half of them for each moment */
#define CONTEXT_SOURCES 16
#define CONTEXT_NAME_SIZE 40

enum context_moment { CONTEXT_START, CONTEXT_END, CONTEXT_MOMENTS };

/*
 * Where a member comes from: a file; or, where path is NULL, the kernel's answers over netlink; or, where write is
 * NULL, too, the counters of files in front of it. With both it is what netstate_sockets() in front of it has listed,
 * and the file where that has nothing.
 */
struct context_source {
	const char *name, *path;
	netstate_write *write;
	bool counters;	   /* a file of them, as counters.h says */
	size_t row;	   /* of a file of rows that the kernel makes: bytes of one, at most; 0: it is none */
	int (*open)(void); /* of the kernel's answers: a descriptor of its own, for another protocol than rtnetlink */
};

struct context_member {
	const char *text;
	size_t size;
	uint64_t time; /* when it was read, ns since the epoch; 0: not yet */
	bool cut;      /* there was more */
	bool sent;
	const char *left_out; /* why it is not in the archive, or NULL */
};

struct context {
	const struct context_source *sources;
	size_t count;
	int fds[CONTEXT_SOURCES]; /* -1: errnums says why */
	int errnums[CONTEXT_SOURCES];
	int netlink, netlink_errnum;
	char *memory;
	struct context_member members[CONTEXT_MOMENTS][CONTEXT_SOURCES];
};

/* What an archive has: interfaces, routes, neighbours, sockets, counters, resolver. CONTEXT_SOURCES at most. */
extern const struct context_source context_sources[];
extern const size_t context_source_count;

/*
 * Open all that will be read, from then on by read(2), write(2), lseek(2) and SIOCGIFNAME alone. What cannot be opened
 * is no error, but left out. /proc/net is of the namespace that the thread is in now, and stays that. -1: no memory.
 */
MUST_CHECK int context_open(struct context *context, const struct context_source *sources, size_t count,
			    struct err *err);
void context_close(struct context *context);

/* Read everything, now. Once for each moment: later calls do nothing. */
void context_read(struct context *context, enum context_moment moment);

/* "context/start/interfaces.json". Returns name. */
char *context_name(const struct context *context, enum context_moment moment, size_t source,
		   char name[CONTEXT_NAME_SIZE]);

/* The next member of a moment that waits to be sent, as the number of its source; -1: there is none. */
MUST_CHECK int context_next(const struct context *context, enum context_moment moment);

/* Leave out every member that was read and not sent. why has to stay. */
void context_drop(struct context *context, const char *why);

#endif
