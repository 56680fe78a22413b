/* An archive or a file of packets through all of summary, onto a page and into JSON: each packet is counted once in
 * each way. */
#include "fuzz.h"

#include "../support/stream.h"
#include "summary/page.h"

static void check_protocols(const struct summary *summary)
{
	static struct protocols_row rows[PROTOCOLS_MAX];
	size_t count = protocols_rows(&summary->protocols, rows);
	uint64_t packets = 0;

	for (size_t i = 0; i < count; i++) {
		PROMISE(rows[i].count.packets > 0 && memchr(rows[i].name, '\0', sizeof(rows[i].name)));
		packets += rows[i].count.packets;
	}
	PROMISE(packets == summary->packets);
	PROMISE(summary->protocols.version4.packets + summary->protocols.version6.packets +
			summary->without_addresses ==
		packets);
}

static void check_conversations(const struct summary *summary)
{
	uint64_t packets = conversations_left_out(summary->conversations) + summary->without_addresses;

	for (size_t i = 0; i < conversations_count(summary->conversations); i++) {
		const struct conversation *one = conversations_at(summary->conversations, i);

		PROMISE(one->first >= summary->first || (summary->untimed && one->first == 0));
		PROMISE(one->last <= summary->last && one->first <= one->last);
		PROMISE(one->ports || one->ends[0].port + one->ends[1].port == 0);
		packets += one->sent[0].packets + one->sent[1].packets;
	}
	PROMISE(packets == summary->packets);
}

static void check_times(const struct summary *summary, size_t max)
{
	struct histogram_view view = histogram_view(&summary->histogram, max);
	uint64_t packets = 0;

	PROMISE(view.rows <= max);
	for (size_t i = 0; i < view.rows; i++)
		packets += histogram_row(&summary->histogram, &view, i).packets;
	PROMISE(packets == summary->packets - summary->untimed);
}

static void check_interfaces(const struct summary *summary)
{
	uint64_t packets = summary->interfaces[SUMMARY_INTERFACES].packets;

	for (size_t i = 0; i < summary->interface_count; i++) {
		PROMISE(memchr(summary->interfaces[i].name, '\0', sizeof(summary->interfaces[i].name)));
		packets += summary->interfaces[i].packets;
	}
	PROMISE(packets == summary->packets);
}

/* Lines of printable ASCII, none too long. */
static void check_page(const struct output *output)
{
	size_t column = 0;

	PROMISE(output->used > 0 && output->buffer[output->used - 1] == '\n');
	for (size_t i = 0; i < output->used; i++) {
		column = output->buffer[i] == '\n' ? 0 : column + 1;
		PROMISE(column <= PAGE_COLUMNS &&
			(column == 0 || (output->buffer[i] >= ' ' && output->buffer[i] <= '~')));
	}
}

static void check(const struct summary *summary, struct err *err)
{
	static struct output output;

	check_protocols(summary);
	check_conversations(summary);
	check_times(summary, 12);
	check_times(summary, HISTOGRAM_BUCKETS);
	check_interfaces(summary);
	output_init(&output, -1);
	fuzz_result(page_write(summary, "x", &output, err), err);
	check_page(&output);
	output_init(&output, -1);
	/* It may be longer than the buffer: then the descriptor is written to, and that fails. */
	if (page_write_json(summary, "x", &output, err) < 0)
		PROMISE(output.errnum);
}

/* piece; its highest bit: headers stay as they are; archive or file of packets */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct siphash_key key = {1, 2};
	struct stream source;
	struct err err = {0};
	struct reading *reading;
	const struct summary *summary;
	uint8_t *stream;

	if (size < 1)
		return 0;
	stream = fuzz_stream(data + 1, size - 1, !(data[0] & 0x80));
	source = (struct stream){stream, size - 1, 0, data[0] & 0x7f ? (data[0] & 0x7f) * UINT64_C(16) : SIZE_MAX};
	reading = summary_open(stream_read, &source, &key, &err);
	PROMISE(reading);
	summary = summary_run(reading, &err);
	fuzz_result(summary ? 0 : -1, &err);
	if (summary)
		check(summary, &err);
	summary_close(reading);
	free(stream);
	return 0;
}
