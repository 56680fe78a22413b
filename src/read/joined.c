#include "read/joined.h"

#include <stdio.h>
#include <string.h>

#include "base/version.h"
#include "format/naming.h"

void joined_init(struct joined *joined, joined_output *output, void *context)
{
	*joined = (struct joined){.output = output, .context = context};
	snprintf(joined->section.application, sizeof(joined->section.application), "tarcap %s", VERSION_TEXT);
}

void joined_tell(struct joined *joined, const char *name)
{
	if (joined->begun || joined->told == JOINED_INTERFACES)
		return;
	pcapng_text(joined->names[joined->told], sizeof(joined->names[0]), name);
	joined->told++;
	joined->pcapng |= joined->told > 1;
}

const char *joined_why(int place)
{
	return place == JOINED_OTHER  ? "its link type, precision or snapshot length is another"
	       : place == JOINED_LATE ? "the output has begun as a pcap file, of one interface"
				      : "there are too many interfaces";
}

/* Of files in which it has none: as it was told, or else as the files are called. */
const char *joined_name(const struct joined *joined, const char *series)
{
	const char *name = series;

	for (unsigned i = 0; i < joined->told; i++) {
		if (naming_is_series(series, joined->names[i]))
			name = joined->names[i];
	}
	return name;
}

static void give_name(const struct joined *joined, struct pcapng_interface *interface, const char *series)
{
	if (joined->label || !interface->name[0])
		pcapng_text(interface->name, sizeof(interface->name),
			    joined->label ? joined->label : joined_name(joined, series));
}

static uint32_t tick_of(const struct pcap_read *records)
{
	return records->pcapng ? PACKET_TICK_NANO : records->tick;
}

static bool is_same(const struct joined_interface *interface, const struct pcap_read *records)
{
	return interface->tick == tick_of(records) &&
	       interface->description.link_type == records->interface.link_type &&
	       interface->description.snaplen == records->interface.snaplen;
}

static int add_interface(struct joined *joined, const char *series, const struct pcap_read *records)
{
	struct joined_interface *interface = &joined->interfaces[joined->count];

	if (joined->count == JOINED_INTERFACES)
		return JOINED_FULL;
	if (joined->begun && !joined->pcapng)
		return JOINED_LATE;
	if (joined->count == 0 && !joined->label) {
		memcpy(joined->file_header, records->file_header, PACKET_FILE_HEADER);
		if (records->pcapng)
			joined->section = records->blocks.section;
	}
	joined->pcapng |= records->pcapng || joined->count > 0 || joined->label;
	*interface = (struct joined_interface){
		.number = records->interface_number,
		.tick = tick_of(records),
		.description = records->interface,
		.first = UINT64_MAX,
	};
	snprintf(interface->series, sizeof(interface->series), "%s", series);
	give_name(joined, &interface->description, series);
	return (int)joined->count++;
}

int joined_find(struct joined *joined, const char *series, const struct pcap_read *records)
{
	for (unsigned i = 0; i < joined->count; i++) {
		const struct joined_interface *interface = &joined->interfaces[i];

		if (interface->number == records->interface_number && strcmp(interface->series, series) == 0)
			return is_same(interface, records) ? (int)i : JOINED_OTHER;
	}
	return add_interface(joined, series, records);
}

static int write(struct joined *joined, const void *data, size_t size, struct err *err)
{
	return size > 0 ? joined->output(joined->context, data, size, err) : 0;
}

/* Those that are known, and not yet in the output. Apart from what each packet passes: a block is made of zeros. */
static __attribute__((noinline)) int describe_new(struct joined *joined, struct err *err)
{
	unsigned char block[PCAPNG_INTERFACE_MAX];

	for (; joined->described < joined->count; joined->described++) {
		size_t size = pcapng_put_interface(block, &joined->interfaces[joined->described].description);

		if (write(joined, block, size, err) < 0)
			return -1;
	}
	return 0;
}

static int describe(struct joined *joined, struct err *err)
{
	return joined->described < joined->count ? describe_new(joined, err) : 0;
}

static __attribute__((noinline)) int begin(struct joined *joined, const struct pcapng_interface *only, struct err *err)
{
	unsigned char block[PCAPNG_SECTION_MAX];

	joined->begun = true;
	if (joined->count == 0) {
		pcap_read_header(joined->file_header, only->snaplen, only->link_type);
		joined->interfaces[joined->count++].description = *only;
	}
	if (!joined->pcapng)
		return write(joined, joined->file_header, PACKET_FILE_HEADER, err);
	if (write(joined, block, pcapng_put_section(block, &joined->section), err) < 0)
		return -1;
	return describe(joined, err);
}

int joined_begin(struct joined *joined, const struct pcapng_interface *only, struct err *err)
{
	return joined->begun || (!only && joined->count == 0) ? 0 : begin(joined, only, err);
}

static int put_block(struct joined *joined, const struct packet *packet, struct err *err)
{
	static const unsigned char padding[3];
	uint32_t caplen = packet->header.caplen, flags = packet->origin.flags;
	uint32_t size = pcapng_packet_size(caplen, flags);
	unsigned char head[PCAPNG_PACKET_HEAD], tail[PCAPNG_PACKET_MORE];
	size_t tail_size = pcapng_packet_tail(tail, size, flags);

	pcapng_packet_head(head, size, packet->origin.interface, packet_time(&packet->header, packet->origin.tick),
			   caplen, packet->header.length);
	if (write(joined, head, sizeof(head), err) < 0 || write(joined, packet->data, caplen, err) < 0 ||
	    write(joined, padding, -caplen & 3, err) < 0)
		return -1;
	return write(joined, tail, tail_size, err);
}

static int put_blocks(struct joined *joined, struct packet_run run, struct err *err)
{
	int result = describe(joined, err);

	while (run.count > 0 && result == 0) {
		struct packet packet;

		packet_run_take(&run, &packet);
		result = put_block(joined, &packet, err);
	}
	return result;
}

int joined_put(void *context, const struct packet_run *run, struct err *err)
{
	struct joined *joined = context;
	struct joined_interface *interface = &joined->interfaces[run->origin.interface];
	uint64_t time = packet_run_time(run);

	if (joined_begin(joined, NULL, err) < 0)
		return -1;
	interface->packets += run->count;
	if (time < interface->first)
		interface->first = time;
	if (run->last > interface->last)
		interface->last = run->last;
	return joined->pcapng ? put_blocks(joined, *run, err) : write(joined, run->records, run->size, err);
}

int joined_statistics(struct joined *joined, unsigned place, const struct pcapng_statistics *statistics,
		      struct err *err)
{
	unsigned char block[PCAPNG_STATISTICS_SIZE];

	if (!joined->begun || !joined->pcapng)
		return 0;
	return write(joined, block, pcapng_put_statistics(block, place, statistics), err);
}
