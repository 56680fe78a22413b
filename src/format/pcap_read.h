/* The bytes of a pcap or pcapng file into its packets, as the bytes come. Nothing in them is trusted. */
#ifndef TARCAP_PCAP_READ_H
#define TARCAP_PCAP_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/account.h"
#include "base/packet.h"
#include "format/pcapng_read.h"

#define PCAP_READ_CAPLEN_MAX PCAPNG_READ_CAPLEN_MAX
#define PCAP_READ_LONGEST PCAPNG_READ_LONGEST /* also of pcap's, whose heads are shorter */

/*
 * Ours are files as tarcap writes them: what differs from that is damage, so that nothing else is taken for a packet
 * where bytes are missing or wrong. Foreign ones are read as libpcap and Wireshark read them.
 */
enum pcap_read_writer { PCAP_READ_OURS, PCAP_READ_FOREIGN };

enum pcap_read_event {
	PCAP_READ_HEADER,  /* packets of an interface may come from here on: see interface */
	PCAP_READ_PACKET,  /* a packet; its data is valid until the next call */
	PCAP_READ_MORE,	   /* all that was fed is used: feed more */
	PCAP_READ_DAMAGED, /* what comes is no packet; said once more each time it is asked */
};

/* Until version 2.3 some writers had the two lengths of a record the other way round. */
enum pcap_read_lengths { LENGTHS_KEPT, LENGTHS_SWAPPED, LENGTHS_BY_SIZE };

struct pcap_read {
	/* Valid after PCAP_READ_HEADER, of which a pcapng file may have several. */
	bool pcapng;
	unsigned char file_header[PACKET_FILE_HEADER]; /* a pcap file's, host byte order */
	struct pcapng_interface interface;	       /* a pcap file has no name for it */
	uint32_t interface_number;		       /* what a packet's origin says; a new section begins at 0 */
	uint64_t packets;			       /* so far */

	/* Valid after PCAP_READ_PACKET: the packet's time, ns since the epoch, also one that its header has no room
	 * for.
	 */
	bool timed; /* false: it has none, or one before 1970 or after 2554 */
	uint64_t time;

	/* What there was beside packets, so far. */
	struct pcapng_read_passed passed;
	struct pcapng_read_loss loss;

	bool foreign, header_seen, damaged;
	bool swapped;			/* a pcap file is of the other byte order */
	enum pcap_read_lengths lengths; /* of a pcap file's records */
	uint32_t record_head, longest;	/* bytes of a pcap file's records: in front of the data, and at most of it */
	uint32_t tick;			/* a pcap file's */
	uint32_t skip;			/* bytes that nobody needs */
	uint64_t zeros;			/* records of zeros that came last, and are not told yet */
	const unsigned char *fed;	/* the caller's */
	size_t fed_size;
	size_t partial_used;
	struct pcapng_read blocks;		  /* its section is the latest that came */
	unsigned char partial[PCAP_READ_LONGEST]; /* a record or block that came in pieces */
};

/* Begin a file. */
void pcap_read_begin(struct pcap_read *records, enum pcap_read_writer writer);

/* More bytes, when all fed before are used. They stay the caller's, and must stay until PCAP_READ_MORE. */
void pcap_read_feed(struct pcap_read *records, const unsigned char *data, size_t size);

enum pcap_read_event pcap_read_next(struct pcap_read *records, struct packet *packet);

/* Packets of a pcap file that lie whole in what was fed, each behind the one before it and none earlier. */
struct pcap_read_run {
	struct packet_run packets;
	uint64_t first;		 /* time of the first, in ns since the epoch */
	struct cut_by_first cut; /* packets of which not all bytes are there, and what they had beside */
};

/*
 * As many packets at once as can be told so, with the origin's tick, and no more than the headers looked at; their data
 * is where it was fed. False: the next is told by pcap_read_next(), and so is whatever is not a packet.
 */
bool pcap_read_run(struct pcap_read *records, struct pcap_read_run *run);

/* Is a packet's data gone with the next call, because it came in pieces? Else it is where it was fed. */
static inline bool pcap_read_fleeting(const struct pcap_read *records, const struct packet *packet)
{
	uintptr_t data = (uintptr_t)packet->data, partial = (uintptr_t)records->partial;

	return data >= partial && data < partial + sizeof(records->partial);
}

/*
 * Records of zeros are told late: when another comes behind them, or by this at the end. In a file of ours they may be
 * the padding of a tar, of which bytes are missing. False: there is none left.
 */
bool pcap_read_next_zero(struct pcap_read *records, struct packet *packet);

/* Does the file end well if it ends here: with a header, and no part of a record? */
bool pcap_read_complete(const struct pcap_read *records);

/* Does a file that begins with these four bytes claim to be pcap, in either byte order? (pcapng: PCAPNG_SECTION.) */
bool pcap_read_is_pcap(uint32_t magic);

/* The file header of a pcap file with microseconds. */
void pcap_read_header(unsigned char file_header[PACKET_FILE_HEADER], uint32_t snaplen, uint32_t link_type);

#endif
