#include "summary/summary.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/pcap_read.h"
#include "read/input.h"
#include "read/join.h"
#include "read/packets.h"
#include "summary/analysis.h"

#define QUEUE 16 /* packets that wait, */
#define NEAR 5	 /* and those in front of which no conversation is asked for yet, */
#define NEXT 11	 /* or nothing that it leads to */

/* A packet that waits until its conversation has come from memory. */
struct waiting {
	struct sighting sighting;
	struct dissected headers; /* the sighting's */
};

struct reading {
	members_source *source;
	void *source_context; /* the caller's */
	struct input *input;
	struct summary summary;
	struct analysis *analysis;
	struct places *places;
	uint64_t member_number; /* the latest that a packet came of, */
	uint32_t member;	/* and its place */
	struct join *join;	/* of an archive */
	struct join_result joined;

	uint64_t queued, added; /* packets, of all */
	struct waiting queue[QUEUE];

	/* Of a file of packets. */
	struct packets *packets;
	struct verify_told told;
	bool numbered;					/* its interfaces have no names, */
	unsigned places_of[PCAPNG_READ_INTERFACES_MAX]; /* of its interfaces */
};

/* The source, with its bytes counted. */
static ssize_t read_source(void *context, void *data, size_t size)
{
	static const unsigned char zstd[4] = {0x28, 0xb5, 0x2f, 0xfd}; /* RFC 8878, section 3.1.1 */
	struct reading *reading = context;
	ssize_t n = reading->source(reading->source_context, data, size);

	if (n <= 0)
		return n;
	if (reading->summary.file_bytes == 0 && n >= (ssize_t)sizeof(zstd))
		reading->summary.expanded = memcmp(data, zstd, sizeof(zstd)) == 0;
	reading->summary.file_bytes += (uint64_t)n;
	return n;
}

struct reading *summary_open(members_source *source, void *context, const struct siphash_key *key, struct err *err)
{
	struct reading *reading = calloc(1, sizeof(*reading));

	if (!reading) {
		err_sys(err, ENOMEM, "memory for reading");
		return NULL;
	}
	reading->source = source;
	reading->source_context = context;
	if ((reading->input = input_open(read_source, reading, err)) && (reading->analysis = analysis_open(key, err)) &&
	    (reading->places = places_open(err)))
		return reading;
	summary_close(reading);
	return NULL;
}

void summary_close(struct reading *reading)
{
	if (!reading)
		return;
	analysis_close(reading->analysis);
	places_close(reading->places);
	join_close(reading->join);
	packets_close(reading->packets);
	input_close(reading->input);
	free(reading);
}

/* --- packets --- */

/* Those that are too many share the last place. */
static int take_interface(void *context, const char *name, const struct pcap_read *records)
{
	struct reading *reading = context;
	struct summary *summary = &reading->summary;
	struct summary_interface *interface = summary->interfaces;
	uint32_t link_type = records->interface.link_type & 0xffff; /* above it pcap has other things */
	unsigned place = 0;

	for (; place < summary->interface_count; place++, interface++) {
		if (interface->link_type == link_type && strcmp(interface->name, name) == 0)
			return (int)place;
	}
	if (place < SUMMARY_INTERFACES) {
		summary->interface_count++;
		snprintf(interface->name, sizeof(interface->name), "%s", name);
		interface->link_type = link_type;
	} else if (interface->packets == 0) {
		interface->link_type = link_type;
	} else if (interface->link_type != link_type) {
		interface->link_type = LINK_SEVERAL;
	}
	return (int)place;
}

static void count_time(struct summary *summary, uint64_t time, uint64_t bytes)
{
	if (summary->packets == summary->untimed || time < summary->first)
		summary->first = time;
	if (time > summary->last)
		summary->last = time;
	histogram_add(&summary->histogram, time, bytes);
}

/* The oldest of those that wait. */
static void analyse(struct reading *reading)
{
	analysis_add(reading->analysis, &reading->queue[reading->added++ % QUEUE].sighting);
}

/* The data of those that wait will be gone. */
static void flush(void *context)
{
	struct reading *reading = context;

	while (reading->added < reading->queued)
		analyse(reading);
}

