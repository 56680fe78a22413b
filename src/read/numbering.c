#include "read/numbering.h"

#include <errno.h>
#include <stdlib.h>

struct numbered {
	uint64_t time;
	uint32_t member, packet;
};

struct numbering {
	uint64_t count; /* in all */
	struct numbered last[NUMBERING_PACKETS];
};

/* Its pages cost nothing until they are used. */
struct numbering *numbering_open(struct err *err)
{
	struct numbering *numbering = calloc(1, sizeof(*numbering));

	if (!numbering)
		err_sys(err, ENOMEM, "memory for the numbers of packets");
	return numbering;
}

void numbering_close(struct numbering *numbering)
{
	free(numbering);
}

/* FNV-1a: of two names with the same number only who made them so is told the wrong packet. */
uint32_t numbering_member(const char *name)
{
	uint32_t hash = UINT32_C(2166136261);

	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * UINT32_C(16777619);
	return hash;
}

void numbering_put(struct numbering *numbering, struct packet_run run)
{
	struct packet packet;

	while (run.count > 0) {
		numbering->last[numbering->count++ % NUMBERING_PACKETS] =
			(struct numbered){packet_run_time(&run), run.origin.member, run.origin.number};
		packet_run_take(&run, &packet);
	}
}

uint64_t numbering_find(const struct numbering *numbering, uint32_t member, uint64_t packet, uint64_t *time)
{
	uint64_t count = numbering ? numbering->count : 0;
	uint64_t end = count > NUMBERING_PACKETS ? count - NUMBERING_PACKETS : 0;

	for (uint64_t number = count; number > end; number--) {
		const struct numbered *numbered = &numbering->last[(number - 1) % NUMBERING_PACKETS];

		if (numbered->member != member || numbered->packet != packet)
			continue;
		*time = numbered->time;
		return number;
	}
	return 0;
}
