#include "read/joined_told.h"

/* No file, but a manifest that says what would have been in it: a file without packets. */
static int write_empty(struct joined *joined, const struct verify_told *told, struct err *err)
{
	struct pcapng_interface only = {.snaplen = (uint32_t)told->snapshot_length,
					.link_type = (uint32_t)told->link_type};

	pcapng_text(only.name, sizeof(only.name), told->interface);
	if (joined->count == 0)
		joined->pcapng = told->pcapng;
	return joined_begin(joined, told->snapshot_length ? &only : NULL, err);
}

/* What the manifest tells of each interface that is in the output. */
static int write_statistics(struct joined *joined, const struct verify *verify, struct err *err)
{
	for (unsigned place = 0; place < joined->count; place++) {
		const struct joined_interface *interface = &joined->interfaces[place];
		struct pcapng_statistics statistics = {
			.start = interface->first, .end = interface->last, .delivered = interface->packets};

		if (interface->packets &&
		    verify_counters(verify, interface->series, &statistics.accepted, &statistics.dropped) &&
		    joined_statistics(joined, place, &statistics, err) < 0)
			return -1;
	}
	return 0;
}

int joined_told_finish(struct joined *joined, const struct verify *verify, struct err *err)
{
	return write_empty(joined, verify_told(verify), err) < 0 ? -1 : write_statistics(joined, verify, err);
}
