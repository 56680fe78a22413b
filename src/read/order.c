#include "read/order.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/copy.h"

/* Records in the area that a struct packet_run can tell of. */
struct order_run {
	struct packet_origin origin; /* of the first */
	uint32_t at, size, count;
	uint64_t last;
};

/* While runs are merged: one of which some is left, by the time of its first packet. */
struct order_head {
	uint64_t time;
	uint32_t run;
};

/*
 * Beside its own bytes a record counts as these: what it takes at most, as a run of its own with a head, is no more
 * than twice as much. So the area is never full before the window is.
 */
#define EXTRA sizeof(struct packet_origin)

_Static_assert(sizeof(struct packet_header) + sizeof(struct order_run) + sizeof(struct order_head) <=
		       2 * (sizeof(struct packet_header) + EXTRA),
	       "what records count as covers what they take");

int order_open(struct order *order, size_t memory, order_output *output, void *context, struct err *err)
{
	const size_t aligned = sizeof(struct order_head); /* heads begin where records end */

	*order = (struct order){.output = output, .context = context, .limit = memory / 2};
	order->size = memory / aligned * aligned + 2 * aligned;
	order->area = malloc(order->size);
	if (!order->area)
		return err_sys(err, ENOMEM, "memory for sorting");
	order->table = (struct order_run *)(void *)(order->area + order->size);
	return 0;
}

void order_close(struct order *order)
{
	free(order->area);
	order->area = NULL;
}

static struct order_run *run_at(const struct order *order, size_t i)
{
	return order->table - 1 - i;
}

static size_t charge(size_t size, uint32_t count)
{
	return size + count * EXTRA;
}

/* What is late goes out first, as it came. */
static uint64_t in_time(const struct order *order, uint64_t time)
{
	return time < order->written ? order->written : time;
}

static uint64_t time_of(const struct order *order, const struct order_run *run)
{
	struct packet_header header;

	memcpy(&header, order->area + run->at, sizeof(header));
	return in_time(order, packet_time(&header, run->origin.tick));
}

/* Bytes between the records and the table. */
static size_t gap(const struct order *order)
{
	return order->size - order->end - order->runs * sizeof(struct order_run);
}

/* Close the gaps that the written records leave. */
static void compact(struct order *order)
{
	size_t end = 0, runs = 0;

	for (size_t i = order->begin; i < order->runs; i++) {
		struct order_run run = *run_at(order, i);

		if (run.count == 0)
			continue;
		memmove(order->area + end, order->area + run.at, run.size);
		run.at = (uint32_t)end;
		end += run.size;
		*run_at(order, runs++) = run;
	}
	order->begin = 0;
	order->runs = runs;
	order->end = end;
}

/* --- writing --- */

/* The first records of a run, one at least, until they count as wanted bytes or one is later. */
static struct packet_run first_part(const struct order *order, const struct order_run *run, uint64_t until,
				    size_t wanted)
{
	struct packet_run part = {.records = order->area + run->at, .origin = run->origin};

	do {
		struct packet_header header;
		uint64_t time;

		memcpy(&header, part.records + part.size, sizeof(header));
		time = packet_time(&header, run->origin.tick);
		if (part.count > 0 && time > until)
			break;
		part.size += sizeof(header) + header.caplen;
		part.last = time;
	} while (++part.count < run->count && charge(part.size, part.count) < wanted);
	return part;
}

static struct packet_run part_of(const struct order *order, const struct order_run *run, uint64_t until, size_t wanted)
{
	if (run->last > until || charge(run->size, run->count) > wanted)
		return first_part(order, run, until, wanted);
	return (struct packet_run){order->area + run->at, run->size, run->count, run->origin, run->last};
}

static int write_part(struct order *order, struct order_run *run, uint64_t until, size_t wanted, struct err *err)
{
	struct packet_run part = part_of(order, run, until, wanted);

	if (order->output(order->context, &part, err) < 0)
		return -1;
	order->written = in_time(order, part.last);
	order->charged -= charge(part.size, part.count);
	run->origin.number = packet_number_after(&run->origin, part.count);
	run->at += (uint32_t)part.size;
	run->size -= (uint32_t)part.size;
	run->count -= part.count;
	return 0;
}

/* Until so many bytes are left. */
static int write_in_order(struct order *order, size_t left, struct err *err)
{
	while (order->charged > left) {
		struct order_run *run = run_at(order, order->begin);

		if (write_part(order, run, UINT64_MAX, order->charged - left, err) < 0)
			return -1;
		order->begin += run->count == 0;
	}
	if (gap(order) < order->limit / 2)
		compact(order);
	return 0;
}

/* --- the same, where runs lie over each other in time --- */

static bool is_before(const struct order_head *a, const struct order_head *b)
{
	return a->time != b->time ? a->time < b->time : a->run < b->run;
}

/* A heap, but for the one at that place. */
static void sift(struct order_head *heads, size_t count, size_t at)
{
	struct order_head head = heads[at];

	for (size_t child; (child = 2 * at + 1) < count; at = child) {
		child += child + 1 < count && is_before(&heads[child + 1], &heads[child]);
		if (is_before(&head, &heads[child]))
			break;
		heads[at] = heads[child];
	}
	heads[at] = head;
}

/* Behind the records. */
static struct order_head *make_heads(struct order *order, size_t *count)
{
	size_t aligned = sizeof(struct order_head), at;
	struct order_head *heads;

