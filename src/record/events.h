/* --until: is a packet one of the events that are waited for? */
#ifndef TARCAP_EVENTS_H
#define TARCAP_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "record/layers.h"
#include "request/options.h"

struct bpf_program;
struct pcap;

/* What is waited for on one interface. */
struct events {
	const struct options *options;
	unsigned kinds; /* a bit for each enum until_kind that is asked for */
	struct bpf_program *programs[UNTIL_MAX];
};

/*
 * Compile the expressions for what pcap gives. STATUS_USAGE for one that is none, with what may be meant. In either
 * case events_close() frees what there is.
 */
MUST_CHECK int events_open(struct events *events, const struct options *options, struct pcap *pcap, struct err *err);
void events_close(struct events *events);

/*
 * The first of options->until that the packet is, or -1. layers: NULL where there are none. Silence is none of a
 * packet's.
 */
int events_match(const struct events *events, const struct layers *layers, const unsigned char *data, uint32_t caplen,
		 uint32_t length);

#endif
