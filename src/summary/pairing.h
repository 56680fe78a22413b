/*
 * One TCP connection seen in several archives: found by what its packets have in common, whatever its addresses are on
 * the way (sequence and acknowledgment numbers, and the timestamps option), in memory of fixed size. The archives may
 * come in any order; what comes about the same time in turns finds more delays. UDP is in the same tables; what is
 * paired there is pairing_udp.c's.
 */
#ifndef TARCAP_PAIRING_H
#define TARCAP_PAIRING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/siphash.h"
#include "base/sizes.h"
#include "read/source.h"
#include "summary/ranges.h"
#include "summary/sighting.h"

#define PAIRING_TRACKS TABLE_OF(262144) /* connections of all archives; further ones are counted */
#define PAIRING_LINKS TABLE_OF(131072)
#define PAIRING_UDP_TRACKS TABLE_OF(131072) /* of these, UDP's at most; and of the links at most half */
#define PAIRING_SAMPLED TABLE_OF(4096)	    /* links whose delays are kept, */
#define PAIRING_SAMPLES 128		    /* of each direction so many, by chance */
#define PAIRING_RESETS TABLE_OF(65536)

/* A RST that a side sent. */
struct pairing_reset {
	uint64_t time;
	uint32_t sequence;
	uint32_t next; /* of the same side: place + 1 */
	uint8_t hops;
	bool matched;
};

/*
 * What one side of a connection sent, as one archive has it. Positions are sequence numbers that do not wrap; those of
 * UDP are all 0.
 */
struct pairing_side {
	struct ranges_list ranges;
	uint64_t start, high;  /* the first position, and behind the highest */
	uint64_t acknowledged; /* by the other side, so far */
	uint64_t last;	       /* ns: its latest packet */
	uint32_t base;	       /* sequence number of start */
	uint32_t interface;
	uint32_t resets; /* place + 1 */
	uint32_t reset_count;
	uint32_t datagrams; /* of UDP, that can be told apart */
	uint16_t mss;	    /* of its SYN; 0: it said none */
	uint16_t largest;   /* IP packet, as it was captured; at most 65535 */
	uint8_t hops;
	bool seen;
	bool unmarked;	/* some of UDP have nothing that tells them apart */
	bool fragments; /* some of UDP came in pieces */
};

/* A connection in one archive. Its first packet was sent by side 0. */
struct pairing_track {
	struct dissect_end ends[2];
	uint8_t version, archive, protocol;
	bool began;				    /* its SYN is there */
	uint64_t linked, linked_twice, linked_same; /* archives, a bit for each: see pairing_is_pair() */
	struct pairing_side sides[2];
};

/* The same connection in two archives. The sides and their order are those of track a. */
struct pairing_link {
	uint32_t tracks[2];	   /* of archive a, which came first among the sources, and b */
	uint32_t next;		   /* of track b: place + 1 */
	uint32_t sampled;	   /* place + 1 of its delays; 0: none are kept */
	uint32_t hits[2];	   /* packets found in both, by direction */
	int64_t least[2], most[2]; /* ns: time in b less that in a; valid with hits */
	uint64_t shift[2];	   /* position in a less that in b */
	bool crossed;		   /* side 0 of a is side 1 of b */
	bool same;		   /* addresses and ports are the same */
};

struct pairing_samples {
	int64_t delay[2][PAIRING_SAMPLES];
};

struct pairing;
struct pairing_udp;

/* A packet that is found in another archive, too. */
struct pairing_met {
	uint32_t track;
	int side;
	uint64_t time;
};

/* archives: at most SOURCES_MAX. key: random. NULL when there is no memory. */
struct pairing *pairing_open(size_t archives, const struct siphash_key *key, struct err *err);
void pairing_close(struct pairing *pairing);

/* A packet of a conversation will come soon: asks for the memory that it takes; sooner: for what that leads to. */
void pairing_approach(const struct pairing *pairing, unsigned archive, uint32_t conversation);
void pairing_reach(const struct pairing *pairing, unsigned archive, uint32_t conversation);

/* A packet of TCP of an archive, and the number of its conversation there. */
void pairing_add(struct pairing *pairing, unsigned archive, uint32_t conversation, const struct sighting *sighting);

/* --- for pairing_udp.c --- */

const struct siphash_key *pairing_key(const struct pairing *pairing);
struct pairing_udp *pairing_udp(const struct pairing *pairing);

/* The connection that a packet is of; NULL: there is no room. */
struct pairing_track *pairing_take(struct pairing *pairing, unsigned archive, uint32_t conversation,
				   const struct dissected *headers);
uint32_t pairing_track_number(const struct pairing *pairing, const struct pairing_track *track);

/* A packet of a side: when it was the latest, and the largest. */
void pairing_saw(struct pairing_side *side, const struct sighting *sighting);

/* That both are one; a's archive is before b's. NULL: no room, or the sides are the other way round already. */
struct pairing_link *pairing_link(struct pairing *pairing, uint32_t a, uint32_t b, bool crossed);

/* The same, and the delay between them counts. */
void pairing_meet(struct pairing *pairing, const struct pairing_met *a, const struct pairing_met *b);

/* --- once all has come --- */

/* All has come; before anything below is asked. */
void pairing_finish(struct pairing *pairing);

uint32_t pairing_link_count(const struct pairing *pairing);
const struct pairing_link *pairing_link_at(const struct pairing *pairing, uint32_t i);
const struct pairing_track *pairing_track_at(const struct pairing *pairing, uint32_t i);
uint32_t pairing_track_count(const struct pairing *pairing);
struct pairing_reset *pairing_reset_at(struct pairing *pairing, uint32_t place);
const struct ranges *pairing_ranges(const struct pairing *pairing);

/* The delays of a direction into list: how many. */
size_t pairing_delays(const struct pairing *pairing, const struct pairing_link *link, int side,
		      int64_t list[PAIRING_SAMPLES]);

/* Is it the only one that its connections may be paired with, and certain? */
bool pairing_is_pair(const struct pairing *pairing, const struct pairing_link *link);

/* Packets of connections for which there was no room. */
uint64_t pairing_left_out(const struct pairing *pairing);

#endif