/* Its headers are in the queue already. */
static void enqueue(struct reading *reading, bool fleeting)
{
	struct waiting *waiting = &reading->queue[reading->queued % QUEUE];
	uint64_t waits;

	analysis_announce(reading->analysis, &waiting->sighting);
	waits = ++reading->queued - reading->added;
	if (waits > NEAR)
		analysis_approach(reading->analysis, &reading->queue[(reading->queued - NEAR - 1) % QUEUE].sighting);
	if (waits > NEXT)
		analysis_reach(reading->analysis, &reading->queue[(reading->queued - NEXT - 1) % QUEUE].sighting);
	if (fleeting)
		flush(reading);
	else if (waits == QUEUE)
		analyse(reading);
}

/*
 * Of a packet whose place is known: behind its time, one that has none has that of the latest. Analysers tell apart
 * where packets were seen: interfaces, and those in one file of Linux cooked v2.
 */
static void count_packet(struct reading *reading, unsigned number, const struct sighting *sighting,
			 const struct packet *packet, bool fleeting)
{
	struct summary *summary = &reading->summary;
	struct summary_interface *interface = &summary->interfaces[number];
	struct waiting *waiting = &reading->queue[reading->queued % QUEUE];
	struct dissected *dissected = &waiting->headers;
	uint64_t bytes = packet->header.length;

	dissect(dissected, interface->link_type, packet->data, packet->header.caplen, packet->header.length);
	summary->packets++;
	summary->bytes += bytes;
	summary->kept += packet->header.caplen;
	interface->packets++;
	interface->bytes += bytes;
	protocols_add(&summary->protocols, dissected, bytes);
	summary->without_addresses += !dissected->version;
	waiting->sighting = *sighting;
	waiting->sighting.headers = dissected;
	waiting->sighting.length = packet->header.length;
	waiting->sighting.interface = number | (uint32_t)dissected->device << 16;
	enqueue(reading, fleeting);
}

static void take_packet(void *context, unsigned interface, uint64_t time, const struct packet *packet,
			const struct join_place *where)
{
	struct reading *reading = context;
	struct summary *summary = &reading->summary;
	struct sighting sighting = {
		.place = {.packet = where->packet, .joined_packet = summary->packets + 1, .time = time},
		.timed = true,
	};

	summary->disordered |= summary->packets > 0 && time < summary->last;
	if (where->member_number != reading->member_number) {
		reading->member_number = where->member_number;
		reading->member = places_member(reading->places, where->member);
	}
	sighting.place.member = reading->member;
	count_time(summary, time, packet->header.length);
	count_packet(reading, interface, &sighting, packet, where->fleeting);
}

/* --- an archive --- */

static void take_context_member(void *context, const char *name, const char *text, size_t size)
{
	struct reading *reading = context;

	analysis_context(reading->analysis, name, text, size);
}

static int neither(const struct reading *reading, struct err *err)
{
	char hint[120];
	const char *what = input_hint(reading->input, "summary", hint, sizeof(hint));

	return err_set(err, STATUS_FAILED, "no tarcap archive, and no pcap file%s%s", what ? ", but " : "",
		       what ? what : "");
}

static int begin_archive(struct reading *reading, struct err *err)
{
	struct join_setup setup = {
		.input = reading->input,
		.memory = JOIN_MEMORY,
		.interface = take_interface,
		.packet = take_packet,
		.gone = flush,
		.context_member = take_context_member,
		.packet_context = reading,
	};

	reading->join = join_open(&setup, err);
	return reading->join ? join_begin(reading->join, &reading->joined, err) : -1;
}

static int end_archive(struct reading *reading, struct err *err)
{
	const struct join_result *result = &reading->joined;
	struct summary *summary = &reading->summary;

	if (join_finish(reading->join, err) < 0)
		return -1;
	if (!result->found)
		return neither(reading, err);
	summary->archive = true;
	summary->format = "tar";
	summary->junk = result->junk;
	summary->trailing = result->trailing;
	summary->files = result->files;
	summary->defects = result->defects;
	summary->told = result->told;
	return 0;
}

/* --- a file of packets --- */

/* Those that pcapng has no name for are told apart by their numbers, where there are several. */
static const char *number_interface(struct reading *reading, uint32_t number, char text[32])
{
	struct summary *summary = &reading->summary;

	reading->numbered |= number > 0;
	for (size_t i = 0; reading->numbered && i < summary->interface_count; i++) {
		if (!summary->interfaces[i].name[0])
			snprintf(summary->interfaces[i].name, sizeof(summary->interfaces[i].name), "interface 0");
	}
	text[0] = 0;
	if (reading->numbered)
		snprintf(text, 32, "interface %" PRIu32, number);
	return text;
}

