/* Packets from an interface (the kernel's TPACKET_V3 ring, through libpcap) or from a file. */
#ifndef TARCAP_CAPTURE_H
#define TARCAP_CAPTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/account.h"
#include "base/err.h"
#include "base/packet.h"
#include "capture/exclude.h"
#include "capture/ring.h"
#include "capture/segments.h"
#include "format/packet_direction.h"
#include "request/options.h"

#define CAPTURE_BLOCK_TIMEOUT 100 /* ms after which the kernel hands over a block that is not full */

struct bpf_program;
struct pcap;

struct sockaddr_ll;

struct capture;

/* Who looks at each packet that passed the filter, before it is copied: record/look.h. */
struct capture_look {
	/* Bytes of it to keep, at most header->caplen. */
	uint32_t (*packet)(struct capture_look *look, const struct packet_header *header, const unsigned char *data);
	/*
	 * Called behind that where it has set tell, which goes with that: the packet is the last of the series' open
	 * file, or, if it was not taken, in none. It is whole, and capture_read() returns with it.
	 */
	void (*taken)(struct capture_look *look, const struct series *series, bool taken);
	bool tell;
};

struct capture {
	struct pcap *pcap;
	int fd; /* the packet socket, to poll; -1 when reading a file */
	int ifindex;
	const struct sockaddr_ll *armed, *disarmed; /* what it is bound to: bindings.h */
	bool loopback;
	bool promiscuous;      /* as it is, not as it was asked for */
	char warning[160];     /* what libpcap could not do, in its words; empty: nothing */
	bool any;	       /* the device of all interfaces: no ifindex, and it is always there */
	const char *interface; /* name, or the file's; owned by whoever opened */
	const char *link_type; /* "EN10MB", or NULL if it has no name */
	const char *link_type_description;
	uint32_t link_type_number; /* LINKTYPE_, as files have it: libpcap's own number (DLT_) may be another */
	uint32_t snaplen;
	uint32_t tick; /* ns that a packet's fraction counts in */
	struct ring ring;
	char excluded[EXCLUDE_TEXT_SIZE]; /* what is left out as our own stream; empty: nothing */
	struct bpf_program *user_filter;  /* the filter, when the kernel does not take it; else NULL */
	struct bpf_program *headers;	  /* what cuts to --headers, when the kernel does not; else NULL */
	struct capture_look *look;	  /* the caller's; NULL: nobody looks */
	struct cut_by_first cut;	  /* by look */
	uint64_t received;		  /* packets that passed the filter, those dropped included */
	uint64_t dropped;		  /* by the kernel, because the ring was full */
	uint64_t read;			  /* taken from the ring or the file */
	uint64_t rejected;		  /* of these, by user_filter */
	bool pcapng;			  /* packets go into blocks, with the flags that direction has */
	struct packet_direction direction;
	/* reading a file */
	int file;
	int interrupt_fd, reader_fd;
	bool interrupted, reader_gone;
	/* Set by whoever has other work while a file that is a pipe has nothing: true when it can be read, false to
	 * end. */
	bool (*wait_for_file)(void *context);
	void *wait_context;
};

/*
 * Open the interface, which "any" may be, with so many bytes of ring and the filter set, but not yet receiving
 * ("armed"): the socket is bound to an ethertype nobody uses, so that no packet from before the filter
 * gets in. name stays the caller's. STATUS_USAGE for a bad filter, STATUS_FAILED for no such interface or no
 * permission.
 */
MUST_CHECK int capture_open_live(struct capture *capture, const char *name, uint64_t ring,
				 const struct options *options, struct err *err);

/*
 * Open options->read_file ("-" is stdin). Reads wait for the file or for interrupt_fd to become readable,
 * whichever is first; the latter ends the file. Once wait_for_file is set, it does the waiting.
 */
MUST_CHECK int capture_open_file(struct capture *capture, const struct options *options, int interrupt_fd,
				 struct err *err);
void capture_close(struct capture *capture);

/* Fill in what libpcap knows of the link type and the times of what was opened. For the two openers above. */
void capture_note_format(struct capture *capture);

/* Bind to all ethertypes: from now on packets come. Nothing to do for a file. */
MUST_CHECK int capture_fire(struct capture *capture, struct err *err);

/* Bind back to the unused ethertype: what is in the ring now is all there will be. Also counts. */
void capture_disarm(struct capture *capture);

/* The pcap file header that belongs in front of this capture's records, as libpcap writes it. */
MUST_CHECK int capture_file_header(struct capture *capture, unsigned char header[PACKET_FILE_HEADER], struct err *err);

enum capture_result {
	CAPTURE_NOTHING, /* no packet is waiting */
	CAPTURE_SOME,	 /* there may be more */
	CAPTURE_VERDICT, /* segments said something else than go: see *verdict */
	CAPTURE_END,	 /* the file has ended */
	CAPTURE_ERROR,	 /* see err */
};

/* Move up to max waiting packets into the series, which must have room. Never waits on an interface. */
MUST_CHECK enum capture_result capture_read(struct capture *capture, struct series *series, int max,
					    enum verdict *verdict, struct err *err);

/* Bring received and dropped up to date. The kernel's counters are 32 bits wide and restart at each look. */
void capture_count(struct capture *capture);

enum capture_state { CAPTURE_UP, CAPTURE_DOWN, CAPTURE_GONE };

/* How the interface is. Also clears the socket's pending error, which says that something changed. */
enum capture_state capture_state(struct capture *capture);

/* libpcap's name and version. */
const char *capture_library(void);

#endif
