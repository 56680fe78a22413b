#include "read/several.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/naming.h"
#include "read/packets.h"

#define ETHERNET 1 /* its link type */

struct one {
	struct several *all;
	size_t index; /* among all */
	struct several_result result;
	struct input *input;
	struct join *join;	 /* of an archive, */
	struct packets *packets; /* or a file of packets: */
	int places[PCAPNG_READ_INTERFACES_MAX];
	uint64_t left_out; /* packets that have no place in the output */
};

/* Where an interface of the output comes from. */
struct origin {
	const struct one *one;
	char series[JOINED_SERIES_SIZE];
};

struct several {
	struct several_setup setup;
	size_t count;
	bool running[SOURCES_MAX];
	uint64_t latest[SOURCES_MAX];
	struct one *list[SOURCES_MAX];
	struct err *err; /* of the output, while it runs */
	struct order order;
	struct origin origins[JOINED_INTERFACES];
	struct joined joined;
};

/* --- names --- */

const char *several_base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

static bool is_taken(const struct several *several, const struct one *one, const char *name)
{
	for (size_t i = 0; i < several->count; i++) {
		const struct one *other = several->list[i];

		if (other != one && strcmp(other->result.name, name) == 0)
			return true;
	}
	return false;
}

/* The archive's directory, or the file's name; doubles get a number. */
static void give_name(struct one *one)
{
	const char *path = one->join ? join_directory(one->join) : several_base_name(one->result.path);
	int length = (int)strnlen(path, SEVERAL_NAME_SIZE - 8);
	char *name = one->result.name;

	while (length > 0 && path[length - 1] == '/')
		length--;
	if (length == 0) {
		path = several_base_name(one->result.path);
		length = (int)strnlen(path, SEVERAL_NAME_SIZE - 8);
	}
	snprintf(name, SEVERAL_NAME_SIZE, "%.*s", length, path);
	for (unsigned number = 2; is_taken(one->all, one, name); number++)
		snprintf(name, SEVERAL_NAME_SIZE, "%.*s-%u", length, path, number);
}

/* --- packets --- */

static int take_described(void *context, const char *series, const struct pcap_read *records)
{
	struct one *one = context;
	struct several *several = one->all;
	const char *name = records->interface.name;
	char label[SEVERAL_NAME_SIZE + sizeof(records->interface.name) + 1], key[JOINED_SERIES_SIZE];
	int place;

	if (!one->result.name[0])
		give_name(one);
	if (!name[0])
		name = one->join ? join_interface_name(one->join, series) : series;
	snprintf(label, sizeof(label), "%s%s%s", one->result.name, name[0] ? "/" : "", name);
	snprintf(key, sizeof(key), "%zu/%s", one->index, series);
	several->joined.label = label;
	place = joined_find(&several->joined, key, records);
	several->joined.label = NULL;
	if (place >= 0) {
		several->origins[place].one = one;
		snprintf(several->origins[place].series, JOINED_SERIES_SIZE, "%s", series);
	}
	return place;
}

/* Never before 1970, nor after the 136 years that a record's seconds have. */
static uint64_t corrected(const struct one *one, uint64_t time)
{
	const int64_t *offsets = one->all->setup.offsets;
	int64_t offset = offsets ? offsets[one->index] : 0;
	const uint64_t most = (UINT64_C(1) << 32) * CLOCK_SECOND - 1;

	if (offset < 0)
		time = time > (uint64_t)-offset ? time - (uint64_t)-offset : 0;
	else
		time += (uint64_t)offset;
	return time < most ? time : most;
}

/* Its time is corrected already. */
static void put_in_order(struct one *one, int place, uint64_t time, const struct packet *packet)
{
	struct several *several = one->all;
	struct packet copy = *packet;

	one->result.packets++;
	if (time > several->latest[one->index])
		several->latest[one->index] = time;
	if (!several->setup.output || several->err->status)
		return;
	copy.header.seconds = (uint32_t)(time / CLOCK_SECOND);
	copy.header.fraction = (uint32_t)(time % CLOCK_SECOND);
	copy.origin.tick = PACKET_TICK_NANO;
	copy.origin.interface = (uint32_t)place;
	order_add(&several->order, &copy, several->err);
}

static void take_of_archive(void *context, unsigned interface, uint64_t time, const struct packet *packet,
			    const struct join_place *where)
{
	struct one *one = context;

	(void)where;
	put_in_order(one, (int)interface, corrected(one, time), packet);
}

static void take_foreign(void *context, const struct pcap_read *records)
{
	struct one *one = context;

	one->places[records->interface_number] = take_described(one, records->interface.name, records);
}

/* One without a time has that of the latest. */
static void take_of_file(void *context, const struct pcap_read *records, struct packet *packet)
{
	struct one *one = context;
	int place = one->places[packet->origin.interface];

	if (place < 0) {
		one->left_out++;
		return;
	}
	put_in_order(one, place, records->timed ? corrected(one, records->time) : one->all->latest[one->index], packet);
}

/* --- opening --- */

static size_t slice_of(const struct several *several)
{
	size_t slice = several->setup.memory / 8 / several->count;

	return slice < MEMBERS_BUFFER ? slice : MEMBERS_BUFFER;
}

static void open_archive(struct one *one, struct err *err)
{
	struct join_setup setup = {
		.input = one->input,
		.slice = slice_of(one->all),
		.memory = JOIN_MEMORY_MIN,
		.interface = take_described,
		.packet = take_of_archive,
		.packet_context = one,
	};

	one->join = join_open(&setup, err);
	if (one->join)
		join_begin(one->join, &one->result.joined, err);
}

