#include "records.h"

#include <string.h>

enum { MAGIC_MICRO = 0xa1b2c3d4, MAGIC_NANO = 0xa1b23c4d };

/* The file header, in host byte order (draft-ietf-opsawg-pcap, section 4). */
struct file_header {
	uint32_t magic;
	uint16_t major, minor;
	uint32_t zone, accuracy; /* always zero */
	uint32_t snaplen;
	uint32_t link_type;
};

void records_begin(struct records *records)
{
	memset(records, 0, offsetof(struct records, partial));
}

void records_feed(struct records *records, const unsigned char *data, size_t size)
{
	records->fed = data;
	records->fed_size = size;
}

/*
 * The next want bytes in a row, or NULL until they have come. What lies whole in what was fed needs no copy. They come
 * again, as the beginning of more, until they are used().
 */
static const unsigned char *peek(struct records *records, size_t want)
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

static void used(struct records *records, size_t size)
{
	if (records->partial_used > 0) {
		records->partial_used = 0;
		return;
	}
	records->fed += size;
	records->fed_size -= size;
}

static enum records_event damaged(struct records *records)
{
	records->damaged = true;
	return RECORDS_DAMAGED;
}

/* --- pcap --- */

static bool good_header(const struct file_header *header)
{
	return (header->magic == MAGIC_MICRO || header->magic == MAGIC_NANO) && header->major == 2 &&
	       header->minor == 4 && header->zone == 0 && header->accuracy == 0 && header->snaplen > 0 &&
	       header->snaplen <= RECORDS_CAPLEN_MAX;
}

static enum records_event next_header(struct records *records)
{
	const unsigned char *data = peek(records, PACKET_FILE_HEADER);
	struct file_header header;

	_Static_assert(sizeof(header) == PACKET_FILE_HEADER, "the file header has no holes");
	if (!data)
		return RECORDS_MORE;
	memcpy(&header, data, sizeof(header));
	if (!good_header(&header))
		return damaged(records);
	memcpy(records->file_header, data, sizeof(header));
	records->tick = header.magic == MAGIC_NANO ? PACKET_TICK_NANO : PACKET_TICK_MICRO;
	records->interface = (struct pcapng_interface){.link_type = header.link_type, .snaplen = header.snaplen};
	records->header_seen = true;
	used(records, sizeof(header));
	return RECORDS_HEADER;
}

/* Zeros are no record, but a tar's padding, where bytes of the member are missing. */
static bool plausible(const struct records *records, const struct packet_header *header)
{
	return header->caplen <= records->interface.snaplen &&
	       (header->seconds || header->fraction || header->caplen || header->length);
}

static enum records_event next_record(struct records *records, struct packet *packet)
{
	const unsigned char *data = peek(records, sizeof(packet->header));

	if (!data)
		return RECORDS_MORE;
	memcpy(&packet->header, data, sizeof(packet->header));
	if (!plausible(records, &packet->header))
		return damaged(records);
	data = peek(records, sizeof(packet->header) + packet->header.caplen);
	if (!data)
		return RECORDS_MORE;
	packet->data = data + sizeof(packet->header);
	packet->origin = (struct packet_origin){.tick = records->tick};
	used(records, sizeof(packet->header) + packet->header.caplen);
	records->packets++;
	return RECORDS_PACKET;
}

/* --- pcapng --- */

/* Returns whether all of it has come. */
static bool skip(struct records *records)
{
	size_t size = records->skip < records->fed_size ? records->skip : records->fed_size;

	records->fed += size;
	records->fed_size -= size;
	records->skip -= (uint32_t)size;
	return records->skip == 0;
}

/* BLOCKS_SKIP is also said where more has to come: then *more is set. */
static enum blocks_kind next_block(struct records *records, struct packet *packet, bool *more)
{
	const unsigned char *block = skip(records) ? peek(records, BLOCKS_HEAD) : NULL;
	enum blocks_kind kind = BLOCKS_SKIP;
	uint32_t size = 0;

	if (block)
		kind = blocks_look(&records->blocks, block, &size);
	if (block && kind == BLOCKS_SKIP) {
		used(records, BLOCKS_HEAD);
		records->skip = size - BLOCKS_HEAD;
	} else if (block && kind != BLOCKS_DAMAGED) {
		block = peek(records, size);
		if (block) {
			kind = blocks_take(&records->blocks, block, size, packet);
			used(records, size);
		}
	}
	*more = !block;
	return kind;
}

static enum records_event next_of_blocks(struct records *records, struct packet *packet)
{
	for (;;) {
		bool more;
		enum blocks_kind kind = next_block(records, packet, &more);

		if (more)
			return RECORDS_MORE;
		switch (kind) {
		case BLOCKS_SKIP:
		case BLOCKS_SECTION:
			break;
		case BLOCKS_INTERFACE:
			records->interface = records->blocks.latest;
			records->interface_number = records->blocks.count - 1;
			records->header_seen = true;
			return RECORDS_HEADER;
		case BLOCKS_PACKET:
			records->packets++;
			return RECORDS_PACKET;
		case BLOCKS_DAMAGED:
			return damaged(records);
		}
	}
}

/* --- */

/* The first four bytes tell which of the two it is. */
static bool look_at_magic(struct records *records)
{
	const unsigned char *magic = peek(records, sizeof(uint32_t));
	const uint32_t section = PCAPNG_SECTION;

	records->pcapng = magic && memcmp(magic, &section, sizeof(section)) == 0;
	return magic;
}

enum records_event records_next(struct records *records, struct packet *packet)
{
	if (records->damaged)
		return RECORDS_DAMAGED;
	if (!records->header_seen && !records->pcapng && !look_at_magic(records))
		return RECORDS_MORE;
	if (records->pcapng)
		return next_of_blocks(records, packet);
	return records->header_seen ? next_record(records, packet) : next_header(records);
}

bool records_complete(const struct records *records)
{
	return records->header_seen && !records->damaged && records->partial_used == 0 && records->fed_size == 0 &&
	       records->skip == 0;
}

void records_header(unsigned char file_header[PACKET_FILE_HEADER], uint32_t snaplen, uint32_t link_type)
{
	struct file_header header = {
		.magic = MAGIC_MICRO, .major = 2, .minor = 4, .snaplen = snaplen, .link_type = link_type};

	memcpy(file_header, &header, sizeof(header));
}
