#include "records.h"

#include <string.h>

enum { MAGIC_MICRO = 0xa1b2c3d4, MAGIC_NANO = 0xa1b23c4d };

/* The file header, in host byte order (draft-ietf-opsawg-pcap, section 4). */
struct file_header {
	uint32_t magic;
	uint16_t major, minor;
	uint32_t zone, accuracy; /* always zero */
	uint32_t snaplen;
	uint32_t link_type; /* cppcheck-suppress unusedStructMember ; only its bytes matter */
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

/* Are there want bytes in partial now? */
static bool gather(struct records *records, size_t want)
{
	size_t size = want > records->partial_used ? want - records->partial_used : 0;

	if (size > records->fed_size)
		size = records->fed_size;
	if (size > 0)
		memcpy(records->partial + records->partial_used, records->fed, size);
	records->partial_used += size;
	records->fed += size;
	records->fed_size -= size;
	return records->partial_used >= want;
}

static bool good_header(const struct file_header *header)
{
	return (header->magic == MAGIC_MICRO || header->magic == MAGIC_NANO) && header->major == 2 &&
	       header->minor == 4 && header->zone == 0 && header->accuracy == 0 && header->snaplen > 0 &&
	       header->snaplen <= RECORDS_CAPLEN_MAX;
}

static enum records_event damaged(struct records *records)
{
	records->damaged = true;
	return RECORDS_DAMAGED;
}

static enum records_event next_header(struct records *records)
{
	struct file_header header;

	_Static_assert(sizeof(header) == PACKET_FILE_HEADER, "the file header has no holes");
	if (!gather(records, sizeof(header)))
		return RECORDS_MORE;
	memcpy(&header, records->partial, sizeof(header));
	if (!good_header(&header))
		return damaged(records);
	memcpy(records->file_header, records->partial, sizeof(header));
	records->tick = header.magic == MAGIC_NANO ? PACKET_TICK_NANO : PACKET_TICK_MICRO;
	records->snaplen = header.snaplen;
	records->header_seen = true;
	records->partial_used = 0;
	return RECORDS_HEADER;
}

/* Zeros are no record, but a tar's padding, where bytes of the member are missing. */
static bool plausible(const struct records *records, const struct packet_header *header)
{
	return header->caplen <= records->snaplen &&
	       (header->seconds || header->fraction || header->caplen || header->length);
}

/* A record that lies whole in what was fed needs no copy. */
static bool whole_in_fed(const struct records *records, struct packet *packet)
{
	if (records->partial_used > 0 || records->fed_size < sizeof(packet->header))
		return false;
	memcpy(&packet->header, records->fed, sizeof(packet->header));
	return plausible(records, &packet->header) &&
	       records->fed_size - sizeof(packet->header) >= packet->header.caplen;
}

enum records_event records_next(struct records *records, struct packet *packet)
{
	if (records->damaged)
		return RECORDS_DAMAGED;
	if (!records->header_seen)
		return next_header(records);
	if (whole_in_fed(records, packet)) {
		size_t size = sizeof(packet->header) + packet->header.caplen;

		packet->data = records->fed + sizeof(packet->header);
		records->fed += size;
		records->fed_size -= size;
	} else {
		if (!gather(records, sizeof(packet->header)))
			return RECORDS_MORE;
		memcpy(&packet->header, records->partial, sizeof(packet->header));
		if (!plausible(records, &packet->header))
			return damaged(records);
		if (!gather(records, sizeof(packet->header) + packet->header.caplen))
			return RECORDS_MORE;
		packet->data = records->partial + sizeof(packet->header);
		records->partial_used = 0;
	}
	records->packets++;
	return RECORDS_PACKET;
}

bool records_complete(const struct records *records)
{
	return records->header_seen && !records->damaged && records->partial_used == 0 && records->fed_size == 0;
}

void records_header(unsigned char file_header[PACKET_FILE_HEADER], uint32_t snaplen, uint32_t link_type)
{
	struct file_header header = {
		.magic = MAGIC_MICRO, .major = 2, .minor = 4, .snaplen = snaplen, .link_type = link_type};

	memcpy(file_header, &header, sizeof(header));
}
