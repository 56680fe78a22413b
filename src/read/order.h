/* Packets by time, within a window of fixed memory. */
#ifndef TARCAP_ORDER_H
#define TARCAP_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/packet.h"

#define ORDER_MEMORY_MIN ((size_t)2 << 20) /* half of it, halved, holds the longest record */

/* Takes packets, which are not empty, and valid until it returns; -1 with *err set when it cannot. */
typedef int order_output(void *context, const struct packet_run *run, struct err *err);

/* Packets came in runs, mostly: a run in the window is one thing to do, however many packets it has. */
struct order {
	uint64_t packets; /* taken */
	uint64_t late;	  /* of these, earlier than one that had been written */

	order_output *output;
	void *context;
	unsigned char *area;	 /* records from its beginning, in the order in which they came; NULL: not open, */
	struct order_run *table; /* and what they are before its end, the first run last */
	size_t size, end;	 /* of the area, and of the records in it */
	size_t begin, runs;	 /* in the table: those before begin are written */
	size_t limit, charged;	 /* bytes that records count as: at most, and now */
	bool disordered;	 /* some run begins before the end of the one before it */
	uint64_t written;	 /* the latest time among the records written, ns */
};

/*
 * memory: bytes in all, ORDER_MEMORY_MIN to 1 GiB: half for the window, half for its index, which so has room even for
 * records without data. Untouched pages cost nothing. The context stays the caller's.
 */
int order_open(struct order *order, size_t memory, order_output *output, void *context, struct err *err);
void order_close(struct order *order);

/*
 * Take a packet of at most PCAP_READ_CAPLEN_MAX bytes, which is copied. When the window is full, the earlier half of it
 * is written first: equal times in the order they came, and so is what comes too late. -1: the output has failed.
 */
int order_add(struct order *order, const struct packet *packet, struct err *err);

/* The same for each packet of a run. */
int order_add_run(struct order *order, const struct packet_run *run, struct err *err);

/* Write all that is left. */
int order_flush(struct order *order, struct err *err);

#endif
