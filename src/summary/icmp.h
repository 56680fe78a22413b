/*
 * ICMP's errors by who sent them, what they say, and between which ends the packet went that they quote (RFC 792,
 * 4443), in memory of fixed size. Others ask here whether one came back for a connection.
 */
#ifndef TARCAP_ICMP_H
#define TARCAP_ICMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/siphash.h"
#include "base/sizes.h"
#include "summary/findings.h"
#include "summary/sighting.h"

#define ICMP_ERRORS_MAX TABLE_OF(1024)
#define ICMP_PORTS 4 /* of those who sent what is quoted, that are kept */

enum icmp_meaning {
	ICMP_UNREACHABLE,      /* a host or a network, or a router has no way */
	ICMP_PROHIBITED,       /* by an administrator, a firewall */
	ICMP_PORT_UNREACHABLE, /* nobody listens there, or a firewall says so */
	ICMP_TOO_BIG,	       /* fragmentation needed, packet too big */
	ICMP_TIME_EXCEEDED,    /* on the way: a loop of routes, or a traceroute */
	ICMP_REASSEMBLY,       /* a fragment of a packet didn't come */
	ICMP_PARAMETER,	       /* a header that somebody couldn't read */
};

struct icmp_error_key {
	struct dissect_end from; /* who sent what is quoted; without its port */
	struct dissect_end to;
	uint8_t by[16];		   /* who sent the error */
	uint8_t version, protocol; /* of what is quoted */
	uint8_t type, code;
};

struct icmp_error {
	struct icmp_error_key key;
	enum icmp_meaning meaning;
	bool ports;		   /* of what is quoted are known */
	uint16_t mtu;		   /* of ICMP_TOO_BIG: the least; 0: it isn't said */
	uint16_t from[ICMP_PORTS]; /* ports, the first ones */
	uint8_t from_count;
	uint64_t count;
	uint64_t last;		    /* ns */
	uint32_t interface, device; /* of the last one */
	struct place first;
};

struct icmp;

/* key: as in table_open(). NULL when there is no memory. */
struct icmp *icmp_open(const struct siphash_key *key, struct err *err);
void icmp_close(struct icmp *icmp);

/*
 * Any packet. True: it's an error, and quoted is the packet that it quotes, whose pointers lead into the one at hand.
 */
bool icmp_add(struct icmp *icmp, const struct sighting *sighting, struct dissected *quoted);

/* The first error that came back for what from sent to to, whatever its own port was; NULL: there was none. */
const struct icmp_error *icmp_quoting(const struct icmp *icmp, uint8_t version, uint8_t protocol,
				      const struct dissect_end *from, const struct dissect_end *to);

size_t icmp_count(const struct icmp *icmp);
const struct icmp_error *icmp_at(const struct icmp *icmp, size_t i);

/* Errors that are cut before what they quote: they are in no count. */
uint64_t icmp_cut(const struct icmp *icmp);

/* Errors for which there was no room. */
uint64_t icmp_left_out(const struct icmp *icmp);

/* "port unreachable": what its type and code say; or its numbers, in spare. */
const char *icmp_says(const struct icmp_error *error, char spare[32]);

/* refused of UDP, and icmp-error. */
void icmp_finish(const struct icmp *icmp, struct findings *findings);

#endif
