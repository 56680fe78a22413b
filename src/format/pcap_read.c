#include "format/pcap_read.h"

#include <string.h>

enum {
	MAGIC_MICRO = 0xa1b2c3d4,
	MAGIC_NANO = 0xa1b23c4d,
	MAGIC_MODIFIED = 0xa1b2cd34, /* Kuznetzov's, of old Linux: 8 bytes more in front of each packet */
};

enum { RECORD_HEAD = sizeof(struct packet_header), RECORD_HEAD_MODIFIED = RECORD_HEAD + 8 };

/* The file header (draft-ietf-opsawg-pcap, section 4). */
struct file_header {
	uint32_t magic;
	uint16_t major, minor;
	uint32_t zone, accuracy; /* zero; nobody reads them */
	uint32_t snaplen;
	uint32_t link_type;
};

void pcap_read_begin(struct pcap_read *records, enum pcap_read_writer writer)
{
	memset(records, 0, offsetof(struct pcap_read, blocks));
	records->foreign = writer == PCAP_READ_FOREIGN;
	pcapng_read_begin(&records->blocks, records->foreign);
}

void pcap_read_feed(struct pcap_read *records, const unsigned char *data, size_t size)
{
	records->fed = data;
	records->fed_size = size;
}

/*
 * The next want bytes in a row, or NULL until they have come. What lies whole in what was fed needs no copy. They come
 * again, as the beginning of more, until they are used().
 */
static const unsigned char *peek(struct pcap_read *records, size_t want)
{
	size_t size = want > records->partial_used ? want - records->partial_used : 0;

	if (records->partial_used == 0 && records->fed_size >= want)
		return records->fed;
	if (size > records->fed_size)
		size = records->fed_size;
	if (size > 0)
		memcpy(records->partial + records->partial_used, records->fed, size);
	records->partial_used += size;
	records->fed += size;
	records->fed_size -= size;
	return records->partial_used >= want ? records->partial : NULL;
}

static void used(struct pcap_read *records, size_t size)
{
	if (records->partial_used > 0) {
		records->partial_used = 0;
		return;
	}
	records->fed += size;
	records->fed_size -= size;
}

static enum pcap_read_event damaged(struct pcap_read *records)
{
	records->damaged = true;
	return PCAP_READ_DAMAGED;
}

/* Returns whether all of it has come. */
static bool skip_bytes(struct pcap_read *records)
{
	size_t size = records->skip < records->fed_size ? records->skip : records->fed_size;

	records->fed += size;
	records->fed_size -= size;
	records->skip -= (uint32_t)size;
	return records->skip == 0;
}

/* --- pcap --- */

static uint32_t swap32(const struct pcap_read *records, uint32_t value)
{
	return records->swapped ? __builtin_bswap32(value) : value;
}

static uint16_t swap16(const struct pcap_read *records, uint16_t value)
{
	return records->swapped ? __builtin_bswap16(value) : value;
}

static bool is_magic(uint32_t magic)
{
	return magic == MAGIC_MICRO || magic == MAGIC_NANO || magic == MAGIC_MODIFIED;
}

bool pcap_read_is_pcap(uint32_t magic)
{
	return is_magic(magic) || is_magic(__builtin_bswap32(magic));
}

/* As it stands there into host byte order; false: it is none. */
static bool convert_header(struct pcap_read *records, struct file_header *header)
{
	records->swapped = !is_magic(header->magic);
	header->magic = swap32(records, header->magic);
	header->major = swap16(records, header->major);
	header->minor = swap16(records, header->minor);
	header->zone = swap32(records, header->zone);
	header->accuracy = swap32(records, header->accuracy);
	header->snaplen = swap32(records, header->snaplen);
	header->link_type = swap32(records, header->link_type);
	return is_magic(header->magic);
}

static bool is_as_we_write(const struct pcap_read *records, const struct file_header *header)
{
	return !records->swapped && header->magic != MAGIC_MODIFIED && header->major == 2 && header->minor == 4 &&
	       header->zone == 0 && header->accuracy == 0 && header->snaplen > 0 &&
	       header->snaplen <= PCAP_READ_CAPLEN_MAX;
}

/* libpcap reads these; 543.0 is DG/UX's. */
static bool is_readable(const struct file_header *header)
{
	return (header->major == 2 && header->minor <= 4) || (header->major == 543 && header->minor == 0);
}

/* As libpcap has it: before 2.3 the lengths are swapped, in 2.3 by some writers. */
static enum pcap_read_lengths lengths_of(const struct file_header *header)
{
	if (header->major == 2 && header->minor >= 3)
		return header->minor == 3 ? LENGTHS_BY_SIZE : LENGTHS_KEPT;
	return LENGTHS_SWAPPED;
}

