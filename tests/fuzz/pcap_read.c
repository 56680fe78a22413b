/* A pcap or pcapng file through the reader of join: the same packets whatever the pieces it comes in. */
#include "fuzz.h"

#include "format/pcap_read.h"

struct digest {
	uint64_t hash, packets, headers;
	enum pcap_read_event last;
	int complete;
};

static struct pcap_read records;

static void add(struct digest *digest, const void *data, size_t size)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < size; i++)
		digest->hash = (digest->hash ^ p[i]) * 1099511628211U;
}

static void take_packet(struct digest *digest, const struct packet *packet)
{
	PROMISE(packet->header.caplen <= PCAP_READ_CAPLEN_MAX);
	PROMISE(packet->header.caplen <= records.interface.snaplen || records.pcapng || records.foreign);
	PROMISE(records.foreign || packet->header.caplen <= packet->header.length);
	PROMISE(records.foreign || (records.timed && records.passed.packets == 0));
	PROMISE(!records.pcapng || packet->header.fraction < 1000000000);
	PROMISE(!records.pcapng || packet->origin.interface < records.blocks.count);
	PROMISE(packet->origin.interface < PCAPNG_READ_INTERFACES_MAX);
	add(digest, &packet->header, sizeof(packet->header));
	add(digest, &packet->origin, sizeof(packet->origin));
	add(digest, &records.time, sizeof(records.time));
	add(digest, packet->data, packet->header.caplen);
	digest->packets++;
}

static void take_header(struct digest *digest)
{
	PROMISE(records.interface.snaplen > 0 && records.interface.snaplen <= PCAP_READ_CAPLEN_MAX);
	PROMISE(memchr(records.interface.name, '\0', sizeof(records.interface.name)));
	PROMISE(memchr(records.interface.filter, '\0', sizeof(records.interface.filter)));
	PROMISE(memchr(records.blocks.section.comment, '\0', sizeof(records.blocks.section.comment)));
	add(digest, records.interface.name, strlen(records.interface.name));
	digest->headers++;
}

static struct digest read_file(const uint8_t *data, size_t size, size_t piece, enum pcap_read_writer writer)
{
	struct digest digest = {.last = PCAP_READ_MORE};
	struct packet packet;

	pcap_read_begin(&records, writer);
	for (size_t at = 0; at < size && digest.last != PCAP_READ_DAMAGED; at += piece) {
		size_t part = size - at < piece ? size - at : piece;
		uint8_t *copy = malloc(part);

		memcpy(copy, data + at, part);
		pcap_read_feed(&records, copy, part);
		do {
			digest.last = pcap_read_next(&records, &packet);
			if (digest.last == PCAP_READ_PACKET)
				take_packet(&digest, &packet);
			else if (digest.last == PCAP_READ_HEADER)
				take_header(&digest);
		} while (digest.last == PCAP_READ_PACKET || digest.last == PCAP_READ_HEADER);
		free(copy);
	}
	digest.complete = pcap_read_complete(&records);
	PROMISE(!digest.complete || records.blocks.begun == records.pcapng);
	PROMISE(records.loss.counted <= records.loss.interfaces);
	add(&digest, &records.passed.packets, sizeof(records.passed.packets));
	add(&digest, &records.passed.blocks, sizeof(records.passed.blocks));
	add(&digest, &records.loss.packets, sizeof(records.loss.packets));
	for (int n = 0; n < 1000 && pcap_read_next_zero(&records, &packet); n++)
		take_packet(&digest, &packet);
	return digest;
}

/* piece; its highest bit: a file of ours; file */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct digest whole, pieces;
	enum pcap_read_writer writer;

	if (size < 2)
		return 0;
	writer = data[0] & 0x80 ? PCAP_READ_OURS : PCAP_READ_FOREIGN;
	whole = read_file(data + 1, size - 1, size - 1, writer);
	pieces = read_file(data + 1, size - 1, (data[0] & 0x7f) + 1u, writer);
	PROMISE(whole.hash == pieces.hash && whole.packets == pieces.packets && whole.headers == pieces.headers);
	PROMISE(whole.last == pieces.last && whole.complete == pieces.complete);
	return 0;
}
