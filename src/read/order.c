#include "read/order.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* One record in the window. No two have the same place, and a later one has a higher: so any sort is stable. */
struct order_slot {
	uint64_t time;
	uint32_t at;
};

/* What stands in front of a packet's data in the buffer. */
struct order_record {
	struct packet_header header;
	struct packet_origin origin;
};

/* Marks a record in the buffer as written, where its caplen is. */
#define WRITTEN UINT32_C(0x80000000)

int order_open(struct order *order, size_t memory, order_output *output, void *context, struct err *err)
{
	_Static_assert(sizeof(struct order_slot) <= sizeof(struct order_record), "the index fits its half");

	*order = (struct order){.output = output, .context = context, .size = memory / 2};
	order->buffer = malloc(order->size);
	order->slots = malloc(order->size);
	if (order->buffer && order->slots)
		return 0;
	order_close(order);
	return err_sys(err, ENOMEM, "memory for sorting");
}

void order_close(struct order *order)
{
	free(order->buffer);
	free(order->slots);
	order->buffer = NULL;
	order->slots = NULL;
}

static int by_time(const void *left, const void *right)
{
	const struct order_slot *a = left, *b = right;

	if (a->time != b->time)
		return a->time < b->time ? -1 : 1;
	return a->at < b->at ? -1 : 1;
}

/* The record that begins there: behind those that have a slot. */
static void add_slot(struct order *order, const struct order_record *record, size_t at)
{
	uint64_t time = packet_time(&record->header, record->origin.tick);

	/* What is late goes out first, as it came. */
	if (order->started && time < order->written)
		time = order->written;
	if (order->count > 0 && time < order->slots[order->count - 1].time)
		order->disordered = true;
	order->slots[order->count++] = (struct order_slot){time, (uint32_t)at};
}

static void index_records(struct order *order)
{
	order->count = 0;
	order->disordered = false;
	for (size_t at = 0; at < order->used;) {
		struct order_record record;

		memcpy(&record, order->buffer + at, sizeof(record));
		add_slot(order, &record, at);
		at += sizeof(record) + record.header.caplen;
	}
}

static int write_record(struct order *order, const struct order_slot *slot, size_t *size, struct err *err)
{
	struct order_record record;
	struct packet packet;

	memcpy(&record, order->buffer + slot->at, sizeof(record));
	packet = (struct packet){record.header, record.origin, order->buffer + slot->at + sizeof(record)};
	*size = sizeof(record) + record.header.caplen;
	if (order->output(order->context, &packet, err) < 0)
		return -1;
	if (order->disordered) {
		record.header.caplen |= WRITTEN;
		memcpy(order->buffer + slot->at, &record, sizeof(record));
	}
	order->started = true;
	order->written = slot->time;
	return 0;
}

/* Close the gaps that the written records leave. */
static void compact(struct order *order)
{
	size_t to = 0;

	for (size_t from = 0; from < order->used;) {
		struct order_record record;
		size_t size;

		memcpy(&record, order->buffer + from, sizeof(record));
		size = sizeof(record) + (record.header.caplen & ~WRITTEN);
		if (!(record.header.caplen & WRITTEN)) {
			memmove(order->buffer + to, order->buffer + from, size);
			to += size;
		}
		from += size;
	}
	order->used = to;
}

/* The first records, of so many bytes, are those that were written. */
static void drop_first(struct order *order, size_t count, size_t bytes)
{
	order->used -= bytes;
	order->count -= count;
	memmove(order->buffer, order->buffer + bytes, order->used);
	for (size_t i = 0; i < order->count; i++)
		order->slots[i] =
			(struct order_slot){order->slots[i + count].time, order->slots[i + count].at - (uint32_t)bytes};
}

/* Write the earliest records, at least wanted bytes of them. */
static int write_earliest(struct order *order, size_t wanted, struct err *err)
{
	size_t done = 0, size, i;
	int result = 0;

	if (order->disordered)
		qsort(order->slots, order->count, sizeof(*order->slots), by_time);
	for (i = 0; i < order->count && done < wanted && result == 0; i++, done += size)
		result = write_record(order, &order->slots[i], &size, err);
	if (!order->disordered) {
		drop_first(order, i, done);
	} else {
		compact(order);
		index_records(order);
	}
	return result;
}

int order_add(struct order *order, const struct packet *packet, struct err *err)
{
	struct order_record record = {packet->header, packet->origin};
	size_t size = sizeof(record) + packet->header.caplen;
	unsigned char *to;

	while (order->size - order->used < size) {
		if (write_earliest(order, order->used / 2, err) < 0)
			return -1;
	}
	add_slot(order, &record, order->used);
	to = order->buffer + order->used;
	memcpy(to, &record, sizeof(record));
	memcpy(to + sizeof(record), packet->data, packet->header.caplen);
	order->used += size;
	order->packets++;
	if (order->started && packet_time(&packet->header, packet->origin.tick) < order->written)
		order->late++;
	return 0;
}

int order_flush(struct order *order, struct err *err)
{
	return write_earliest(order, order->used, err);
}
