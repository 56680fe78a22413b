/*
 * An archive, or a file of packets, into the numbers of one page: source -> join's reading half, or records alone ->
 * dissect -> analysis, protocols, histogram. Prints nothing, and takes its memory once, whatever the input claims.
 */
#ifndef TARCAP_SUMMARY_H
#define TARCAP_SUMMARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "format/pcapng_read.h"
#include "read/defects.h"
#include "read/members.h"
#include "read/roll.h"
#include "read/verify.h"
#include "summary/conversations.h"
#include "summary/dns.h"
#include "summary/findings.h"
#include "summary/histogram.h"
#include "summary/http.h"
#include "summary/icmp.h"
#include "summary/kernel_counters.h"
#include "summary/protocols.h"
#include "summary/servers.h"

#define SUMMARY_INTERFACES 256

/* Told apart by name and link type. */
struct summary_interface {
	char name[ROLL_NAME_SIZE]; /* the first part of its files' names; of a file of packets what pcapng has, or "" */
	uint32_t link_type;
	uint64_t packets, bytes;
};

/* All numbers of bytes are lengths on the wire, but kept. Times are ns since the epoch. */
struct summary {
	const char *format;	 /* of the file: "tar", "pcap", "pcapng" */
	bool nanoseconds;	 /* pcap's */
	bool expanded;		 /* it is a zstd file around that */
	uint64_t file_bytes;	 /* that were read, as they are stored */
	bool archive;		 /* else a file of packets */
	uint64_t junk, trailing; /* bytes before and after the archive */
	uint64_t files;		 /* that came whole */
	uint64_t packets, bytes;
	uint64_t kept;	      /* bytes of packets that are there */
	uint64_t untimed;     /* packets without a time, or of one before 1970 or after 2554 */
	uint64_t first, last; /* the earliest and the latest packet; valid when there are packets that have a time */
	struct protocols protocols;
	struct histogram histogram;
	const struct conversations *conversations;
	const struct dns *dns;
	const struct http *http;
	const struct icmp *icmp;
	const struct kernel_counters *kernel;
	const struct servers *servers;
	const struct findings *findings; /* what is wrong, ranked */
	const struct places *places;	 /* the names of where they were seen */
	bool disordered;		 /* packets of an archive did not come by time: join gives them other numbers */
	uint64_t without_addresses;	 /* packets that can be in no conversation */
	size_t interface_count;
	struct summary_interface interfaces[SUMMARY_INTERFACES + 1]; /* the last: of those that were too many */
	const struct defects *defects;				     /* what is missing or wrong */
	const struct verify_told *told; /* what the manifest tells; all zeros without one */
	struct pcapng_read_loss loss;	/* of a file of packets, by its counters */
};

/* A packet's number in join's output, or in the file; 0: not known. What is not whole may be joined in another way. */
static inline uint64_t summary_joined(const struct summary *summary, const struct place *place)
{
	return summary->archive && (summary->disordered || defects_any(summary->defects)) ? 0 : place->joined_packet;
}

struct reading;
struct pairing;

/* key: see conversations_open(). The context stays the caller's. NULL when there is no memory. */
struct reading *summary_open(members_source *source, void *context, const struct siphash_key *key, struct err *err);
void summary_close(struct reading *reading);

/*
 * Read to the end of the source. What comes of it is valid until summary_close(); NULL with *err set when the source
 * has failed, or is neither an archive nor a file of packets.
 */
const struct summary *summary_run(struct reading *reading, struct err *err);

/* TCP of it is paired with that of others, as of that archive. The pairing stays the caller's. */
void summary_pair(struct reading *reading, struct pairing *pairing, unsigned archive);

/* The latest time so far, ns. */
uint64_t summary_latest(const struct reading *reading);

/* The same in steps, for who reads several at once: begin, step as long as there is more, finish in any case. */
int summary_begin(struct reading *reading, struct err *err);
bool summary_step(struct reading *reading, struct err *err);
const struct summary *summary_finish(struct reading *reading, struct err *err);

#endif
