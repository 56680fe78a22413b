/* The bytes of a pcap or pcapng file into its packets, as the bytes come. Nothing in them is trusted. */
#ifndef TARCAP_RECORDS_H
#define TARCAP_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "blocks.h"
#include "packet.h"

#define RECORDS_CAPLEN_MAX BLOCKS_CAPLEN_MAX
#define RECORDS_LONGEST BLOCKS_LONGEST /* also of pcap's, whose heads are shorter */

enum records_event {
	RECORDS_HEADER,	 /* packets of an interface may come from here on: see interface */
	RECORDS_PACKET,	 /* a packet; its data is valid until the next call */
	RECORDS_MORE,	 /* all that was fed is used: feed more */
	RECORDS_DAMAGED, /* what comes is no packet; said once more each time it is asked */
};

struct records {
	/* Valid after RECORDS_HEADER, of which a pcapng file may have several. */
	bool pcapng;
	unsigned char file_header[PACKET_FILE_HEADER]; /* a pcap file's, host byte order */
	struct pcapng_interface interface;	       /* a pcap file has no name for it */
	uint32_t interface_number;		       /* what a packet's origin says; a new section begins at 0 */
	uint64_t packets;			       /* so far */

	bool header_seen, damaged;
	uint32_t tick;		  /* a pcap file's */
	uint32_t skip;		  /* bytes of a block that nobody needs */
	struct blocks blocks;	  /* its section is the latest that came */
	const unsigned char *fed; /* the caller's */
	size_t fed_size;
	size_t partial_used;
	unsigned char partial[RECORDS_LONGEST]; /* a record or block that came in pieces */
};

/* Begin a file. */
void records_begin(struct records *records);

/* More bytes, when all fed before are used. They stay the caller's, and must stay until RECORDS_MORE. */
void records_feed(struct records *records, const unsigned char *data, size_t size);

enum records_event records_next(struct records *records, struct packet *packet);

/* Does the file end well if it ends here: with a header, and no part of a record? */
bool records_complete(const struct records *records);

/* The file header of a pcap file with microseconds. */
void records_header(unsigned char file_header[PACKET_FILE_HEADER], uint32_t snaplen, uint32_t link_type);

#endif
