/* Packets of one link type as --until and --first see them: what is kept is within the packet, and the same once more.
 */
#include "fuzz.h"

#include "record/events.h"
#include "record/first.h"
#include "summary/dissect.h"

static const uint32_t link_types[] = {1, 0, 101, 105, 108, 113, 228, 276};

static void look_at(struct first *first, uint32_t link_type, const uint8_t *data, uint32_t size, uint64_t time)
{
	static const struct options options = {
		.until = {{.kind = UNTIL_RESET},
			  {.kind = UNTIL_UNREACHABLE},
			  {.kind = UNTIL_DNS_FAILURE},
			  {.kind = UNTIL_HTTP_5XX},
			  {.kind = UNTIL_TLS_ALERT}},
		.until_count = 5,
	};
	const struct events events = {.options = &options, .kinds = 0x3f << UNTIL_RESET};
	const struct layers_link link = layers_link(link_type);
	uint8_t *packet = fuzz_stream(data, size, 0);
	struct dissected dissected;
	struct layers layers;
	bool found = layers_find(&layers, &link, packet, size, size + (uint32_t)(time % 3) * 100);
	int match = events_match(&events, found ? &layers : NULL, packet, size, size);

	PROMISE(match >= -1 && match < 5 && (found || match == -1));
	if (found) {
		uint32_t kept = first_keep(first, &layers, packet, size, 0, time);

		PROMISE(kept <= size && packet + kept >= layers.upper);
		dissect(&dissected, link_type, packet, size, size + (time % 3) * 100);
		PROMISE(dissected.upper == layers.upper || link_type == 0 || link_type == 108);
	}
	free(packet);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct siphash_key key = {1, 2};
	struct err err = {0};
	struct first *first = first_open(1 + (size ? data[0] : 0), &key, &err);
	uint64_t time = 1;

	PROMISE(first);
	/* Each packet is what follows its length and how much later it comes. */
	for (size_t at = 2; at + 3 < size;) {
		size_t length = data[at] < size - at - 3 ? data[at] : size - at - 3;

		time += (uint64_t)data[at + 1] << (data[at + 2] % 32);
		look_at(first, link_types[data[1] % 8], data + at + 3, (uint32_t)length, time);
		at += 3 + length;
	}
	first_close(first);
	return 0;
}
