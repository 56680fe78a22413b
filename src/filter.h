/* Filters: pcap-filter(7) expressions, compiled by libpcap. */
#ifndef TARCAP_FILTER_H
#define TARCAP_FILTER_H

#include <stdbool.h>

#include "err.h"

struct pcap;

/*
 * Compile text and set it on pcap, with term ("inbound", "outbound" or NULL) required besides. An empty
 * text is set too: without any filter the kernel copies whole packets, whatever the snaplen.
 * STATUS_USAGE for a bad filter.
 */
int filter_set(struct pcap *pcap, const char *term, const char *text, struct err *err);

/*
 * Does the packet socket have a filter? libpcap takes the kernel's away, and filters in user space,
 * when the kernel refuses one (more than 4,096 instructions).
 */
bool filter_in_kernel(int fd);

/* tcpdump's -d, -dd (level 2) and -ddd (level 3): print text, compiled for pcap's link type, to stdout. */
int filter_dump(struct pcap *pcap, const char *text, int level, struct err *err);

/* The same for Ethernet, where no interface or file was named. */
int filter_dump_ethernet(const char *text, int snaplen, int level, struct err *err);

#endif