static void open_file(struct one *one, struct err *err)
{
	struct packets_setup setup = {
		.input = one->input,
		.slice = slice_of(one->all),
		.context = one,
		.interface = take_foreign,
		.packet = take_of_file,
	};

	one->packets = packets_open(&setup, err);
}

/* What cannot be read is its own misfortune; without memory there is nothing at all. */
static int begin_one(struct one *one, struct err *err)
{
	enum input_content content;

	if (input_look(one->input, &content, &one->result.err) < 0)
		return 0;
	if (content == INPUT_PACKETS)
		open_file(one, err);
	else
		open_archive(one, err);
	one->all->running[one->index] = true;
	return err->status ? -1 : 0;
}

static struct one *open_each(struct several *several, size_t index, struct err *err)
{
	struct source *source = &several->setup.sources->list[index];
	struct one *one = calloc(1, sizeof(*one));

	if (!one) {
		err_sys(err, ENOMEM, "memory for joining");
		return NULL;
	}
	*one = (struct one){.all = several, .index = index, .result.path = source_short_name(source)};
	one->input = input_open(source_read, source, err);
	one->result.input = one->input;
	return one;
}

struct several *several_open(const struct several_setup *setup, struct err *err)
{
	struct several *several = calloc(1, sizeof(*several));

	if (!several) {
		err_sys(err, ENOMEM, "memory for joining");
		return NULL;
	}
	several->setup = *setup;
	several->count = setup->sources->count;
	joined_init(&several->joined, setup->output, setup->output_context);
	if (setup->output)
		order_open(&several->order, setup->memory, joined_put, &several->joined, err);
	for (size_t i = 0; i < several->count && !err->status; i++)
		several->list[i] = open_each(several, i, err);
	if (!err->status)
		return several;
	several_close(several);
	return NULL;
}

void several_close(struct several *several)
{
	if (!several)
		return;
	for (size_t i = 0; i < several->count; i++) {
		struct one *one = several->list[i];

		if (!one)
			continue;
		join_close(one->join);
		packets_close(one->packets);
		input_close(one->input);
		free(one);
	}
	order_close(&several->order);
	free(several);
}

/* --- running --- */

size_t several_next(const bool *running, const uint64_t *latest, size_t count)
{
	size_t next = count;

	for (size_t i = 0; i < count; i++) {
		if (running[i] && (next == count || latest[i] < latest[next]))
			next = i;
	}
	return next;
}

static void step(struct one *one)
{
	struct err *err = &one->result.err;

	one->all->running[one->index] = one->join ? join_step(one->join, err) : packets_step(one->packets, err);
}

static void finish_file(struct one *one)
{
	struct packets *packets = one->packets;

	packets_finish(packets);
	if (one->left_out)
		defects_note(&packets->defects, DEFECT_HEADER, "%llu packets are left out (%s)",
			     (unsigned long long)one->left_out, joined_why(JOINED_OTHER));
	one->result.defects = &packets->defects;
}

static void finish_one(struct one *one)
{
	if (one->join) {
		join_finish(one->join, &one->result.err);
		one->result.archive = one->result.joined.found;
		one->result.defects = one->result.archive ? one->result.joined.defects : NULL;
	} else if (one->packets) {
		finish_file(one);
	}
	if (!one->result.name[0])
		give_name(one);
}

/* What the manifests tell of each interface that is in the output. */
static int put_statistics(struct several *several, struct err *err)
{
	for (unsigned place = 0; place < several->joined.count; place++) {
		const struct joined_interface *interface = &several->joined.interfaces[place];
		const struct origin *origin = &several->origins[place];
		struct pcapng_statistics statistics = {
			.start = interface->first, .end = interface->last, .delivered = interface->packets};

		if (interface->packets && origin->one && origin->one->result.archive &&
		    verify_counters(origin->one->result.joined.verify, origin->series, &statistics.accepted,
				    &statistics.dropped) &&
		    joined_statistics(&several->joined, place, &statistics, err) < 0)
			return -1;
	}
	return 0;
}

/* Also where no packet came: a file that can be opened. */
static int finish_output(struct several *several, struct err *err)
{
	struct pcapng_interface only = {.snaplen = PCAP_READ_CAPLEN_MAX, .link_type = ETHERNET};

	if (order_flush(&several->order, err) < 0)
		return -1;
	several->joined.pcapng = true;
	pcapng_text(only.name, sizeof(only.name), several->list[0]->result.name);
	return joined_begin(&several->joined, &only, err) < 0 ? -1 : put_statistics(several, err);
}

int several_run(struct several *several, struct err *err)
{
	size_t next;

	several->err = err;
	for (size_t i = 0; i < several->count; i++) {
		if (begin_one(several->list[i], err) < 0)
			return -1;
	}
	while (!err->status &&
	       (next = several_next(several->running, several->latest, several->count)) < several->count)
		step(several->list[next]);
	for (size_t i = 0; i < several->count; i++)
		finish_one(several->list[i]);
	if (err->status || !several->setup.output)
		return err->status ? -1 : 0;
	return finish_output(several, err);
}

const struct several_result *several_result(const struct several *several, size_t i)
{
	return &several->list[i]->result;
}

uint64_t several_late(const struct several *several)
{
	return several->order.late;
}