	*count = order->runs - order->begin;
	if (gap(order) < (*count + 1) * aligned)
		compact(order);
	at = (order->end + aligned - 1) / aligned * aligned;
	heads = (struct order_head *)(void *)(order->area + at);
	for (size_t i = 0; i < *count; i++)
		heads[i] = (struct order_head){time_of(order, run_at(order, order->begin + i)),
					       (uint32_t)(order->begin + i)};
	for (size_t i = *count / 2; i-- > 0;)
		sift(heads, *count, i);
	return heads;
}

/* The latest time that may go before the first of any other run. */
static uint64_t until_others(const struct order_head *heads, size_t count)
{
	const struct order_head *next = &heads[1];

	if (count == 1)
		return UINT64_MAX;
	if (count > 2 && is_before(&heads[2], next))
		next = &heads[2];
	return next->time - (heads[0].run > next->run);
}

static bool is_disordered(const struct order *order)
{
	for (size_t i = order->begin + 1; i < order->runs; i++) {
		if (time_of(order, run_at(order, i)) < in_time(order, run_at(order, i - 1)->last))
			return true;
	}
	return false;
}

static int merge(struct order *order, size_t left, struct err *err)
{
	size_t count;
	struct order_head *heads = make_heads(order, &count);
	int result = 0;

	while (order->charged > left && result == 0) {
		struct order_run *run = run_at(order, heads->run);

		result = write_part(order, run, until_others(heads, count), order->charged - left, err);
		if (run->count > 0)
			heads->time = time_of(order, run);
		else
			*heads = heads[--count];
		sift(heads, count, 0);
	}
	compact(order);
	order->disordered = is_disordered(order);
	return result;
}

/* The earliest records, at least wanted bytes of them. */
static int write_earliest(struct order *order, size_t wanted, struct err *err)
{
	size_t left = order->charged - wanted;

	return order->disordered ? merge(order, left, err) : write_in_order(order, left, err);
}

/* --- adding --- */

static bool same_origin(const struct packet_origin *a, const struct packet_origin *b)
{
	return a->tick == b->tick && a->interface == b->interface && a->flags == b->flags && a->member == b->member;
}

/* Does what is added go on where the latest run ends? */
static bool extends(const struct order_run *run, const struct packet_origin *origin, uint64_t first)
{
	return first >= run->last && same_origin(&run->origin, origin) &&
	       packet_number_after(&run->origin, run->count) == origin->number;
}

static void begin_run(struct order *order, const struct packet_origin *origin)
{
	*run_at(order, order->runs++) = (struct order_run){.origin = *origin, .at = (uint32_t)order->end};
}

/* Where the records of a run are to be copied to: there is room for them in the window. first: time of the first. */
static unsigned char *place(struct order *order, const struct packet_run *added, uint64_t first)
{
	struct order_run *run;
	unsigned char *to;

	if (gap(order) < added->size + sizeof(*run))
		compact(order);
	run = order->runs > order->begin ? run_at(order, order->runs - 1) : NULL;
	if (run && in_time(order, first) < in_time(order, run->last))
		order->disordered = true;
	if (!run || !extends(run, &added->origin, first))
		begin_run(order, &added->origin);
	run = run_at(order, order->runs - 1);
	to = order->area + order->end;
	order->end += added->size;
	order->charged += charge(added->size, added->count);
	order->packets += added->count;
	run->size += (uint32_t)added->size;
	run->count += added->count;
	run->last = added->last;
	return to;
}

static size_t room(const struct order *order)
{
	return order->limit - order->charged;
}

int order_add(struct order *order, const struct packet *packet, struct err *err)
{
	uint64_t time = packet_time(&packet->header, packet->origin.tick);
	struct packet_run run = {.size = sizeof(packet->header) + packet->header.caplen,
				 .count = 1,
				 .origin = packet->origin,
				 .last = time};
	unsigned char *to;

	while (room(order) < charge(run.size, 1)) {
		if (write_earliest(order, order->charged / 2, err) < 0)
			return -1;
	}
	order->late += time < order->written;
	to = place(order, &run, time);
	memcpy(to, &packet->header, sizeof(packet->header));
	copy(to + sizeof(packet->header), packet->data, packet->header.caplen);
	return 0;
}

/* The first packets of a run: as many as there is room for. */
static struct packet_run fitting(const struct order *order, const struct packet_run *run)
{
	struct packet_run rest = *run, part = *run;

	if (charge(run->size, run->count) <= room(order))
		return *run;
	part.count = 0;
	part.size = 0;
	while (rest.count > 0) {
		struct packet packet;

		packet_run_take(&rest, &packet);
		if (charge(run->size - rest.size, part.count + 1) > room(order))
			break;
		part.size = run->size - rest.size;
		part.last = packet_time(&packet.header, run->origin.tick);
		part.count++;
	}
	return part;
}

int order_add_run(struct order *order, const struct packet_run *run, struct err *err)
{
	struct packet_run rest = *run;

	while (rest.count > 0) {
		uint64_t time = packet_run_time(&rest);
		struct packet_run part = fitting(order, &rest);
		struct packet first;

		if (part.count == 0 || time < order->written) {
			packet_run_take(&rest, &first);
			if (order_add(order, &first, err) < 0)
				return -1;
			continue;
		}
		memcpy(place(order, &part, time), part.records, part.size);
		packet_run_drop(&rest, part.count, part.size);
	}
	return 0;
}

int order_flush(struct order *order, struct err *err)
{
	return write_earliest(order, order->charged, err);
}
