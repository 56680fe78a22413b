#include "summary/dns.h"
#include "base/sizes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "summary/ends.h"
#include "summary/table.h"

#define PORT 53

/* Queries without an answer yet: place all ways of a set are taken, the oldest is settled. */
#define SETS TABLE_OF(4096)
#define WAYS 4

/* A query that comes again sooner is the same packet, seen on another interface. In ns. */
#define COPY UINT64_C(50000000)

/* Who waits no longer than this for an answer at the end of the capture may still get it. In ns. */
#define PATIENCE UINT64_C(1000000000)

#define LABELS_MAX 16

/* An answer after a longer time belongs to another query. In ns. */
#define LATEST UINT64_C(30000000000)

enum query_state {
	QUERY_NONE,
	QUERY_WAITS,
	QUERY_REFUSED,	 /* by ICMP */
	QUERY_ANSWERED,	 /* kept for copies of it */
	QUERY_IS_ANSWER, /* it's no query, but the answer to one that hasn't come yet */
};

struct query {
	struct dissect_end client, server;
	uint16_t id;
	uint8_t version, protocol;
	uint8_t state; /* enum query_state */
	bool resent;
	bool truncated; /* of an answer */
	uint8_t code;	/* the same */
	struct dns_server *to;
	struct dns_name *name; /* NULL: there are too many */
	uint64_t last;	       /* ns */
	struct place first;
};

struct dns {
	struct siphash_key key;
	struct table *servers, *names;
	uint64_t left_out, cut;
	struct query queries[SETS][WAYS];
};

struct dns *dns_open(const struct siphash_key *key, struct err *err)
{
	struct dns *dns = calloc(1, sizeof(*dns));

	if (!dns) {
		err_sys(err, ENOMEM, "memory for DNS");
		return NULL;
	}
	dns->key = *key;
	if ((dns->servers =
		     table_open(key, sizeof(struct dns_server_key), sizeof(struct dns_server), DNS_SERVERS_MAX, err)) &&
	    (dns->names = table_open(key, sizeof(uint64_t), sizeof(struct dns_name), DNS_NAMES_MAX, err)))
		return dns;
	dns_close(dns);
	return NULL;
}

void dns_close(struct dns *dns)
{
	if (!dns)
		return;
	table_close(dns->servers);
	table_close(dns->names);
	free(dns);
}

/* --- servers and names --- */

static struct dns_server *server_of(struct dns *dns, const struct dissect_end *end, uint8_t version)
{
	struct dns_server_key key = {*end, version, 0};

	_Static_assert(sizeof(key) == 20, "no holes, which would be hashed");
	return table_take(dns->servers, &key);
}

/* Of a server's name in any case: for DNS these are the same (RFC 4343). At most size - 1 of its characters. */
static uint64_t name_hash(const struct dns *dns, const struct dns_server *server, const char *name, size_t length)
{
	unsigned char text[sizeof(uint32_t) + DNS_NAME_SIZE];
	uint32_t place = (uint32_t)table_place(dns->servers, server);

	memcpy(text, &place, sizeof(place));
	for (size_t i = 0; i < length; i++)
		text[sizeof(place) + i] =
			(unsigned char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] - 'A' + 'a' : name[i]);
	return siphash(&dns->key, text, sizeof(place) + length);
}

static struct dns_name *name_of(struct dns *dns, const struct dns_server *server, const struct dns_message *message)
{
	uint64_t hash = name_hash(dns, server, message->name, strlen(message->name));
	struct dns_name *name = table_take(dns->names, &hash);

	if (name && !name->name[0]) {
		memcpy(name->name, message->name, sizeof(name->name));
		name->server = server;
		name->type = message->type;
	}
	return name;
}

/* --- queries --- */

static bool same_query(const struct query *a, const struct query *b)
{
	return a->state && a->id == b->id && a->version == b->version && a->protocol == b->protocol &&
	       ends_same(&a->client, &b->client) && ends_same(&a->server, &b->server);
}

static struct query *set_of(struct dns *dns, const struct query *query)
{
	unsigned char text[2 * sizeof(query->client) + sizeof(query->id)];

	memcpy(text, &query->client, sizeof(query->client));
	memcpy(text + sizeof(query->client), &query->server, sizeof(query->server));
	memcpy(text + 2 * sizeof(query->client), &query->id, sizeof(query->id));
	return dns->queries[siphash(&dns->key, text, sizeof(text)) % SETS];
}

static struct query *find_query(struct dns *dns, const struct query *like)
{
	struct query *set = set_of(dns, like);

	for (size_t i = 0; i < WAYS; i++) {
		if (same_query(&set[i], like))
			return &set[i];
	}
	return NULL;
}

/* The earliest of those that were counted. */
static void note_first(struct place *first, uint32_t count, const struct place *place)
{
	if (count == 0 || place->time < first->time)
		*first = *place;
}

