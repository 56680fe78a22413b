/* Packets by time, within a window of fixed memory. */
#ifndef TARCAP_ORDER_H
#define TARCAP_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/packet.h"

#define ORDER_MEMORY_MIN ((size_t)2 << 20) /* half of it, halved, holds the longest record */

/* Takes a packet, whose data is valid until it returns; -1 with *err set when it cannot. */
typedef int order_output(void *context, const struct packet *packet, struct err *err);

struct order {
	uint64_t packets; /* taken */
	uint64_t late;	  /* of these, earlier than one that had been written */

	order_output *output;
	void *context;
	unsigned char *buffer; /* packets as they came, each a struct order_record and its data */
	struct order_slot *slots;
	size_t size, used; /* of the buffer */
	size_t count;	   /* of the slots */
	bool disordered;   /* some slot is earlier than the one before it */
	bool started;
	uint64_t written; /* the latest time among the records written, ns */
};

/*
 * memory: bytes in all, ORDER_MEMORY_MIN to 1 GiB: half for the records, half for their index, which so has room even
 * for records without data. Untouched pages cost nothing. The context stays the caller's.
 */
int order_open(struct order *order, size_t memory, order_output *output, void *context, struct err *err);
void order_close(struct order *order);

/*
 * Take a packet of at most PCAP_READ_CAPLEN_MAX bytes, which is copied. When the window is full, the earlier half of it
 * is written first: equal times in the order they came, and so is what comes too late. -1: the output has failed.
 */
int order_add(struct order *order, const struct packet *packet, struct err *err);

/* Write all that is left. */
int order_flush(struct order *order, struct err *err);

#endif
