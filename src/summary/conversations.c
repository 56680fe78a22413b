#include "summary/conversations.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/large.h"
#include "summary/ends.h"

#define CHAINS ((size_t)2 * CONVERSATIONS_MAX)
#define TABLE (CONVERSATIONS_MAX * sizeof(struct conversation))
#define LINE 64 /* bytes: of the cache */

struct conversations {
	struct siphash_key key;
	size_t count;
	uint64_t left_out;
	struct large memory;
	struct conversation *table;
	uint32_t chains[CHAINS]; /* place + 1 */
};

struct conversations *conversations_open(const struct siphash_key *key, struct err *err)
{
	struct conversations *conversations = calloc(1, sizeof(*conversations));

	_Static_assert(sizeof(struct conversation) % LINE == 0, "whole lines of the cache");
	if (!conversations) {
		err_sys(err, ENOMEM, "memory for conversations");
		return NULL;
	}
	conversations->key = *key;
	if (large_open(&conversations->memory, TABLE, "conversations", err) < 0) {
		free(conversations);
		return NULL;
	}
	conversations->table = conversations->memory.at;
	return conversations;
}

void conversations_close(struct conversations *conversations)
{
	if (!conversations)
		return;
	large_close(&conversations->memory);
	free(conversations);
}

/* Which side has sent the packet; -1: it is another conversation's. */
static int side_of(const struct conversation *conversation, const struct dissected *dissected)
{
	const struct dissect_end *ends = conversation->ends;

	if (conversation->protocol != dissected->protocol || conversation->version != dissected->version ||
	    conversation->ports != dissected->ports)
		return -1;
	if (ends_same(&ends[0], &dissected->from) && ends_same(&ends[1], &dissected->to))
		return 0;
	if (ends_same(&ends[1], &dissected->from) && ends_same(&ends[0], &dissected->to))
		return 1;
	return -1;
}

/* The same for both directions. Of IPv4 less is hashed, as there is less. */
uint32_t conversations_chain(const struct conversations *conversations, const struct dissected *dissected)
{
	const struct dissect_end *low = &dissected->from, *high = &dissected->to;
	size_t size = dissected->version == 4 ? 4 : sizeof(low->address);
	unsigned char text[2 * sizeof(*low) + 2], *at = text;
	uint32_t chain;

	if (memcmp(low, high, sizeof(*low)) > 0) {
		low = &dissected->to;
		high = &dissected->from;
	}
	memcpy(at, low->address, size);
	memcpy(at + size, high->address, size);
	at += 2 * size;
	memcpy(at, &low->port, sizeof(low->port));
	memcpy(at + 2, &high->port, sizeof(high->port));
	at[4] = dissected->protocol;
	at[5] = dissected->ports;
	chain = (uint32_t)(siphash(&conversations->key, text, 2 * size + 6) % CHAINS);
	__builtin_prefetch(&conversations->chains[chain]);
	return chain;
}

uint32_t conversations_approach(const struct conversations *conversations, uint32_t chain)
{
	uint32_t place = conversations->chains[chain];
	const struct conversation *conversation = &conversations->table[place - 1];

	if (place == 0)
		return 0;
	__builtin_prefetch(conversation->ends, 1);
	__builtin_prefetch(conversation->sent, 1);
	__builtin_prefetch(conversation->tcp, 1);
	__builtin_prefetch(&conversation->connection.marks, 1);
	return place;
}

static struct conversation *add_conversation(struct conversations *conversations, uint32_t *chain,
					     const struct dissected *dissected, uint64_t time)
{
	struct conversation *conversation = &conversations->table[conversations->count];

	if (conversations->count == CONVERSATIONS_MAX)
		return NULL;
	*conversation = (struct conversation){
		.ends = {dissected->from, dissected->to},
		.first = time,
		.last = time,
		.next = *chain,
		.version = dissected->version,
		.protocol = dissected->protocol,
		.ports = dissected->ports,
	};
	*chain = (uint32_t)++conversations->count;
	return conversation;
}

static struct conversation *find(struct conversations *conversations, uint32_t chain, const struct dissected *dissected,
				 int *side)
{
	while (chain) {
		struct conversation *conversation = &conversations->table[chain - 1];

		*side = side_of(conversation, dissected);
		if (*side >= 0)
			return conversation;
		chain = conversation->next;
	}
	return NULL;
}

struct conversation *conversations_find(struct conversations *conversations, const struct dissected *dissected,
					int *side)
{
	return find(conversations, conversations->chains[conversations_chain(conversations, dissected)], dissected,
		    side);
}

struct conversation *conversations_between(struct conversations *conversations, uint8_t version,
					   const struct dissect_end *a, const struct dissect_end *b, int *side)
{
	const struct dissected packet = {
		.version = version,
		.protocol = PROTOCOL_TCP,
		.ports = true,
		.ethertype = version == 4 ? DISSECT_IPV4 : DISSECT_IPV6,
		.from = *a,
		.to = *b,
	};

	return conversations_find(conversations, &packet, side);
}

static struct conversation *find_or_add(struct conversations *conversations, uint32_t *chain,
					const struct dissected *dissected, uint64_t time, int *side)
{
	struct conversation *found = find(conversations, *chain, dissected, side);

	if (found)
		return found;
	*side = 0;
	return add_conversation(conversations, chain, dissected, time);
}

