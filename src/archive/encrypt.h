/*
 * The output for its recipients alone: an age v1 file (https://c2sp.org/age) of what comes out of the outbox, between
 * it and the sink. hkdf.c, age_header.c and encrypt.c are the only parts that see <sodium.h>.
 *
 * The payload is chunks of exactly ENCRYPT_CHUNK bytes, each with a code of its own, and the last one says that it is
 * the last (the specification's "Payload"). The last may not be empty: so a full chunk waits, too, until there is more,
 * or the end. What has left is good up to its last whole chunk.
 */
#ifndef TARCAP_ENCRYPT_H
#define TARCAP_ENCRYPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "archive/age_header.h"
#include "archive/outbox.h"
#include "archive/sink.h"
#include "base/err.h"
#include "request/recipients.h"

#define ENCRYPT_CHUNK ((size_t)65536)
#define ENCRYPT_CODE ((size_t)16)

/* What of an archive is complete. */
struct encrypt_members {
	uint64_t files, packets;
};

struct encrypt;

/*
 * Take all memory, make keys and the header, which is the first to leave. Before the sandbox: it draws from random,
 * and looks at the processor. NULL when that failed.
 */
MUST_CHECK struct encrypt *encrypt_open(const struct recipients *recipients, age_random *random, struct err *err);

/* Wipes its key. */
void encrypt_close(struct encrypt *encrypt);

/*
 * Take from the outbox what there is room for, and send what the sink takes now. now: what was complete when all that
 * is in the outbox was put there. Returns the bytes that left, 0 when none could, or -errno when none left.
 */
MUST_CHECK ssize_t encrypt_send(struct encrypt *encrypt, struct outbox *outbox, struct sink *sink,
				const struct encrypt_members *now);

/* Nothing more comes, and the outbox is empty: close the last chunk, which encrypt_send() sends. Wipes the key. */
void encrypt_finish(struct encrypt *encrypt, const struct encrypt_members *now);
bool encrypt_finished(const struct encrypt *encrypt);

/* Does anything wait for the sink? What is in a chunk that is not full waits for more. */
bool encrypt_waits(const struct encrypt *encrypt);

/* The bytes that have left in whole chunks, header and all, and what of the archive is complete in them. */
uint64_t encrypt_whole(const struct encrypt *encrypt);
struct encrypt_members encrypt_delivered(const struct encrypt *encrypt);

/* The library's name and version. */
const char *encrypt_library(void);

#endif
