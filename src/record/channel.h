/*
 * What a hold and its recorder, which is its child, tell each other: messages of one size over a socketpair, which
 * keeps them apart (SOCK_SEQPACKET, unix(7)). The end of one process is the end of the other's socket. Neither waits:
 * a message that finds no room is lost, and the other has had hundreds of them to read by then.
 */
#ifndef TARCAP_CHANNEL_H
#define TARCAP_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

enum channel_kind {
	/* From the recorder. */
	CHANNEL_READY = 1, /* it records: account; bytes: of the area */
	CHANNEL_FAILED,	   /* it could not begin, or go on: status, text */
	CHANNEL_FROZEN,	 /* an event has come, and --after has gone by: account, all numbers, what and where in text */
	CHANNEL_RESUMED, /* it records again: account, the new one */
	CHANNEL_NOTHING, /* there was nothing to resume: it is not frozen at that account */
	CHANNEL_ENDED,	 /* at the end: all numbers, of what is discarded */
	/* From the hold. */
	CHANNEL_SEAL,	/* what is open is to be sealed: asker takes a snapshot */
	CHANNEL_RESUME, /* account: what is frozen at this one was taken whole */
	CHANNEL_END,	/* answer with CHANNEL_ENDED, and end */
};

/* Times in ns since the epoch, 0: none. */
struct channel_message {
	enum channel_kind kind;
	enum status status;
	uint64_t account;	 /* which one, from 1 */
	uint64_t packets, bytes; /* in the area; bytes as stored */
	uint64_t from, to;	 /* of these packets */
	uint64_t event_at;
	pid_t asker;
	char text[500]; /* one line, as in struct err */
};

/* Two ends, each closed by execve(2). */
MUST_CHECK int channel_open(int ends[2], struct err *err);

/* False where it could not be sent: the other end is closed, or does not read. */
bool channel_send(int fd, const struct channel_message *message);

enum channel_result {
	CHANNEL_EMPTY, /* there is none now */
	CHANNEL_MESSAGE,
	CHANNEL_CLOSED, /* the other process has ended, or has sent what is no message */
};

enum channel_result channel_receive(int fd, struct channel_message *message);

#endif
