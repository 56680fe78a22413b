/* verdicts FILE: for each packet of a pcap file that TCP's analysis looks at: its number, and what it is (tcp.h). */
#include <stdio.h>
#include <stdlib.h>

#include "format/pcap_read.h"
#include "summary/tcp.h"

static struct pcap_read records;
static uint32_t link_types[PCAPNG_READ_INTERFACES_MAX];
static struct conversations *conversations;
static struct tcp *tcp;
static uint64_t number;

static void take(const struct packet *packet)
{
	struct dissected headers;
	struct sighting sighting = {
		.headers = &headers,
		.place = {.packet = ++number, .time = records.time},
		.timed = records.timed,
		.length = packet->header.length,
		.interface = packet->origin.interface,
	};
	struct conversation *conversation;
	int side;

	dissect(&headers, link_types[packet->origin.interface], packet->data, packet->header.caplen,
		packet->header.length);
	if (!headers.version)
		return;
	sighting.interface |= (uint32_t)headers.device << 16;
	conversation = conversations_add(conversations, conversations_chain(conversations, &headers), &headers,
					 records.time, packet->header.length, &side);
	if (conversation && headers.protocol == PROTOCOL_TCP && headers.tcp_header && !headers.fragment)
		printf("%llu %u\n", (unsigned long long)number,
		       tcp_add(tcp, conversation, (uint32_t)conversations_index(conversations, conversation), side,
			       &sighting));
}

static void feed(const unsigned char *data, size_t size)
{
	enum pcap_read_event event;
	struct packet packet;

	pcap_read_feed(&records, data, size);
	while ((event = pcap_read_next(&records, &packet)) != PCAP_READ_MORE && event != PCAP_READ_DAMAGED) {
		if (event == PCAP_READ_HEADER)
			link_types[records.interface_number] = records.interface.link_type & 0xffff;
		else
			take(&packet);
	}
}

int main(int argc, char **argv)
{
	static unsigned char buffer[1 << 17];
	const struct siphash_key key = {1, 2};
	struct err err = {0};
	FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;
	size_t size;

	conversations = conversations_open(&key, &err);
	tcp = tcp_open(&key, &err);
	if (!file || !conversations || !tcp)
		return 2;
	pcap_read_begin(&records, PCAP_READ_FOREIGN);
	while (!records.damaged && (size = fread(buffer, 1, sizeof(buffer), file)) > 0)
		feed(buffer, size);
	fclose(file);
	tcp_close(tcp);
	conversations_close(conversations);
	return 0;
}
