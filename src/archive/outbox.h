/* What is on its way to the sink: at most one tar member, the data by reference. */
#ifndef TARCAP_OUTBOX_H
#define TARCAP_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

#include "archive/sink.h"
#include "base/err.h"

#define OUTBOX_SMALL 4096 /* bytes of headers and padding it can hold */
#define OUTBOX_PARTS 8
/*
 * Bytes per write: more than a pipe holds. Several writes in a row would wait for the reader, who holds the pipe while
 * it takes the first one: with 256 KiB that was a tenth of all processor time at 1472 bytes a packet.
 */
#define OUTBOX_CHUNK ((size_t)2 << 20)

struct outbox {
	struct iovec parts[OUTBOX_PARTS];
	int first, count;
	size_t pending;		   /* bytes waiting */
	bool started;		   /* some of what was put in since it was last empty has left */
	const unsigned char *body; /* memory that outlives the sending, so it is not copied */
	size_t body_size;
	size_t small_used;
	unsigned char small[OUTBOX_SMALL];
};

void outbox_init(struct outbox *outbox);

/* Bytes put in from within body are sent from where they lie; the caller keeps them until outbox_empty(). */
void outbox_set_body(struct outbox *outbox, const void *body, size_t size);

/*
 * Add bytes: those of body by reference, of others at most OUTBOX_SMALL. -1 with *err when they don't fit, which one
 * member's headers and padding always do.
 */
MUST_CHECK int outbox_put(struct outbox *outbox, const void *data, size_t size, struct err *err);

/* The same for bytes of any number, as the body: the outbox must be empty, and the caller keeps them until it is again.
 */
MUST_CHECK int outbox_put_body(struct outbox *outbox, const void *body, size_t size, struct err *err);

bool outbox_empty(const struct outbox *outbox);

/* Send what the sink takes now. Returns the bytes that left, 0 when none could, or -errno when none left. */
MUST_CHECK ssize_t outbox_send(struct outbox *outbox, struct sink *sink);

/* Take up to size bytes out of it into to, as if they had left. Returns how many. */
size_t outbox_take(struct outbox *outbox, unsigned char *to, size_t size);

/*
 * Forget what is waiting. Only allowed while !started, or when what has left is cut off again: otherwise a torn member
 * would be followed by another.
 */
void outbox_discard(struct outbox *outbox);

#endif
