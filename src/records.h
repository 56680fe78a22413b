/* The bytes of a pcap file into its records, as the bytes come. Nothing in them is trusted. */
#ifndef TARCAP_RECORDS_H
#define TARCAP_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "packet.h"

#define RECORDS_CAPLEN_MAX 262144 /* libpcap's MAXIMUM_SNAPLEN; more is damage */
#define RECORDS_LONGEST (sizeof(struct packet_header) + RECORDS_CAPLEN_MAX)

enum records_event {
	RECORDS_HEADER,	 /* the file header has come, and is good */
	RECORDS_PACKET,	 /* a packet; its data is valid until the next call */
	RECORDS_MORE,	 /* all that was fed is used: feed more */
	RECORDS_DAMAGED, /* what comes is no pcap record; said once more each time it is asked */
};

struct records {
	unsigned char file_header[PACKET_FILE_HEADER]; /* host byte order; valid after RECORDS_HEADER */
	uint32_t tick;				       /* ns that a packet's fraction counts in: 1000 or 1 */
	uint64_t packets;			       /* so far */
	uint32_t snaplen;			       /* no record of the file has more bytes */

	bool header_seen, damaged;
	const unsigned char *fed; /* the caller's */
	size_t fed_size;
	size_t partial_used;
	unsigned char partial[RECORDS_LONGEST]; /* a record that came in pieces */
};

/* Begin a file. */
void records_begin(struct records *records);

/* More bytes, when all fed before are used. They stay the caller's, and must stay until RECORDS_MORE. */
void records_feed(struct records *records, const unsigned char *data, size_t size);

enum records_event records_next(struct records *records, struct packet *packet);

/* Does the file end well if it ends here: with a file header, and no part of a record? */
bool records_complete(const struct records *records);

/* The file header of a pcap file with microseconds. */
void records_header(unsigned char file_header[PACKET_FILE_HEADER], uint32_t snaplen, uint32_t link_type);

#endif
