/* Keeps a capture's account while it runs. */
#ifndef TARCAP_LEDGER_H
#define TARCAP_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/account.h"
#include "capture/capture.h"
#include "capture/segments.h"

#define LEDGER_GAPS 64

/* Packets that the kernel dropped, and how many it had accepted when we saw that: the gap lies about there. */
struct ledger_gap {
	uint64_t accepted, dropped;
};

struct ledger {
	struct capture *capture;
	struct series *series;
	struct account *account;
	bool held;		  /* the pool is full, the ring is not being read */
	uint64_t dropped_at_hold; /* by the kernel, when that began */
	uint64_t started;	  /* ns since the epoch */
	uint64_t sealed_seen;
	uint64_t dropped_seen; /* of what the kernel dropped, how much is in gaps, or was charged to a file */
	struct ledger_gap gaps[LEDGER_GAPS]; /* that no file has been charged with, oldest first */
	unsigned gap_count;
};

/* All stay the caller's. */
void ledger_init(struct ledger *ledger, struct capture *capture, struct series *series, struct account *account);

/* Bring the capture's counters up to date, and note what is new in them. */
void ledger_count(struct ledger *ledger);

/*
 * If a segment was sealed since the last call, charge it with what the kernel dropped before its last packet. When the
 * ring was full, the gap lies behind all that was in it then: it is some files until that comes. A pcapng file gets the
 * counters of now.
 */
bool ledger_seal(struct ledger *ledger);

/* The counters of now, for a pcapng file that ends: a file's clock is its packets'. */
void ledger_statistics(const struct ledger *ledger, struct pcapng_statistics *statistics);

/* Reading is held up because the pool is full, or no longer; true if that is new. A file is never held. */
bool ledger_hold(struct ledger *ledger, bool held);

/* Packets in the ring that the kernel has accepted and we have not read, as of the last capture_count(). */
uint64_t ledger_in_ring(const struct ledger *ledger);

/* The account of now, while it goes on: nothing is charged with what is in the ring. */
struct account ledger_account(const struct ledger *ledger);

/* No more will be read: what is left in the ring is charged to cause. */
void ledger_close(struct ledger *ledger, enum cause cause);

/* What of the series has been given up was counted as written and will not be, because of cause. */
void ledger_take_back(struct ledger *ledger, enum cause cause);

#endif
