#include "record/first.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "request/plan.h"
#include "summary/dissect.h"

#define CACHE_LINE ((size_t)64)
#define WAYS 8 /* flows, which are a direction of a connection, in one place */
#define LINE 4 /* of them in a line of the processor's cache */
#define PLACES ((size_t)FIRST_FLOWS / WAYS)

/* Times are in units of 2^24 ns, which is 17 ms: 32 bits of them are two years. */
#define TIME_SHIFT 24
#define IN_TIME(seconds) ((uint32_t)((seconds)*CLOCK_SECOND >> TIME_SHIFT))

#define WINDOW (UINT32_C(1) << 30) /* the largest of TCP: what lies further away is of another connection */
#define NEAR UINT32_C(65536)	   /* as far may a retransmission lie back after IDLE_TCP, and before the first seen */
#define IDLE_TCP IN_TIME(60)
#define IDLE_UDP IN_TIME(30)

/* Of its connection it has the hash alone: 13 bits by the place where it stands, and 32 more. */
struct flow {
	uint32_t mark;	 /* 0: never one */
	uint32_t next;	 /* TCP: the sequence number behind the last byte that was counted */
	uint32_t passed; /* bytes up to there, of which no more than bytes + WINDOW matter */
	uint32_t seen;	 /* when it last came; 0: never */
};

/* They are looked at from the first on, so that mostly one line of the processor's cache has the one that is looked
 * for. */
struct place {
	struct flow flows[WAYS];
};

struct first {
	struct siphash_key key;
	uint32_t bytes;
	struct place *places;
};

_Static_assert(PLACES * sizeof(struct place) == PLAN_FIRST_TABLE, "as plan.h reckons");
_Static_assert(LINE * sizeof(struct flow) == CACHE_LINE && sizeof(struct place) == 2 * CACHE_LINE,
	       "a place is no more of the processor's cache than that");

struct first *first_open(uint64_t bytes, const struct siphash_key *key, struct err *err)
{
	struct first *first = calloc(1, sizeof(*first));

	if (first)
		first->places = aligned_alloc(2 * CACHE_LINE, PLAN_FIRST_TABLE);
	if (!first || !first->places) {
		first_close(first);
		err_sys(err, ENOMEM, "memory for --first");
		return NULL;
	}
	memset(first->places, 0, PLAN_FIRST_TABLE); /* all its pages at once: what fails, fails now */
	first->key = *key;
	first->bytes = (uint32_t)bytes;
	return first;
}

void first_close(struct first *first)
{
	if (first)
		free(first->places);
	free(first);
}

/* Addresses, ports, and in the last word what tells how many there are. */
static uint64_t hash(const struct first *first, const struct layers *layers, uint32_t interface)
{
	uint64_t words[5];
	uint32_t ports;
	size_t count = layers->version == 4 ? 1 : 4;

	memcpy(&ports, layers->upper, sizeof(ports));
	memcpy(words, layers->addresses, 8);
	if (count > 1)
		memcpy(words + 1, layers->addresses + 8, 24);
	words[count] =
		ports | (uint64_t)layers->protocol << 32 | (uint64_t)interface << 40 | (uint64_t)layers->version << 56;
	return siphash_words(&first->key, words, count + 1);
}

static struct flow *oldest(struct place *place, uint32_t mark, uint32_t now)
{
	unsigned best = 0;

	for (unsigned way = 1; way < WAYS && place->flows[best].seen; way++) {
		uint32_t seen = place->flows[way].seen;

		if (!seen || now - seen > now - place->flows[best].seen)
			best = way;
	}
	place->flows[best].mark = mark;
	place->flows[best].seen = 0;
	return &place->flows[best];
}

/* 1 or 0, reckoned: as a comparison it would be made a jump, see with_mark(). */
static inline unsigned is_equal(uint64_t a, uint64_t b)
{
	return (unsigned)(((a ^ b) - 1) >> 63);
}

/*
 * Of the four in a line of the cache, one bit for each that has the mark. Which of them has it is chance: a jump there
 * would be foreseen wrongly, and wait for the memory.
 */
