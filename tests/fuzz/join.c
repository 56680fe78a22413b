/* An archive in memory through all of join: whatever it holds, what comes out is a pcap or pcapng file with the packets
 * told. */
#include "fuzz.h"

#include <errno.h>

#include "../support/stream.h"
#include "read/decompress.h"
#include "read/defects.h"
#include "read/join.h"

#define SNAPLEN 262144

/* Reads the file as it comes; only what is wanted of it is kept. */
struct reader {
	uint8_t head[28];
	size_t used, wanted; /* of head; 24 for a pcap file, then 16 for each record; 28 (or less) for each block */
	uint64_t data_left, packets;
	uint32_t interfaces;
	int pcapng;
};

static uint32_t field(const struct reader *reader, unsigned n)
{
	uint32_t value;

	memcpy(&value, reader->head + (size_t)4 * n, sizeof(value));
	return value;
}

/* A block's type and size are known, and then its head. */
static void block_is_complete(struct reader *reader)
{
	uint32_t type = field(reader, 0), size = field(reader, 1);

	PROMISE(size >= 20 && size % 4 == 0 && size <= SNAPLEN + 64);
	if (type == 6 && reader->wanted == 8) {
		reader->wanted = 28;
		return;
	}
	if (type == 6) {
		PROMISE(field(reader, 2) < reader->interfaces && field(reader, 5) <= SNAPLEN);
		PROMISE(size - 32 - (field(reader, 5) + 3) / 4 * 4 <= 12);
		reader->packets++;
	}
	PROMISE(type == 6 || type == 1 || type == 5);
	reader->interfaces += type == 1;
	reader->data_left = size - reader->wanted;
	reader->wanted = 8;
	reader->used = 0;
}

static void head_is_complete(struct reader *reader)
{
	if (reader->wanted == 24 && field(reader, 0) == 0x0a0d0d0a) {
		PROMISE(field(reader, 2) == 0x1a2b3c4d && field(reader, 3) == 1 && field(reader, 1) >= 28);
		reader->pcapng = 1;
		reader->data_left = field(reader, 1) - 24;
		reader->wanted = 8;
		reader->used = 0;
		return;
	}
	if (reader->pcapng) {
		block_is_complete(reader);
		return;
	}
	if (reader->wanted == 24) {
		PROMISE(field(reader, 0) == 0xa1b2c3d4 || field(reader, 0) == 0xa1b23c4d);
	} else {
		PROMISE(field(reader, 2) <= SNAPLEN);
		reader->data_left = field(reader, 2);
		reader->packets++;
	}
	reader->wanted = 16;
	reader->used = 0;
}

static int take(void *context, const void *data, size_t size, struct err *err)
{
	struct reader *reader = context;
	const uint8_t *p = data;

	(void)err;
	while (size > 0) {
		uint64_t room = reader->data_left ? reader->data_left : reader->wanted - reader->used;
		size_t n = size < room ? size : (size_t)room;

		if (reader->data_left) {
			reader->data_left -= n;
		} else {
			memcpy(reader->head + reader->used, p, n);
			reader->used += n;
			if (reader->used == reader->wanted)
				head_is_complete(reader);
		}
		p += n;
		size -= n;
	}
	return 0;
}

/* piece; its highest bit: headers stay as they are; archive */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct stream source;
	struct reader reader = {.wanted = 24};
	struct join_setup setup = {.source = stream_read,
				   .output = take,
				   .source_context = &source,
				   .output_context = &reader,
				   .memory = JOIN_MEMORY_MIN};
	struct join_result result = {0};
	struct err err = {0};
	struct join *join;
	char sentence[500];
	uint8_t *stream;

	if (size < 1)
		return 0;
	stream = fuzz_stream(data + 1, size - 1, !(data[0] & 0x80));
	source = (struct stream){stream, size - 1, 0, data[0] & 0x7f ? (data[0] & 0x7f) * UINT64_C(16) : SIZE_MAX};
	join = join_open(&setup, &err);
	PROMISE(join);
	fuzz_result(join_run(join, &result, &err), &err);
	if (!err.status) {
		PROMISE(reader.data_left == 0 && reader.used == 0);
		PROMISE(reader.packets == result.packets && result.late <= result.packets);
		/* What is compressed as a whole may expand to more. */
		PROMISE(decompress_begins(stream, size - 1) || (result.junk < size && result.trailing < size));
		defects_sentence(result.defects, sentence, sizeof(sentence));
		PROMISE(memchr(sentence, '\0', sizeof(sentence)));
		PROMISE(!defects_any(result.defects) || sentence[0]);
	}
	join_close(join);
	free(stream);
	return 0;
}
