/*
 * Packets into the analysers of a page, and on to findings: without an archive or a file around them, which would take
 * most of the time. A packet is its head (where it was seen, how long after the one before, how many bytes) and these.
 */
#include "fuzz.h"

#include "summary/analysis.h"

#define HEAD 3 /* bytes in front of a packet */

static uint64_t now, packets, addressed;

/* In memory that is exactly as large, so that nobody reads on behind it. */
static void take(struct analysis *analysis, const uint8_t *head, const uint8_t *data, size_t size)
{
	struct dissected headers;
	struct sighting sighting = {.headers = &headers, .timed = true, .interface = head[0] & 3};
	unsigned char *packet = malloc(size ? size : 1);

	memcpy(packet, data, size);
	now += UINT64_C(1) << head[1] % 40;
	sighting.length = (uint32_t)size + (head[0] & 0x40 ? 1000 : 0);
	packets++;
	sighting.place = (struct place){1, packets, packets, now};
	dissect(&headers, head[0] & 0x80 ? LINK_ETHERNET : LINK_RAW, packet, size, sighting.length);
	addressed += headers.version != 0;
	analysis_announce(analysis, &sighting);
	analysis_approach(analysis, &sighting);
	analysis_add(analysis, &sighting);
	free(packet);
}

static void check_counts(const struct analysis *analysis)
{
	const struct conversations *conversations = analysis_conversations(analysis);
	uint64_t counted = conversations_left_out(conversations);

	for (size_t i = 0; i < conversations_count(conversations); i++) {
		const struct conversation *one = conversations_at(conversations, i);

		PROMISE(one->first <= one->last && one->last <= now);
		counted += one->sent[0].packets + one->sent[1].packets;
	}
	PROMISE(counted == addressed);
}

static void check_findings(const struct findings *findings)
{
	PROMISE(findings->count <= FINDINGS_MAX);
	for (size_t i = 0; i < findings->count; i++) {
		const struct finding *one = &findings->list[i];

		PROMISE(one->kind < FINDING_KINDS && one->sentence[0] && one->count > 0);
		PROMISE(memchr(one->sentence, '\0', sizeof(one->sentence)) &&
			memchr(one->next, '\0', sizeof(one->next)) &&
			memchr(one->display_filter, '\0', sizeof(one->display_filter)));
		PROMISE(one->connection_count <= FINDING_CONNECTIONS && one->first.packet <= packets);
	}
}

/* circumstances: a bit for each; 0x80: what is behind the packets is sockets.json; packets */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct siphash_key key = {1, 2};
	struct err err = {0};
	struct analysis *analysis = analysis_open(&key, &err);
	struct circumstances circumstances = {.first = UINT64_C(1) << 60};
	size_t at = 1;

	PROMISE(analysis);
	now = circumstances.first;
	packets = addressed = 0;
	for (; at + HEAD <= size && at + HEAD + data[at + 2] <= size; at += HEAD + (size_t)data[at + 2])
		take(analysis, data + at, data + at + HEAD, data[at + 2]);
	if (size) {
		circumstances.lost = data[0] & 1 ? 7 : 0;
		circumstances.cut = data[0] & 2;
		circumstances.filtered = data[0] & 4;
		circumstances.window = data[0] & 8;
		circumstances.one_way = data[0] & 16;
		circumstances.snapped = data[0] & 32;
		if (data[0] & 0x80 && at < size)
			analysis_context(analysis, "context/end/sockets.json", (const char *)data + at, size - at);
	}
	circumstances.packets = packets;
	circumstances.last = now;
	check_findings(analysis_finish(analysis, &circumstances));
	check_counts(analysis);
	analysis_close(analysis);
	return 0;
}
