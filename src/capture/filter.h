/* Filters: pcap-filter(7) expressions, compiled by libpcap. */
#ifndef TARCAP_FILTER_H
#define TARCAP_FILTER_H

#include <stdbool.h>

#include "base/err.h"

struct bpf_program;
struct pcap;

/* tcpdump's -O: from here on, compile without libpcap's optimizer. */
void filter_no_optimize(void);

#define FILTER_KERNEL_MAX 4096 /* instructions; linux/bpf_common.h: BPF_MAXINSNS */

/*
 * Compile text and set it on pcap, with term ("inbound", "not (tcp port 22)", or NULL) required besides. An empty
 * text is set too: without any filter the kernel copies whole packets, whatever the snaplen.
 * STATUS_USAGE for a bad filter. Returns 1, and sets nothing, for one of more than max instructions.
 */
int filter_set(struct pcap *pcap, const char *term, const char *text, unsigned max, struct err *err);

/*
 * Leave the filter that filter_set() has put on the packet socket fd to the kernel alone: 1, or 0 when the kernel
 * does not have it (it had no memory, say, and libpcap filters in user space). libpcap applies a new filter a second
 * time to what comes first, where it does not see what only the kernel knows: "outbound" would lose those packets.
 */
int filter_leave_to_kernel(struct pcap *pcap, int fd, struct err *err);

/*
 * Compile text, with term required besides, for filter_matches(), for the packets that pcap gives. Unlike what is
 * compiled on pcap itself, it uses none of the kernel's own fields (a VLAN tag is in the packet by then). malloc'ed;
 * NULL on failure.
 */
struct bpf_program *filter_compile(struct pcap *pcap, const char *term, const char *text, struct err *err);
void filter_free(struct bpf_program *program);
bool filter_matches(const struct bpf_program *program, const unsigned char *data, unsigned length, unsigned caplen);

/*
 * Let the filter that the kernel has for pcap's packet socket fd also cut what it accepts to its headers
 * (filter_headers.h). False, with the filter as it was, when the kernel has none or does not take the longer one.
 */
bool filter_cut_in_kernel(struct pcap *pcap, int fd);

/* The same cut for the packets that pcap gives, for filter_header_length(). malloc'ed; NULL on failure. */
struct bpf_program *filter_headers(struct pcap *pcap, struct err *err);

/* How many bytes of data to keep: at most caplen, and 0 only when that is. */
unsigned filter_header_length(const struct bpf_program *headers, const unsigned char *data, unsigned caplen);

/*
 * tcpdump's -d, -dd (level 2) and -ddd (level 3): print text, compiled for pcap's link type, to stdout; with headers,
 * including the cut.
 */
int filter_dump(struct pcap *pcap, const char *text, bool headers, int level, struct err *err);

/* The same where no interface or file was named: for a link type such as "RAW", or for Ethernet if that is NULL. */
int filter_dump_unopened(const char *link_type, const char *text, int snaplen, bool headers, int level,
			 struct err *err);

#endif
