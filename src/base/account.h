/* What became of every packet: the numbers that the manifest closes. */
#ifndef TARCAP_ACCOUNT_H
#define TARCAP_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

/* A recorder's: what it has stored and overwritten again, or left out. */
struct overwritten {
	uint64_t files, packets, bytes; /* bytes as files, before they were compressed */
	uint64_t dropped;		/* by the kernel, as charged to these files: account.dropped has them, too */
};

/* What --first has left out: of packets that were taken, how many were cut, and the bytes they had. */
struct cut_by_first {
	uint64_t packets, bytes;
};

/*
 * The identity, for an interface:
 *   received = written + dropped + overwritten.packets + dropped_at_stop + dropped_output_failed + after_limit +
 *              filtered_in_user_space + not_yet_stored
 */
struct account {
	uint64_t received;		 /* passed the filter in the kernel, those dropped included */
	uint64_t written;		 /* in the archive's members */
	uint64_t dropped;		 /* by the kernel: its ring was full */
	uint64_t dropped_reader_slow;	 /* of these, while the pool was full because of the reader */
	uint64_t dropped_at_stop;	 /* could not be sent in the time a stop allows */
	uint64_t dropped_output_failed;	 /* the output took no more (a full disk): not even begun, or cut off again */
	uint64_t after_limit;		 /* already in the ring when -c, -W or --max-bytes was reached */
	uint64_t filtered_in_user_space; /* only with a filter that the kernel refused: not wanted, or not looked at any
					    more */
	struct overwritten overwritten;
	struct cut_by_first cut;
	uint64_t not_yet_stored; /* of a recorder that goes on, which somebody else takes a snapshot of */
};

/* Why a capture ended. */
enum cause {
	CAUSE_NONE,
	CAUSE_COUNT,
	CAUSE_BYTES,
	CAUSE_DURATION,
	CAUSE_SEGMENTS,
	CAUSE_SIGNAL,
	CAUSE_STDIN_CLOSED,
	CAUSE_END_OF_FILE,
	CAUSE_INTERFACE_GONE,
	CAUSE_INPUT_FAILED,
	CAUSE_OUTPUT_FAILED,
	CAUSE_FEEDBACK,
	CAUSE_EVENT,	/* --until has come, and --after is over */
	CAUSE_SNAPSHOT, /* it was of a recorder, which goes on */
};

/* A limit that counts packets: what is still in the ring when it is reached was not asked for. */
static inline bool cause_is_limit(enum cause cause)
{
	return cause == CAUSE_COUNT || cause == CAUSE_BYTES || cause == CAUSE_SEGMENTS;
}

#endif
