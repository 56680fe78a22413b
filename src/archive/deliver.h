/* Sealed segments out of the door: segment -> tar member -> outbox -> sink, and the members around them. */
#ifndef TARCAP_DELIVER_H
#define TARCAP_DELIVER_H

#include <stdbool.h>
#include <stdint.h>

#include "archive/compress.h"
#include "archive/context.h"
#include "archive/encrypt.h"
#include "archive/manifest.h"
#include "archive/outbox.h"
#include "archive/sink.h"
#include "archive/tar.h"
#include "base/account.h"
#include "base/err.h"
#include "capture/segments.h"

/* Segments that wait elsewhere than in the list of the sealed, each with stored set: they are sent as they are. */
struct deliver_store {
	/* The oldest, which stays until the next is asked for; NULL: none now, and while finishing, none more. */
	struct segment *(*next)(void *context);
	void (*drop)(void *context);		  /* give up all, as their series' given_up has it */
	uint64_t (*waiting)(const void *context); /* how many may be had */
	void *context;
};

struct delivery {
	struct segments *segments;
	struct sink *sink;
	struct tar *tar;
	struct manifest *manifest;
	struct outbox outbox;
	bool raw; /* to be set before deliver_start: the segments behind one front, and nothing else */
	const unsigned char *front; /* with raw; the caller's, as trailer */
	size_t front_size;
	unsigned char *trailer; /* behind the segments, with raw; to be filled before deliver_finish */
	size_t trailer_size;
	struct compress *compress;	/* to be set before deliver_start; NULL: members are stored as they are */
	struct deliver_store store;	/* to be set before deliver_start; without next: what is sealed is sent */
	struct encrypt *encrypt;	/* to be set before deliver_start; NULL: everybody can read what leaves */
	struct context *context;	/* to be set before deliver_start; NULL: there is none */
	struct context_member *telling; /* the member of it in the outbox, or NULL */
	struct segment *next;		/* taken, and being compressed */
	struct segment compressed;	/* what a compressed member in the outbox was; its memory has been given back */
	struct segment *sending;	/* the segment in the outbox, or NULL when it is something else */
	bool finishing;			/* set by deliver_finish */
	enum cause cause;
	const char *detail;
	bool part_sent; /* the latest member is a part of the manifest */
	bool manifest_sent;
	unsigned step;		 /* of what the output is made of: deliver.c has the list */
	int errnum;		 /* of DELIVER_FAILED, when the output refused; deliver_explain() has words for it */
	bool torn;		 /* then a part of a member has stayed in the output */
	uint64_t progress_at;	 /* boot time when the reader last took something, or something began to wait */
	uint64_t files, packets; /* in complete members that have left, or, encrypted, are in a chunk that may wait */
	uint64_t sent;		 /* bytes that have left */
	uint64_t whole; /* of these, in complete members, but for manifest.json; not where they are encrypted */
};

enum deliver_result {
	DELIVER_IDLE,	 /* nothing waits */
	DELIVER_WAITING, /* bytes wait for the reader */
	DELIVER_BUSY,	 /* compressing: there is more to do at once, but others may have their turn */
	DELIVER_DONE,	 /* the archive is complete and taken */
	DELIVER_GONE,	 /* the reader has gone away */
	DELIVER_FAILED,	 /* the output refused: errnum is set; else see err */
};

/* Begins with capture.json in the outbox, or the file header. All parts stay the caller's. */
MUST_CHECK int deliver_start(struct delivery *delivery, struct segments *segments, struct sink *sink, struct tar *tar,
			     struct manifest *manifest, uint64_t now, struct err *err);

/* Send as much as the reader takes now. now is boot time. */
MUST_CHECK enum deliver_result deliver_advance(struct delivery *delivery, uint64_t now, struct err *err);

/*
 * No more segments will be sealed: the context at the end, which is read now, manifest and trailer are to follow the
 * last.
 */
void deliver_finish(struct delivery *delivery, enum cause cause, const char *detail);

/* What has been delivered in complete members: where it is encrypted, in chunks that have left. */
struct encrypt_members deliver_complete(const struct delivery *delivery);

/* Files that are complete and have not left. */
uint64_t deliver_waiting(const struct delivery *delivery);

/* Give up the segments, and the members of the context, whose header has not left: the series count the packets. */
void deliver_drop(struct delivery *delivery);

/*
 * After DELIVER_FAILED: cut the output, where it is a file, back to its last complete member, and give up every
 * segment. Encrypted, it is cut back to its last whole chunk, and nothing can follow: a chunk's nonce is used once.
 * When it was the manifest that did not fit, its last files go, too. True if the manifest can be tried (again).
 */
MUST_CHECK bool deliver_cut_back(struct delivery *delivery);

/* At the end, when the output refused: why, and what is in it now. */
void deliver_explain(const struct delivery *delivery, struct err *err);

#endif
