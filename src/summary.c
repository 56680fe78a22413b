#include "summary.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "expand.h"
#include "join.h"
#include "records.h"

#define BUFFER_SIZE ((size_t)128 << 10)
#define MAGIC_SIZE 4

enum content {
	CONTENT_ARCHIVE, /* or anything else */
	CONTENT_PACKETS,
	CONTENT_COMPRESSED,
	CONTENT_SWAPPED,
};

struct reading {
	members_source *source;
	void *context;
	unsigned char magic[MAGIC_SIZE]; /* read before it was known for whom */
	size_t magic_size, magic_given;

	struct summary summary;
	struct conversations *conversations;
	struct join *join; /* of an archive */

	/* Of a file of packets. */
	struct findings findings;
	struct verify_told told;
	struct expand *expand; /* of a compressed one */
	struct records records;
	unsigned places[BLOCKS_INTERFACES_MAX]; /* of its interfaces */
	unsigned char buffer[BUFFER_SIZE];
};

struct reading *summary_open(members_source *source, void *context, const struct siphash_key *key, struct err *err)
{
	struct reading *reading = calloc(1, sizeof(*reading));

	if (!reading) {
		err_sys(err, ENOMEM, "memory for reading");
		return NULL;
	}
	reading->source = source;
	reading->context = context;
	reading->conversations = conversations_open(key, err);
	if (reading->conversations)
		return reading;
	summary_close(reading);
	return NULL;
}

void summary_close(struct reading *reading)
{
	if (!reading)
		return;
	conversations_close(reading->conversations);
	join_close(reading->join);
	expand_close(reading->expand);
	free(reading);
}

/* --- packets --- */

/* Those that are too many share the last place. */
static unsigned take_interface(void *context, const char *name, const struct records *records)
{
	struct reading *reading = context;
	struct summary *summary = &reading->summary;
	struct summary_interface *interface = summary->interfaces;
	uint32_t link_type = records->interface.link_type & 0xffff; /* above it pcap has other things */
	unsigned place = 0;

	for (; place < summary->interface_count; place++, interface++) {
		if (interface->link_type == link_type && strcmp(interface->name, name) == 0)
			return place;
	}
	if (place < SUMMARY_INTERFACES) {
		summary->interface_count++;
		snprintf(interface->name, sizeof(interface->name), "%s", name);
	}
	interface->link_type = link_type;
	return place;
}

static void take_packet(void *context, unsigned place, uint64_t time, const struct packet *packet)
{
	struct reading *reading = context;
	struct summary *summary = &reading->summary;
	struct summary_interface *interface = &summary->interfaces[place];
	uint64_t bytes = packet->header.length;
	struct dissected dissected;

	dissect(&dissected, interface->link_type, packet->data, packet->header.caplen);
	if (summary->packets == 0 || time < summary->first)
		summary->first = time;
	if (time > summary->last)
		summary->last = time;
	summary->packets++;
	summary->bytes += bytes;
	summary->kept += packet->header.caplen;
	interface->packets++;
	interface->bytes += bytes;
	protocols_add(&summary->protocols, &dissected, bytes);
	histogram_add(&summary->histogram, time, bytes);
	if (dissected.version)
		conversations_add(reading->conversations, &dissected, time, bytes);
	else
		summary->without_addresses++;
}

/* --- an archive --- */

/* What has been read already comes first. */
static ssize_t read_again(void *context, void *data, size_t size)
{
	struct reading *reading = context;
	size_t left = reading->magic_size - reading->magic_given;

	if (left == 0)
		return reading->source(reading->context, data, size);
	if (size > left)
		size = left;
	memcpy(data, reading->magic + reading->magic_given, size);
	reading->magic_given += size;
	return (ssize_t)size;
}

static int read_archive(struct reading *reading, struct err *err)
{
	struct join_setup setup = {.source = read_again,
				   .source_context = reading,
				   .interface = take_interface,
				   .packet = take_packet,
				   .packet_context = reading};
	struct summary *summary = &reading->summary;
	struct join_result result;

	reading->join = join_open(&setup, err);
	if (!reading->join || join_run(reading->join, &result, err) < 0)
		return -1;
	if (!result.found)
		return err_set(err, STATUS_FAILED, "no tarcap archive, and no pcap file");
	summary->archive = true;
	summary->junk = result.junk;
	summary->trailing = result.trailing;
	summary->files = result.files;
	summary->findings = result.findings;
	summary->told = result.told;
	return 0;
}

