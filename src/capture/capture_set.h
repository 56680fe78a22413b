/* All that is captured at once: an interface, several that share the ring, or a file. */
#ifndef TARCAP_CAPTURE_SET_H
#define TARCAP_CAPTURE_SET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/account.h"
#include "base/err.h"
#include "capture/capture.h"
#include "capture/interfaces.h"
#include "capture/ledger.h"
#include "capture/segments.h"
#include "format/manifest_layout.h"
#include "request/options.h"

/* Interfaces that are not captured: MANIFEST_LEFT_OUT by name, so many counted, of more "at least" so many. */
#define CAPTURE_SET_LEFT_OUT_COUNTED 4096

struct interface {
	struct capture capture;
	struct series series;
	struct ledger ledger;
	struct account account;
	char found[INTERFACES_NAME_SIZE];	   /* its name, when it was us who found it */
	char addresses[INTERFACES_ADDRESSES_SIZE]; /* as text, or INTERFACES_NO_ADDRESS; "" where that is not known */
	bool down, gone;
	uint64_t gone_at;		/* ns since the epoch */
	uint64_t dropped_said, said_at; /* the last line about its losses; boot time */
};

struct left_out {
	char name[32];
	char why[100];
};

/* The event that --until waits for. */
struct capture_event {
	unsigned until;		     /* which of options->until, from 0 */
	const char *what;	     /* its text */
	uint64_t time;		     /* ns since the epoch: the packet's, or when silence was complete */
	const struct series *series; /* of the packet; NULL: it is none */
	uint32_t number;	     /* of the packet's file; 0: it is in none */
	uint64_t packet;	     /* its place there, from 1 */
	uint64_t count;		     /* events so far; 0: none has come, and the rest means nothing */
	bool sets_end;		     /* reading a file: the duration that is left is by it */
};

struct capture_set {
	struct interface *list; /* never empty once opened */
	unsigned count;
	struct left_out left_out[MANIFEST_LEFT_OUT];
	int left_out_index[CAPTURE_SET_LEFT_OUT_COUNTED]; /* of those counted */
	unsigned left_out_count;
	bool left_out_at_least; /* there may be more: more than we count, or than the kernel could tell */
	bool until, first;	/* --until, and --first, were asked for: then event, and what was cut, mean something */
	struct capture_event event;
	uint64_t ring_asked; /* bytes for all that are captured */
	int ready_fd;	     /* ready.h; 0: each is asked */
};

/*
 * Open the interfaces that the options name, or the first usable one, as capture_open_live() does. They share the ring,
 * but PLAN_RING_MIN is the least for each. Of all interfaces, those that cannot be captured are left out.
 */
MUST_CHECK int capture_set_open_live(struct capture_set *captures, const struct options *options, struct err *err);

/* Open options->read_file: see capture_open_file(). */
MUST_CHECK int capture_set_open_file(struct capture_set *captures, const struct options *options, int interrupt_fd,
				     struct err *err);
void capture_set_close(struct capture_set *captures);

MUST_CHECK int capture_set_fire(struct capture_set *captures, struct err *err);
void capture_set_disarm(struct capture_set *captures);

/* Note that an interface is not captured; false if that was known, or there are too many. ifindex 0: nobody knows. */
bool capture_set_leave_out(struct capture_set *captures, int ifindex, const char *name, const char *why);

/* The sums over all. */
struct capture_set_sum {
	uint64_t received, dropped, read;
	uint64_t in_ring; /* accepted and not read, as of the last count */
	uint64_t ring, ring_least;
	bool ring_unknown; /* of one at least: then there is at most so much ring */
};
struct capture_set_sum capture_set_sum(const struct capture_set *captures);
struct account capture_set_account(const struct capture_set *captures);

/* Is every interface in promiscuous mode? */
bool capture_set_promiscuous(const struct capture_set *captures);

/* What is left out as our own stream: the same wherever it is; "" where it is nowhere. */
const char *capture_set_excluded(const struct capture_set *captures);

/* Bytes of the ring that is fullest: see ring_filled(). */
uint64_t capture_set_ring_filled(const struct capture_set *captures);

#endif
