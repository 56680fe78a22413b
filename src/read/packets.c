#include "read/packets.h"

#include <errno.h>
#include <stdlib.h>

#include "request/number.h"

struct packets *packets_open(const struct packets_setup *setup, struct err *err)
{
	struct packets *packets = calloc(1, sizeof(*packets));

	if (!packets) {
		err_sys(err, ENOMEM, "memory for reading");
		return NULL;
	}
	packets->setup = *setup;
	if (!setup->slice || setup->slice > PACKETS_BUFFER)
		packets->setup.slice = PACKETS_BUFFER;
	pcap_read_begin(&packets->records, PCAP_READ_FOREIGN);
	return packets;
}

void packets_close(struct packets *packets)
{
	free(packets);
}

static void take_one(struct packets *packets, struct packet *packet)
{
	packets->count++;
	packets->setup.packet(packets->setup.context, &packets->records, packet);
}

static void take_all(struct packets *packets, size_t size)
{
	struct packet packet;

	pcap_read_feed(&packets->records, packets->buffer, size);
	for (;;) {
		switch (pcap_read_next(&packets->records, &packet)) {
		case PCAP_READ_PACKET:
			take_one(packets, &packet);
			break;
		case PCAP_READ_HEADER:
			packets->setup.interface(packets->setup.context, &packets->records);
			break;
		case PCAP_READ_MORE:
		case PCAP_READ_DAMAGED:
			if (packets->setup.gone)
				packets->setup.gone(packets->setup.context);
			return;
		}
	}
}

bool packets_step(struct packets *packets, struct err *err)
{
	ssize_t n = 0;

	if (!packets->records.damaged)
		n = input_read(packets->setup.input, packets->buffer, packets->setup.slice);
	if (n < 0)
		err_sys(err, (int)-n, "cannot read the packets");
	if (n <= 0)
		return false;
	take_all(packets, (size_t)n);
	return true;
}

/* What may have held packets. */
static void note_passed(struct packets *packets)
{
	const struct pcapng_read_passed *passed = &packets->records.passed;

	if (passed->blocks)
		defects_note(&packets->defects, DEFECT_PASSED,
			     "%llu block%s of an unknown type (0x%08x), which may hold packets, %s passed over",
			     (unsigned long long)passed->blocks, number_plural(passed->blocks), passed->type,
			     passed->blocks == 1 ? "was" : "were");
	if (passed->packets)
		defects_note(&packets->defects, DEFECT_PASSED,
			     "%llu packets, longer than %d bytes or of more than %d interfaces, were passed over",
			     (unsigned long long)passed->packets, PCAPNG_READ_CAPLEN_MAX, PCAPNG_READ_INTERFACES_MAX);
}

void packets_finish(struct packets *packets)
{
	struct packet packet;
	unsigned long long count;

	while (pcap_read_next_zero(&packets->records, &packet))
		take_one(packets, &packet);
	count = packets->count;
	note_passed(packets);
	if (packets->records.damaged)
		defects_note(&packets->defects, DEFECT_DAMAGED, "it is damaged after %llu packet%s", count,
			     number_plural(count));
	else if (!pcap_read_complete(&packets->records) || input_damage(packets->setup.input))
		defects_note(&packets->defects, DEFECT_CUT, "it is cut after %llu packet%s", count,
			     number_plural(count));
}
