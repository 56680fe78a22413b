/*
 * UDP in several archives: which datagrams are in both. By both ends, the IP id where there is one, the length and,
 * where it was kept, the payload's beginning; through NAT by the same without the ends. What comes twice with all the
 * same is told by its count, and has no delay.
 */
#ifndef TARCAP_PAIRING_UDP_H
#define TARCAP_PAIRING_UDP_H

#include "base/err.h"
#include "base/siphash.h"
#include "summary/pairing.h"
#include "summary/sighting.h"

/* That wait to be found elsewhere, or were not: 28 MiB, of which pages that are not used cost nothing. */
#define PAIRING_DATAGRAMS TABLE_OF(UINT32_C(1) << 19)

/* Some datagrams that are all the same, in one archive. */
struct pairing_datagram {
	uint64_t mark, time;	    /* time: ns, of the latest */
	uint64_t met;		    /* the archives that have it, too: a bit for each */
	uint64_t content;	    /* a hash of the payload's beginning; 0: that was not kept */
	uint32_t track, next;	    /* next: of its chain, place + 1 */
	uint16_t id, length, count; /* IP's, 0: it has none; of the payload */
	uint8_t side;
	bool stays;  /* when it is tidied up */
	bool unsure; /* by other ends it cannot be told whether it is elsewhere */
};

/* key: random. NULL when there is no memory. */
struct pairing_udp *pairing_udp_open(const struct siphash_key *key, struct err *err);
void pairing_udp_close(struct pairing_udp *udp);

/* A packet of UDP of an archive, and the number of its conversation there. */
void pairing_udp_add(struct pairing *pairing, unsigned archive, uint32_t conversation, const struct sighting *sighting);

/* All has come: delays, and who is who behind NAT. */
void pairing_udp_finish(struct pairing *pairing);

/* Those that are left: all that some archive lacks, and others. Valid once it is finished. */
uint32_t pairing_udp_count(const struct pairing_udp *udp);
const struct pairing_datagram *pairing_udp_at(const struct pairing_udp *udp, uint32_t i);

/* Datagrams for which there was no room: then it is not known of those that are left whether another archive had them.
 */
uint64_t pairing_udp_left_out(const struct pairing_udp *udp);

#endif