/* libpcap's max_snaplen_for_dlt(): a longer packet is damage; one that is longer than there is room for is not. */
static uint32_t longest_of(uint32_t link_type)
{
	switch (link_type & 0xffff) {
	case 189: /* USB, with Linux's header */
	case 220: /* the same, padded */
	case 231: /* D-Bus */
	case 249: /* USBPcap */
		return UINT32_C(128) << 20;
	case 279: /* EBHSCR */
		return UINT32_C(8) << 20;
	default:
		return PCAP_READ_CAPLEN_MAX;
	}
}

static enum pcap_read_event next_header(struct pcap_read *records)
{
	const unsigned char *data = peek(records, PACKET_FILE_HEADER);
	struct file_header header;

	_Static_assert(sizeof(header) == PACKET_FILE_HEADER, "the file header has no holes");
	if (!data)
		return PCAP_READ_MORE;
	memcpy(&header, data, sizeof(header));
	if (!convert_header(records, &header) ||
	    !(records->foreign ? is_readable(&header) : is_as_we_write(records, &header)))
		return damaged(records);
	memcpy(records->file_header, &header, sizeof(header));
	records->tick = header.magic == MAGIC_NANO ? PACKET_TICK_NANO : PACKET_TICK_MICRO;
	records->record_head = header.magic == MAGIC_MODIFIED ? RECORD_HEAD_MODIFIED : RECORD_HEAD;
	records->lengths = lengths_of(&header);
	records->longest = records->foreign ? longest_of(header.link_type) : header.snaplen;
	records->interface = (struct pcapng_interface){.link_type = header.link_type, .snaplen = header.snaplen};
	if (header.snaplen == 0 || header.snaplen > PCAP_READ_CAPLEN_MAX)
		records->interface.snaplen = PCAP_READ_CAPLEN_MAX;
	records->loss.interfaces = 1;
	records->header_seen = true;
	used(records, sizeof(header));
	return PCAP_READ_HEADER;
}

static void convert_record(const struct pcap_read *records, struct packet_header *header)
{
	uint32_t caplen = swap32(records, header->caplen), length = swap32(records, header->length);
	bool other = records->lengths == LENGTHS_SWAPPED || (records->lengths == LENGTHS_BY_SIZE && caplen > length);

	header->seconds = swap32(records, header->seconds);
	header->fraction = swap32(records, header->fraction);
	header->caplen = other ? length : caplen;
	header->length = other ? caplen : length;
}

static enum pcap_read_event tell_packet(struct pcap_read *records, struct packet *packet, const unsigned char *data)
{
	packet->data = data;
	packet->origin = (struct packet_origin){.tick = records->tick};
	records->timed = true;
	records->time = packet_time(&packet->header, records->tick);
	records->packets++;
	return PCAP_READ_PACKET;
}

bool pcap_read_next_zero(struct pcap_read *records, struct packet *packet)
{
	if (records->damaged || records->zeros == 0)
		return false;
	records->zeros--;
	packet->header = (struct packet_header){0};
	tell_packet(records, packet, records->partial);
	return true;
}

static bool is_zero(const struct packet_header *header)
{
	return !(header->seconds | header->fraction | header->caplen | header->length);
}

/* The next record's header, behind those that are of zeros. False until it has come. */
static bool next_record_header(struct pcap_read *records, struct packet_header *header)
{
	const unsigned char *data;

	while (skip_bytes(records) && (data = peek(records, records->record_head))) {
		memcpy(header, data, sizeof(*header));
		if (!is_zero(header))
			return true;
		records->zeros++;
		used(records, records->record_head);
	}
	return false;
}

/* One that is good, but longer than there is room for. */
static void pass_over(struct pcap_read *records, uint32_t caplen)
{
	used(records, records->record_head);
	records->skip = caplen;
	records->passed.packets++;
}

static enum pcap_read_event next_record(struct pcap_read *records, struct packet *packet)
{
	const unsigned char *data;

	do {
		if (!next_record_header(records, &packet->header))
			return PCAP_READ_MORE;
		convert_record(records, &packet->header);
		if (packet->header.caplen > records->longest ||
		    (!records->foreign && packet->header.length < packet->header.caplen))
			return damaged(records);
		if (pcap_read_next_zero(records, packet))
			return PCAP_READ_PACKET;
		if (packet->header.caplen > PCAP_READ_CAPLEN_MAX)
			pass_over(records, packet->header.caplen);
	} while (packet->header.caplen > PCAP_READ_CAPLEN_MAX);
	data = peek(records, records->record_head + packet->header.caplen);
	if (!data)
		return PCAP_READ_MORE;
	used(records, records->record_head + packet->header.caplen);
	return tell_packet(records, packet, data + records->record_head);
}

/* Nothing of the latest call is left to be done, and records are as we write them. */
static bool may_run(const struct pcap_read *records)
{
	return !records->foreign && !records->pcapng && records->header_seen && !records->damaged &&
	       records->partial_used == 0 && records->skip == 0 && records->zeros == 0;
}

