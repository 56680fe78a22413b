/*
 * The one file that join makes: pcap of one interface's pcap files, else pcapng: one section, with a description of
 * each interface in front of its first packet. Nothing that it is given is trusted.
 */
#ifndef TARCAP_JOINED_H
#define TARCAP_JOINED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/packet.h"
#include "format/pcap_read.h"
#include "format/pcapng.h"

#define JOINED_INTERFACES 256
#define JOINED_SERIES_SIZE 88

/* Takes size bytes; -1 with *err set when it cannot. */
typedef int joined_output(void *context, const void *data, size_t size, struct err *err);

struct joined_interface {
	char series[JOINED_SERIES_SIZE]; /* of files that it came in */
	uint32_t number;		 /* in each of them */
	uint32_t tick;
	struct pcapng_interface description;
	uint64_t first, last, packets; /* times of those written, ns */
};

struct joined {
	joined_output *output;
	void *context;
	bool pcapng; /* once it has begun: what it is; before: what it has to be */
	bool begun;
	const char *label; /* set by the caller before joined_find(): what a new interface is called; NULL: as it is */
	unsigned count, described; /* interfaces: known, and in the output */
	unsigned char file_header[PACKET_FILE_HEADER];
	struct pcapng_section section;
	struct joined_interface interfaces[JOINED_INTERFACES];
	unsigned told;
	char names[JOINED_INTERFACES]
		  [sizeof(((struct pcapng_interface *)NULL)->name)]; /* of interfaces that may come */
};

enum joined_place {
	JOINED_OTHER = -1, /* one of that name is there, but with another link type, precision or snapshot length */
	JOINED_LATE = -2,  /* the output has begun as a pcap file, which has room for one */
	JOINED_FULL = -3,
};

/* The context stays the caller's. */
void joined_init(struct joined *joined, joined_output *output, void *context);

/* An interface that may come. When there are several, the output has to have room for them from the start. */
void joined_tell(struct joined *joined, const char *name);

/*
 * The interface that records has just come to, in a file of that series: its place in the output, or an enum
 * joined_place. What is given to joined_put() has it as origin.interface.
 */
int joined_find(struct joined *joined, const char *series, const struct pcap_read *records);

/* What such a place is, in words. */
const char *joined_why(int place);

/* An interface's name, by its series: as it was told, or else the series. */
const char *joined_name(const struct joined *joined, const char *series);

/* Packets in the order in which they are to stand there. As order_output; context is the struct joined. */
int joined_put(void *context, const struct packet_run *run, struct err *err);

/* Begin the output if it has not: with an interface without a packet, if nothing else is known (NULL: not even that).
 */
int joined_begin(struct joined *joined, const struct pcapng_interface *only, struct err *err);

/* An interface's counters, behind its packets; a pcap file has no place for them. */
int joined_statistics(struct joined *joined, unsigned place, const struct pcapng_statistics *statistics,
		      struct err *err);

#endif
