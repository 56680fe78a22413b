/* An archive in memory through all of join: whatever it holds, what comes out is a pcap file with the packets told. */
#include "fuzz.h"

#include <errno.h>

#include "findings.h"
#include "join.h"

#define SNAPLEN 262144

struct source {
	const uint8_t *data;
	size_t size, at, piece;
};

/* Reads the pcap file as it comes; only what is wanted of it is kept. */
struct reader {
	uint8_t head[24];
	size_t used, wanted; /* of head; 24 for the file, then 16 for each record */
	uint64_t data_left, packets;
};

static ssize_t give(void *context, void *data, size_t size)
{
	struct source *source = context;
	size_t n = source->size - source->at;

	n = n < size ? n : size;
	n = n < source->piece ? n : source->piece;
	memcpy(data, source->data + source->at, n);
	source->at += n;
	return (ssize_t)n;
}

static void head_is_complete(struct reader *reader)
{
	uint32_t field[6];

	memcpy(field, reader->head, sizeof(field));
	if (reader->wanted == 24) {
		PROMISE(field[0] == 0xa1b2c3d4 || field[0] == 0xa1b23c4d);
	} else {
		PROMISE(field[2] <= SNAPLEN);
		reader->data_left = field[2];
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
	struct source source;
	struct reader reader = {.wanted = 24};
	struct join_setup setup = {give, take, &source, &reader, JOIN_MEMORY_MIN};
	struct join_result result = {0};
	struct err err = {0};
	struct join *join;
	char sentence[500];
	uint8_t *stream;

	if (size < 1)
		return 0;
	stream = fuzz_stream(data + 1, size - 1, !(data[0] & 0x80));
	source = (struct source){stream, size - 1, 0, data[0] & 0x7f ? (data[0] & 0x7f) * UINT64_C(16) : SIZE_MAX};
	join = join_open(&setup, &err);
	PROMISE(join);
	fuzz_result(join_run(join, &result, &err), &err);
	if (!err.status) {
		PROMISE(reader.data_left == 0 && reader.used == 0);
		PROMISE(reader.packets == result.packets && result.late <= result.packets);
		PROMISE(result.junk <= size && result.trailing <= size);
		PROMISE(result.found || result.junk == size - 1);
		findings_sentence(result.findings, sentence, sizeof(sentence));
		PROMISE(memchr(sentence, '\0', sizeof(sentence)));
		PROMISE(!findings_any(result.findings) || sentence[0]);
	}
	join_close(join);
	free(stream);
	return 0;
}