/* Does the next record that was fed go with those before it, the last of which has that time? */
static bool continues(const struct pcap_read *records, size_t at, uint64_t *last, struct packet_header *header)
{
	size_t left = records->fed_size - at;
	uint64_t time;

	if (left < RECORD_HEAD)
		return false;
	memcpy(header, records->fed + at, RECORD_HEAD);
	time = packet_time(header, records->tick);
	if (time < *last || header->caplen > left - RECORD_HEAD || header->caplen > records->longest ||
	    header->length < header->caplen || is_zero(header))
		return false;
	*last = time;
	return true;
}

bool pcap_read_run(struct pcap_read *records, struct pcap_read_run *run)
{
	struct packet_header header;
	size_t at = 0;

	if (!may_run(records))
		return false;
	*run = (struct pcap_read_run){.packets = {.records = records->fed, .origin.tick = records->tick}};
	for (; continues(records, at, &run->packets.last, &header); at += RECORD_HEAD + header.caplen) {
		if (at == 0)
			run->first = run->packets.last;
		run->packets.count++;
		run->cut.packets += header.length > header.caplen;
		run->cut.bytes += header.length - header.caplen;
	}
	if (at == 0)
		return false;
	run->packets.size = at;
	used(records, at);
	records->timed = true;
	records->time = run->packets.last;
	records->packets += run->packets.count;
	return true;
}

/* --- pcapng --- */

/* PCAPNG_READ_SKIP is also said where more has to come: then *more is set. */
static enum pcapng_read_kind next_block(struct pcap_read *records, struct packet *packet, bool *more)
{
	const unsigned char *block = skip_bytes(records) ? peek(records, PCAPNG_READ_HEAD) : NULL;
	enum pcapng_read_kind kind = PCAPNG_READ_SKIP;
	uint32_t size = 0;

	if (block)
		kind = pcapng_read_look(&records->blocks, block, &size);
	if (block && kind == PCAPNG_READ_SKIP) {
		used(records, PCAPNG_READ_HEAD);
		records->skip = size - PCAPNG_READ_HEAD;
	} else if (block && kind != PCAPNG_READ_DAMAGED) {
		block = peek(records, size);
		if (block) {
			kind = pcapng_read_take(&records->blocks, block, size, packet);
			used(records, size);
		}
	}
	*more = !block;
	return kind;
}

static enum pcap_read_event next_of_blocks(struct pcap_read *records, struct packet *packet)
{
	for (;;) {
		bool more;
		enum pcapng_read_kind kind = next_block(records, packet, &more);

		records->passed = records->blocks.passed;
		records->loss = records->blocks.loss;
		if (more)
			return PCAP_READ_MORE;
		switch (kind) {
		case PCAPNG_READ_SKIP:
		case PCAPNG_READ_SECTION:
		case PCAPNG_READ_STATISTICS:
			break;
		case PCAPNG_READ_INTERFACE:
			records->interface = records->blocks.latest;
			records->interface_number = records->blocks.count - 1;
			records->header_seen = true;
			return PCAP_READ_HEADER;
		case PCAPNG_READ_PACKET:
			records->timed = records->blocks.timed;
			records->time = records->blocks.time;
			records->packets++;
			return PCAP_READ_PACKET;
		case PCAPNG_READ_DAMAGED:
			return damaged(records);
		}
	}
}

/* --- */

/* The first four bytes tell which of the two it is. */
static bool look_at_magic(struct pcap_read *records)
{
	const unsigned char *magic = peek(records, sizeof(uint32_t));
	const uint32_t section = PCAPNG_SECTION;

	records->pcapng = magic && memcmp(magic, &section, sizeof(section)) == 0;
	return magic;
}

enum pcap_read_event pcap_read_next(struct pcap_read *records, struct packet *packet)
{
	if (records->damaged)
		return PCAP_READ_DAMAGED;
	if (!records->header_seen && !records->pcapng && !look_at_magic(records))
		return PCAP_READ_MORE;
	if (records->pcapng)
		return next_of_blocks(records, packet);
	return records->header_seen ? next_record(records, packet) : next_header(records);
}

bool pcap_read_complete(const struct pcap_read *records)
{
	bool begun = records->header_seen || (records->foreign && records->blocks.begun);

	return begun && !records->damaged && records->partial_used == 0 && records->fed_size == 0 && records->skip == 0;
}

void pcap_read_header(unsigned char file_header[PACKET_FILE_HEADER], uint32_t snaplen, uint32_t link_type)
{
	struct file_header header = {
		.magic = MAGIC_MICRO, .major = 2, .minor = 4, .snaplen = snaplen, .link_type = link_type};

	memcpy(file_header, &header, sizeof(header));
}