static void swap_sides(struct conversation *conversation)
{
	struct dissect_end end = conversation->ends[0];
	struct conversation_sent sent = conversation->sent[0];
	struct conversation_flags flags = conversation->flags[0];

	conversation->ends[0] = conversation->ends[1];
	conversation->ends[1] = end;
	conversation->sent[0] = conversation->sent[1];
	conversation->sent[1] = sent;
	conversation->flags[0] = conversation->flags[1];
	conversation->flags[1] = flags;
	tcp_swap(conversation->tcp, conversation->segments, &conversation->connection);
}

/* A handshake says which side is A: from here on the sides stay. Returns the side that has sent. */
static int settle_sides(struct conversation *conversation, uint8_t flags, int side)
{
	int first = flags & DISSECT_ACK ? !side : side; /* who opens it, if this is a SYN */

	if (conversation->settled || !(flags & DISSECT_SYN))
		return side;
	conversation->settled = true;
	if (first == 0)
		return side;
	swap_sides(conversation);
	return !side;
}

static void count_flags(struct conversation_flags *sent, uint8_t flags)
{
	if (flags & DISSECT_SYN) {
		sent->syn += !(flags & DISSECT_ACK);
		sent->syn_ack += flags & DISSECT_ACK ? 1 : 0;
	}
	sent->fin += flags & DISSECT_FIN ? 1 : 0;
	sent->rst += flags & DISSECT_RST ? 1 : 0;
}

struct conversation *conversations_add(struct conversations *conversations, uint32_t chain,
				       const struct dissected *dissected, uint64_t time, uint64_t bytes, int *side)
{
	struct conversation *conversation =
		find_or_add(conversations, &conversations->chains[chain], dissected, time, side);

	if (!conversation) {
		conversations->left_out++;
		return NULL;
	}
	if (dissected->flags & (DISSECT_SYN | DISSECT_FIN | DISSECT_RST)) {
		*side = settle_sides(conversation, dissected->flags, *side);
		count_flags(&conversation->flags[*side], dissected->flags);
	}
	conversation->sent[*side].packets++;
	conversation->sent[*side].bytes += bytes;
	if (time < conversation->first)
		conversation->first = time;
	if (time > conversation->last)
		conversation->last = time;
	return conversation;
}

bool conversations_both_ways(const struct conversations *conversations)
{
	for (size_t i = 0; i < conversations_count(conversations); i++) {
		const struct conversation *conversation = conversations_at(conversations, i);

		if (conversation->sent[0].packets && conversation->sent[1].packets)
			return true;
	}
	return false;
}

size_t conversations_count(const struct conversations *conversations)
{
	return conversations->count;
}

uint64_t conversations_left_out(const struct conversations *conversations)
{
	return conversations->left_out;
}

struct conversation *conversations_at(const struct conversations *conversations, size_t i)
{
	return &conversations->table[i];
}

size_t conversations_index(const struct conversations *conversations, const struct conversation *conversation)
{
	return (size_t)(conversation - conversations->table);
}

/* Bits above all bytes that there can be. */
static uint64_t trouble(const struct conversation *conversation)
{
	const struct tcp_connection *connection = &conversation->connection;
	bool failed = connection->refusals || connection->resets || connection->unanswered || conversation->rejected;

	return (failed ? UINT64_C(1) << 63 : 0) |
	       (connection->retransmitted[0] + connection->retransmitted[1] >= 3 ? UINT64_C(1) << 62 : 0);
}

/* 0: it is not in the order. */
static uint64_t weight(const struct conversation *conversation, enum conversations_order order)
{
	const struct conversation_flags *flags = conversation->flags;
	uint64_t bytes = conversation->sent[0].bytes + conversation->sent[1].bytes + 1;

	if (order == CONVERSATIONS_BY_UNANSWERED)
		return flags[1].syn_ack || flags[1].rst ? 0 : flags[0].syn;
	if (bytes > UINT64_MAX >> 3)
		bytes = UINT64_MAX >> 3;
	return bytes + (order == CONVERSATIONS_BY_TROUBLE ? trouble(conversation) : 0);
}

/* Equal ones stay in the order of their first packets. */
static size_t insert(const struct conversation **list, size_t used, size_t max, const struct conversation *new,
		     enum conversations_order order)
{
	uint64_t value = weight(new, order);
	size_t at = used;

	while (at > 0 && weight(list[at - 1], order) < value)
		at--;
	if (at == max)
		return used;
	if (used == max)
		used--;
	for (size_t i = used; i > at; i--)
		list[i] = list[i - 1];
	list[at] = new;
	return used + 1;
}

size_t conversations_rank(const struct conversations *conversations, enum conversations_order order,
			  const struct conversation **list, size_t max, size_t *total)
{
	size_t used = 0;

	*total = 0;
	for (size_t i = 0; i < conversations->count; i++) {
		const struct conversation *conversation = &conversations->table[i];

		if (weight(conversation, order) == 0)
			continue;
		++*total;
		used = insert(list, used, max, conversation, order);
	}
	return used;
}
