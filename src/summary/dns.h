/*
 * DNS by server and by name: what was asked of port 53 over UDP and TCP, what came back and how long that took, in
 * memory of fixed size. mDNS and LLMNR ask everybody and expect no answer: they are left alone.
 */
#ifndef TARCAP_DNS_H
#define TARCAP_DNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/siphash.h"
#include "base/sizes.h"
#include "summary/dns_message.h"
#include "summary/durations.h"
#include "summary/sighting.h"

#define DNS_CODES 16
#define DNS_NAMES_MAX TABLE_OF(4096)
#define DNS_SERVERS_MAX 64

/* An answer that takes as long as this is slow: most resolvers take some milliseconds. In ns. */
#define DNS_SLOW UINT64_C(500000000)

struct dns_counts {
	uint32_t asked; /* queries, each once, however often it was sent */
	uint32_t resent;
	uint32_t answered, unanswered;
	uint32_t refused; /* by ICMP */
	uint32_t slow;
	uint32_t truncated;
	uint32_t codes[DNS_CODES]; /* of answers */
	uint64_t longest;	   /* ns from the first query to the answer */
};

struct dns_server_key {
	struct dissect_end end;
	uint8_t version, unused;
};

struct dns_server {
	struct dns_server_key key;
	struct dns_counts counts;
	uint32_t over_tcp; /* queries */
	uint32_t open;	   /* whose answer may have come after the capture's end */
	struct place unanswered, slow, truncated;
	struct dissect_end client; /* that asked first */
	struct durations times;	   /* of answers */
};

/* A name as one server was asked for it. */
struct dns_name {
	uint64_t hash;
	const struct dns_server *server;
	struct dns_counts counts;
	struct place first;	 /* query */
	struct place unanswered; /* the same */
	struct place failed;	 /* the first answer with a code */
	uint16_t type;		 /* of the first query */
	bool searched;		 /* an element of a search list was put behind it; it wasn't meant itself */
	uint16_t searches;	 /* of a name that was meant: how many of these */
	char name[DNS_NAME_SIZE];
};

struct dns;

/* key: as in table_open(). NULL when there is no memory. */
struct dns *dns_open(const struct siphash_key *key, struct err *err);
void dns_close(struct dns *dns);

/* Any packet; what is no DNS costs a comparison of its ports. */
void dns_add(struct dns *dns, const struct sighting *sighting);

/* An ICMP error quotes this packet: who sent it knows that there will be no answer. */
void dns_refused(struct dns *dns, const struct dissected *quoted);

/* All has been read; end: ns, of the last packet. What can be said only now is: unanswered, searched. */
void dns_finish(struct dns *dns, uint64_t end);

/* dns-unanswered, dns-failure, dns-slow, dns-search; after dns_finish(). */
void dns_findings(const struct dns *dns, const struct circumstances *circumstances, struct findings *findings);

size_t dns_server_count(const struct dns *dns);
const struct dns_server *dns_server_at(const struct dns *dns, size_t i);
size_t dns_name_count(const struct dns *dns);
const struct dns_name *dns_name_at(const struct dns *dns, size_t i);

/* Messages that are cut before the end of their question: they are in no count. */
uint64_t dns_cut(const struct dns *dns);

/* Queries that are in no count, because there were too many names, servers, or queries at once. */
uint64_t dns_left_out(const struct dns *dns);

#endif