/* --- a file of packets --- */

/* An interface has a name in pcapng alone. */
static void take_header(struct reading *reading)
{
	const struct records *records = &reading->records;

	reading->places[records->interface_number] = take_interface(reading, records->interface.name, records);
}

static void take_records(struct reading *reading, const unsigned char *data, size_t size)
{
	struct packet packet;

	records_feed(&reading->records, data, size);
	for (;;) {
		switch (records_next(&reading->records, &packet)) {
		case RECORDS_PACKET:
			take_packet(reading, reading->places[packet.origin.interface],
				    packet_time(&packet.header, packet.origin.tick), &packet);
			break;
		case RECORDS_HEADER:
			take_header(reading);
			break;
		case RECORDS_MORE:
		case RECORDS_DAMAGED:
			return;
		}
	}
}

static void take_data(struct reading *reading, const unsigned char *data, size_t size)
{
	if (!reading->expand) {
		take_records(reading, data, size);
		return;
	}
	expand_feed(reading->expand, data, size);
	while (!reading->records.damaged && expand_next(reading->expand, &data, &size) == EXPAND_SOME)
		take_records(reading, data, size);
}

static void note_end(struct reading *reading)
{
	unsigned long long packets = reading->summary.packets;

	reading->summary.findings = &reading->findings;
	reading->summary.told = &reading->told;
	if (reading->records.damaged)
		findings_note(&reading->findings, FINDING_DAMAGED, "it is damaged after %llu packets", packets);
	else if (!records_complete(&reading->records) || (reading->expand && !expand_complete(reading->expand)))
		findings_note(&reading->findings, FINDING_CUT, "it is cut after %llu packets", packets);
	else
		reading->summary.files = 1;
}

static int read_packets(struct reading *reading, bool compressed, struct err *err)
{
	ssize_t n;

	records_begin(&reading->records);
	if (compressed && !(reading->expand = expand_open(err)))
		return -1;
	if (compressed)
		expand_begin(reading->expand);
	while (!reading->records.damaged && (n = read_again(reading, reading->buffer, BUFFER_SIZE)) != 0) {
		if (n < 0)
			return err_sys(err, (int)-n, "cannot read the packets");
		take_data(reading, reading->buffer, (size_t)n);
	}
	note_end(reading);
	return 0;
}

/* --- which of them it is --- */

static int read_magic(struct reading *reading, struct err *err)
{
	while (reading->magic_size < MAGIC_SIZE) {
		ssize_t n = reading->source(reading->context, reading->magic + reading->magic_size,
					    MAGIC_SIZE - reading->magic_size);

		if (n < 0)
			return err_sys(err, (int)-n, "cannot read it");
		if (n == 0)
			break;
		reading->magic_size += (size_t)n;
	}
	return 0;
}

/* pcap with microseconds and with nanoseconds, pcapng, zstd. */
static enum content content_of(const struct reading *reading)
{
	uint32_t magic;

	memcpy(&magic, reading->magic, sizeof(magic));
	if (magic == 0xa1b2c3d4 || magic == 0xa1b23c4d || magic == 0x0a0d0d0a)
		return CONTENT_PACKETS;
	if (magic == 0xfd2fb528)
		return CONTENT_COMPRESSED;
	return magic == 0xd4c3b2a1 || magic == 0x4d3cb2a1 ? CONTENT_SWAPPED : CONTENT_ARCHIVE;
}

const struct summary *summary_run(struct reading *reading, struct err *err)
{
	enum content content;

	if (read_magic(reading, err) < 0)
		return NULL;
	content = content_of(reading);
	reading->summary.conversations = reading->conversations;
	if (content == CONTENT_SWAPPED)
		err_set(err, STATUS_FAILED,
			"a pcap file in the byte order of another machine: editcap of Wireshark converts it");
	else if (content == CONTENT_ARCHIVE)
		read_archive(reading, err);
	else
		read_packets(reading, content == CONTENT_COMPRESSED, err);
	return err->status ? NULL : &reading->summary;
}