static inline unsigned with_mark(const struct flow *line, uint32_t mark)
{
	return is_equal(line[0].mark, mark) | is_equal(line[1].mark, mark) << 1 | is_equal(line[2].mark, mark) << 2 |
	       is_equal(line[3].mark, mark) << 3;
}

static struct flow *find(struct first *first, uint64_t hashed, uint32_t now)
{
	struct place *place = &first->places[hashed % PLACES];
	uint32_t mark = (uint32_t)(hashed >> 32);
	unsigned found;

	mark += !mark; /* 0 has what never was one */
	for (unsigned way = 0; way < WAYS; way += LINE) {
		if ((found = with_mark(place->flows + way, mark)))
			return &place->flows[way + (unsigned)__builtin_ctz(found)];
	}
	return oldest(place, mark, now);
}

/* How long it has been away; never less than nothing, where a clock was set back. */
static uint32_t idle(const struct flow *flow, uint32_t now)
{
	uint32_t away = now - flow->seen;

	return away > INT32_MAX ? 0 : away;
}

/* Has a direction that is known another connection's packet, by its sequence number? */
static bool is_another(const struct flow *flow, uint32_t sequence, uint32_t now)
{
	uint32_t back = flow->next - sequence; /* how far before next; large: behind it */

	if (idle(flow, now) >= IDLE_TCP && back > NEAR)
		return true;
	if (back > WINDOW)
		return back < -WINDOW;
	return back > flow->passed && back - flow->passed > NEAR; /* before the first that was seen */
}

/* How many bytes of the direction have passed before the payload at sequence, which is counted. */
static uint32_t pass_tcp(struct flow *flow, uint32_t sequence, uint32_t payload, uint32_t most)
{
	uint32_t end = sequence + payload, ahead = end - flow->next;
	int64_t before = (int64_t)flow->passed + (int32_t)(sequence - flow->next);

	if (payload && ahead <= WINDOW + payload) {
		uint64_t passed = (uint64_t)flow->passed + ahead;

		flow->next = end;
		flow->passed = passed > most + WINDOW ? most + WINDOW : (uint32_t)passed;
	}
	return before < 0 ? 0 : (uint32_t)before;
}

static uint32_t by_tcp(struct first *first, struct flow *flow, const unsigned char *tcp, uint32_t payload, uint32_t now)
{
	uint32_t sequence = layers_long(tcp + 4);
	bool syn = tcp[13] & DISSECT_SYN;

	sequence += syn; /* which takes a number itself */
	if (syn || !flow->seen || (payload && is_another(flow, sequence, now)))
		*flow = (struct flow){.mark = flow->mark, .next = sequence};
	flow->seen = now;
	return pass_tcp(flow, sequence, payload, first->bytes);
}

static uint32_t by_udp(struct first *first, struct flow *flow, uint32_t payload, uint32_t now)
{
	uint32_t before;

	if (!flow->seen || idle(flow, now) >= IDLE_UDP)
		flow->passed = 0;
	flow->seen = now;
	before = flow->passed;
	flow->passed = before >= first->bytes ? before : before + payload;
	return before;
}

/* A reset that nothing came before: its number need not be one of the connection's. */
static bool says_nothing(const struct layers *layers, uint32_t payload)
{
	return layers->protocol == PROTOCOL_TCP && !payload && layers->upper[13] & DISSECT_RST;
}

uint32_t first_keep(struct first *first, const struct layers *layers, const unsigned char *data, uint32_t caplen,
		    uint32_t interface, uint64_t time)
{
	uint32_t header = layers_transport_header(layers), now = (uint32_t)(time >> TIME_SHIFT), payload, before, kept;
	struct flow *flow;

	if (!header)
		return caplen;
	payload = layers->upper_length - header;
	if (says_nothing(layers, payload))
		return caplen;
	now += !now; /* 0 is never */
	flow = find(first, hash(first, layers, interface), now);
	before = layers->protocol == PROTOCOL_TCP ? by_tcp(first, flow, layers->upper, payload, now)
						  : by_udp(first, flow, payload, now);
	kept = (uint32_t)(layers->upper - data) + header;
	return payload && before >= first->bytes ? kept : caplen;
}
