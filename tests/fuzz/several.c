/*
 * Files of packets, or archives, through all of summary at once, as tarcap summary a b c reads them: what is compared
 * between them adds up, goes onto a page and into JSON.
 */
#include "fuzz.h"

#include "read/source.h"
#include "summary/page.h"
#include "summary/page_both.h"
#include "summary/together.h"

#define INPUTS 3
/* Bytes in front: how many inputs there are, and the sizes of the first two, of two bytes each. */
#define HEAD 5

static void add_source(struct sources *sources, const uint8_t *data, size_t size)
{
	struct source *source = &sources->list[sources->count++];

	*source = (struct source){.path = strdup("x.tar"), .fd = fuzz_file(data, size, NULL)};
}

static void check_between(const struct page_both *both, const struct between *between)
{
	uint64_t counted = 0, named = 0;

	PROMISE(between->archives[0] < between->archives[1] && between->archives[1] < both->count);
	PROMISE(between->connections + between->udp + between->ambiguous <=
		pairing_link_count(both->betweens->pairing));
	PROMISE(!between->offset_known || between->bound > 0);
	for (int kind = 0; kind < BETWEEN_KINDS; kind++)
		counted += between->counts[kind];
	for (size_t i = 0; i < between->seen_count; i++) {
		const struct between_seen *seen = &both->betweens->seen[between->seen + i];

		PROMISE(seen->kind < BETWEEN_KINDS && seen->times > 0 && seen->side < 2);
		PROMISE(pairing_track_at(both->betweens->pairing, seen->track)->archive ==
			between->archives[seen->only]);
		named++;
	}
	PROMISE(named <= counted);
}

static void check(const struct page_both *both, struct err *err)
{
	static struct output output;

	for (size_t i = 0; i < both->betweens->count; i++)
		check_between(both, &both->betweens->list[i]);
	/* They may be longer than the buffer: then the descriptor is written to, and that fails. */
	output_init(&output, -1);
	if (page_both_write(both, &output, err) < 0)
		PROMISE(output.errnum);
	output_init(&output, -1);
	*err = (struct err){0};
	if (page_both_write_json(both, &output, err) < 0)
		PROMISE(output.errnum);
}

static void run(struct sources *sources)
{
	const struct siphash_key key = {1, 2};
	struct err err = {0};
	struct together *together = together_open(sources, &key, &err);
	struct page_both both;

	PROMISE(together);
	if (together_run(together, &both, &err) == 0)
		check(&both, &err);
	else
		fuzz_result(-1, &err);
	together_close(together);
}

/* HEAD; its highest bit of the first: headers stay as they are; inputs */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct sources sources;
	size_t at = HEAD, count, end;
	uint8_t *stream;

	if (size < HEAD)
		return 0;
	count = 2 + data[0] % (INPUTS - 1);
	stream = fuzz_stream(data, size, !(data[0] & 0x80));
	sources = (struct sources){0};
	for (size_t i = 0; i < count; i++, at = end) {
		end = i == count - 1 ? size : at + (data[1 + 2 * i] | (size_t)data[2 + 2 * i] << 8) % (size - at + 1);
		add_source(&sources, stream + at, end - at);
	}
	run(&sources);
	sources_close(&sources);
	free(stream);
	return 0;
}