static void count_unanswered(const struct query *query)
{
	if (query->name) {
		note_first(&query->name->unanswered, query->name->counts.unanswered, &query->first);
		query->name->counts.unanswered++;
	}
	note_first(&query->to->unanswered, query->to->counts.unanswered, &query->first);
	query->to->counts.unanswered++;
}

static void count_refused(const struct query *query)
{
	query->to->counts.refused++;
	if (query->name)
		query->name->counts.refused++;
}

/* No answer is going to be looked for; now: the time of what says so. */
static void settle(struct query *query, uint64_t now)
{
	if (query->state == QUERY_REFUSED)
		count_refused(query);
	else if (query->state == QUERY_WAITS && (query->resent || now >= query->first.time + PATIENCE))
		count_unanswered(query);
	else if (query->state == QUERY_WAITS)
		query->to->open++;
	query->state = QUERY_NONE;
}

/* Those that have what they wait for go first, and then the oldest. */
static bool goes_before(const struct query *a, const struct query *b)
{
	bool waits = a->state == QUERY_WAITS, other = b->state == QUERY_WAITS;

	if ((a->state == QUERY_NONE) != (b->state == QUERY_NONE))
		return a->state == QUERY_NONE;
	return waits != other ? other : a->first.time < b->first.time;
}

/* A place for a new one. */
static struct query *free_way(struct dns *dns, const struct query *like)
{
	struct query *set = set_of(dns, like), *best = set;

	for (size_t i = 1; i < WAYS; i++) {
		if (goes_before(&set[i], best))
			best = &set[i];
	}
	settle(best, like->first.time);
	return best;
}