/* An interface has a name in pcapng alone. */
static void take_header(void *context, const struct pcap_read *records)
{
	struct reading *reading = context;
	const char *name = records->interface.name;
	char text[32];

	if (!name[0] && records->pcapng)
		name = number_interface(reading, records->interface_number, text);
	reading->places_of[records->interface_number] = (unsigned)take_interface(reading, name, records);
}

static void take_record(void *context, const struct pcap_read *records, struct packet *packet)
{
	struct reading *reading = context;
	struct summary *summary = &reading->summary;
	uint64_t number = summary->packets + 1; /* as who shows the file counts */
	struct sighting sighting = {
		.place = {.packet = number, .joined_packet = number, .time = summary->last},
		.timed = records->timed,
	};

	if (records->timed) {
		sighting.place.time = records->time;
		count_time(summary, records->time, packet->header.length);
	}
	count_packet(reading, reading->places_of[packet->origin.interface], &sighting, packet,
		     pcap_read_fleeting(records, packet));
	summary->untimed += !records->timed;
}

static void note_end(struct reading *reading)
{
	const struct packets *packets = reading->packets;
	struct summary *summary = &reading->summary;

	summary->defects = &packets->defects;
	summary->told = &reading->told;
	summary->loss = packets->records.loss;
	summary->format = packets->records.pcapng ? "pcapng" : "pcap";
	summary->nanoseconds = !packets->records.pcapng && packets->records.tick == PACKET_TICK_NANO;
	summary->files = !packets->defects.of[DEFECT_DAMAGED].count && !packets->defects.of[DEFECT_CUT].count;
}

static int begin_packets(struct reading *reading, struct err *err)
{
	struct packets_setup setup = {
		.input = reading->input,
		.context = reading,
		.interface = take_header,
		.packet = take_record,
		.gone = flush,
	};

	reading->packets = packets_open(&setup, err);
	return reading->packets ? 0 : -1;
}

static struct circumstances circumstances_of(const struct summary *summary)
{
	const struct verify_told *told = summary->told;

	return (struct circumstances){
		.loss_known = summary->archive ? told->cause[0] != '\0' : summary->loss.counted > 0,
		.cut = defects_any(summary->defects),
		.one_way = !conversations_both_ways(summary->conversations),
		.filtered = told->filter[0] != '\0',
		.window = told->recorder.window_told,
		.snapped = summary->kept < summary->bytes,
		.lost = summary->archive ? verify_lost(told) : summary->loss.packets,
		.packets = summary->packets,
		.first = summary->first,
		.last = summary->last,
	};
}

int summary_begin(struct reading *reading, struct err *err)
{
	enum input_content content;

	if (input_look(reading->input, &content, err) < 0)
		return -1;
	reading->summary.conversations = analysis_conversations(reading->analysis);
	reading->summary.places = reading->places;
	return content == INPUT_PACKETS ? begin_packets(reading, err) : begin_archive(reading, err);
}

void summary_pair(struct reading *reading, struct pairing *pairing, unsigned archive)
{
	analysis_pair(reading->analysis, pairing, archive);
}

uint64_t summary_latest(const struct reading *reading)
{
	return reading->summary.last;
}

bool summary_step(struct reading *reading, struct err *err)
{
	return reading->join ? join_step(reading->join, err) : packets_step(reading->packets, err);
}

static void end_packets(struct reading *reading)
{
	packets_finish(reading->packets);
	note_end(reading);
}

const struct summary *summary_finish(struct reading *reading, struct err *err)
{
	struct circumstances circumstances;

	if (reading->join)
		end_archive(reading, err);
	else if (reading->packets)
		end_packets(reading);
	if (err->status)
		return NULL;
	circumstances = circumstances_of(&reading->summary);
	reading->summary.findings = analysis_finish(reading->analysis, &circumstances);
	reading->summary.dns = analysis_dns(reading->analysis);
	reading->summary.http = analysis_http(reading->analysis);
	reading->summary.icmp = analysis_icmp(reading->analysis);
	reading->summary.kernel = analysis_kernel(reading->analysis);
	reading->summary.servers = analysis_servers(reading->analysis);
	return &reading->summary;
}

const struct summary *summary_run(struct reading *reading, struct err *err)
{
	bool more = summary_begin(reading, err) == 0;

	while (more)
		more = summary_step(reading, err);
	return summary_finish(reading, err);
}