static uint64_t distance(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

/* The same query once more: seen at another interface too, or sent again because no answer came. */
static bool asked_again(struct query *query, const struct query *new)
{
	uint64_t time = new->first.time;

	if (query->name != new->name)
		return false;
	if (distance(time, query->first.time) < COPY || distance(time, query->last) < COPY)
		return true;
	if (query->state != QUERY_WAITS)
		return false;
	query->resent = true;
	query->to->counts.resent++;
	if (time > query->last)
		query->last = time;
	return true;
}

static void count_asked(const struct query *query)
{
	if (query->to->counts.asked++ == 0)
		query->to->client = query->client;
	query->to->over_tcp += query->protocol == PROTOCOL_TCP;
	if (query->name) {
		note_first(&query->name->first, query->name->counts.asked, &query->first);
		query->name->counts.asked++;
	}
}

/* --- answers --- */

static void count_answer(struct dns_counts *counts, const struct dns_message *message, uint64_t time)
{
	counts->answered++;
	counts->slow += time >= DNS_SLOW;
	counts->truncated += message->truncated;
	counts->codes[message->code]++;
	if (time > counts->longest)
		counts->longest = time;
}

static void count_answered(const struct query *query, const struct dns_message *message, const struct place *place)
{
	uint64_t time = place->time > query->first.time ? place->time - query->first.time : 0;
	struct dns_server *server = query->to;

	if (time >= DNS_SLOW)
		note_first(&server->slow, server->counts.slow, place);
	if (message->truncated)
		note_first(&server->truncated, server->counts.truncated, place);
	count_answer(&server->counts, message, time);
	durations_add(&server->times, time);
	if (!query->name)
		return;
	if (message->code)
		note_first(&query->name->failed, query->name->counts.answered - query->name->counts.codes[0], place);
	count_answer(&query->name->counts, message, time);
}

/* An answer without its query, which stands in a file that comes later, or was before the capture. */
static void keep_answer(struct dns *dns, struct query *new, const struct dns_message *message)
{
	struct query *query = free_way(dns, new);

	new->state = QUERY_IS_ANSWER;
	new->code = message->code;
	new->truncated = message->truncated;
	*query = *new;
}

static void take_answer(struct dns *dns, struct query *new, const struct dns_message *message)
{
	struct query *query = find_query(dns, new);

	if (!query) {
		keep_answer(dns, new, message);
	} else if (query->state == QUERY_WAITS || query->state == QUERY_REFUSED) {
		count_answered(query, message, &new->first);
		query->state = QUERY_ANSWERED;
	}
}

static void take_query(struct dns *dns, struct query *new, const struct dns_message *message)
{
	struct query *query = find_query(dns, new), before = {0};

	new->to = server_of(dns, &new->server, new->version);
	if (!new->to) {
		dns->left_out++;
		return;
	}
	new->name = name_of(dns, new->to, message);
	if (query && query->state != QUERY_IS_ANSWER && asked_again(query, new))
		return;
	if (query)
		before = *query;
	else
		query = free_way(dns, new);
	if (before.state != QUERY_IS_ANSWER)
		settle(query, new->first.time);
	new->state = QUERY_WAITS;
	*query = *new;
	count_asked(query);
	if (before.state == QUERY_IS_ANSWER &&
	    before.first.time >= new->first.time &&before.first.time - new->first.time < LATEST)
		take_answer(dns, &before, &(struct dns_message){.code = before.code, .truncated = before.truncated});
}

/* --- packets --- */

static struct query query_between(const struct dissected *dissected, bool to_server)
{
	return (struct query){
		.client = to_server ? dissected->from : dissected->to,
		.server = to_server ? dissected->to : dissected->from,
		.version = dissected->version,
		.protocol = dissected->protocol,
	};
}

/* Over TCP two bytes of its length stand in front of a message (RFC 1035, section 4.2.2). */
static bool read_message(struct dns_message *message, const struct dissected *dissected)
{
	size_t before = dissected->protocol == PROTOCOL_TCP ? 2 : 0;

	return dissected->payload && dissected->payload_size > before &&
	       dns_message_read(message, dissected->payload + before, dissected->payload_size - before);
}

/* What it takes is large, and is made ready for packets of names alone. */
static void take_message(struct dns *dns, const struct sighting *sighting)
{
	const struct dissected *headers = sighting->headers;
	struct dns_message message;
	struct query query;

	if (!read_message(&message, headers)) {
		dns->cut += headers->payload_size < headers->payload_length;
		return;
	}
	if (message.answer ? headers->from.port != PORT : headers->to.port != PORT)
		return;
	query = query_between(headers, !message.answer);
	query.id = message.id;
	query.first = sighting->place;
	query.last = sighting->place.time;
	if (message.answer)
		take_answer(dns, &query, &message);
	else
		take_query(dns, &query, &message);
}

void dns_add(struct dns *dns, const struct sighting *sighting)
{
	const struct dissected *headers = sighting->headers;

	if ((headers->to.port == PORT || headers->from.port == PORT) &&
	    (headers->protocol == PROTOCOL_UDP || headers->protocol == PROTOCOL_TCP))
		take_message(dns, sighting);
}

void dns_refused(struct dns *dns, const struct dissected *quoted)
{
	struct query like, *query;

	if (quoted->to.port != PORT || quoted->protocol != PROTOCOL_UDP || !quoted->payload || quoted->payload_size < 2)
		return;
	like = query_between(quoted, true);
	like.id = (uint16_t)(quoted->payload[0] << 8 | quoted->payload[1]);
	query = find_query(dns, &like);
	if (query && query->state == QUERY_WAITS)
		query->state = QUERY_REFUSED;
}

/* --- search lists --- */

static struct dns_name *find_name(const struct dns *dns, const struct dns_server *server, const char *name,
				  size_t length)
{
	uint64_t hash = name_hash(dns, server, name, length);

	return table_find(dns->names, &hash);
}

/* The name without the label that begins at from and ends, with its dot, before to. */
static struct dns_name *without_label(const struct dns *dns, const struct dns_name *name, size_t from, size_t to)
{
	char shorter[DNS_NAME_SIZE];
	size_t length = strlen(name->name);

	memcpy(shorter, name->name, from);
	memcpy(shorter + from, name->name + to, length - to);
	return find_name(dns, name->server, shorter, length - (to - from));
}

/*
 * Was the name made of another one and an element of a search list? Then the other one was asked for, too: either as it
 * is, or with the next element, which is mostly the same without its first label (ns.svc.cluster.local,
 * svc.cluster.local, cluster.local).
 */
static void find_search(const struct dns *dns, struct dns_name *name)
{
	struct dns_name *meant = NULL;
	size_t at = 0;
	const char *dot;

	for (int i = 0; i < LABELS_MAX && (dot = strchr(name->name + at, '.')) && dot[1]; i++) {
		size_t length = (size_t)(dot - name->name);
		struct dns_name *next = at > 0 ? without_label(dns, name, at, length + 1) : NULL;

		meant = find_name(dns, name->server, name->name, length);
		name->searched = meant || next;
		if (name->searched)
			break;
		at = length + 1;
	}
	if (meant && meant->searches < UINT16_MAX)
		meant->searches++;
}

static bool only_missing(const struct dns_counts *counts)
{
	return counts->answered > 0 && counts->codes[DNS_NXDOMAIN] == counts->answered;
}

void dns_finish(struct dns *dns, uint64_t end)
{
	for (size_t i = 0; i < SETS * (size_t)WAYS; i++) {
		struct query *query = &dns->queries[i / WAYS][i % WAYS];

		settle(query, end);
	}
	for (size_t i = 0; i < table_count(dns->names); i++) {
		struct dns_name *name = table_at(dns->names, i);

		if (only_missing(&name->counts))
			find_search(dns, name);
	}
}

/* --- what came of it --- */

size_t dns_server_count(const struct dns *dns)
{
	return table_count(dns->servers);
}

const struct dns_server *dns_server_at(const struct dns *dns, size_t i)
{
	return table_at(dns->servers, i);
}

size_t dns_name_count(const struct dns *dns)
{
	return table_count(dns->names);
}

const struct dns_name *dns_name_at(const struct dns *dns, size_t i)
{
	return table_at(dns->names, i);
}

uint64_t dns_cut(const struct dns *dns)
{
	return dns->cut;
}

uint64_t dns_left_out(const struct dns *dns)
{
	return dns->left_out + table_left_out(dns->names);
}
