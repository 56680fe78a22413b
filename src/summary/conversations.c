#include "summary/conversations.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CHAINS ((size_t)2 * CONVERSATIONS_MAX)

struct conversations {
	struct siphash_key key;
	size_t count;
	uint64_t left_out;
	uint32_t chains[CHAINS]; /* place + 1 */
	struct conversation table[CONVERSATIONS_MAX];
};

struct conversations *conversations_open(const struct siphash_key *key, struct err *err)
{
	/* So large a piece comes from the kernel as zeros, and is not touched. */
	struct conversations *conversations = calloc(1, sizeof(*conversations));

	if (conversations)
		conversations->key = *key;
	else
		err_sys(err, ENOMEM, "memory for conversations");
	return conversations;
}

void conversations_close(struct conversations *conversations)
{
	free(conversations);
}

static bool same_end(const struct dissect_end *a, const struct dissect_end *b)
{
	return a->port == b->port && memcmp(a->address, b->address, sizeof(a->address)) == 0;
}

/* Which side has sent the packet; -1: it is another conversation's. */
static int side_of(const struct conversation *conversation, const struct dissected *dissected)
{
	const struct conversation_side *sides = conversation->sides;

	if (conversation->protocol != dissected->protocol || conversation->version != dissected->version ||
	    conversation->ports != dissected->ports)
		return -1;
	if (same_end(&sides[0].end, &dissected->from) && same_end(&sides[1].end, &dissected->to))
		return 0;
	if (same_end(&sides[1].end, &dissected->from) && same_end(&sides[0].end, &dissected->to))
		return 1;
	return -1;
}

/* The same for both directions. */
static uint32_t *chain_of(struct conversations *conversations, const struct dissected *dissected)
{
	const struct dissect_end *low = &dissected->from, *high = &dissected->to;
	unsigned char text[2 * sizeof(*low) + 3];

	_Static_assert(sizeof(*low) == 18, "no holes, which would be hashed");
	if (memcmp(low, high, sizeof(*low)) > 0) {
		low = &dissected->to;
		high = &dissected->from;
	}
	memcpy(text, low, sizeof(*low));
	memcpy(text + sizeof(*low), high, sizeof(*high));
	text[sizeof(text) - 3] = dissected->version;
	text[sizeof(text) - 2] = dissected->protocol;
	text[sizeof(text) - 1] = dissected->ports;
	return &conversations->chains[siphash(&conversations->key, text, sizeof(text)) % CHAINS];
}

static struct conversation *add_conversation(struct conversations *conversations, uint32_t *chain,
					     const struct dissected *dissected, uint64_t time)
{
	struct conversation *conversation = &conversations->table[conversations->count];

	if (conversations->count == CONVERSATIONS_MAX)
		return NULL;
	*conversation = (struct conversation){
		.sides = {{.end = dissected->from}, {.end = dissected->to}},
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

static struct conversation *find_or_add(struct conversations *conversations, const struct dissected *dissected,
					uint64_t time, int *side)
{
	uint32_t *chain = chain_of(conversations, dissected);

	for (uint32_t place = *chain; place; place = conversations->table[place - 1].next) {
		*side = side_of(&conversations->table[place - 1], dissected);
		if (*side >= 0)
			return &conversations->table[place - 1];
	}
	*side = 0;
	return add_conversation(conversations, chain, dissected, time);
}

/* A handshake says which side is A: from here on the sides stay. Returns the side that has sent. */
static int settle(struct conversation *conversation, uint8_t flags, int side)
{
	int first = flags & DISSECT_ACK ? !side : side; /* who opens it, if this is a SYN */

	if (conversation->settled || !(flags & DISSECT_SYN))
		return side;
	conversation->settled = true;
	if (first == 1) {
		struct conversation_side kept = conversation->sides[0];

		conversation->sides[0] = conversation->sides[1];
		conversation->sides[1] = kept;
		side = !side;
	}
	return side;
}

static void count_sent(struct conversation_side *side, uint8_t flags, uint64_t bytes)
{
	side->packets++;
	side->bytes += bytes;
	if (flags & DISSECT_SYN) {
		side->syn += !(flags & DISSECT_ACK);
		side->syn_ack += flags & DISSECT_ACK ? 1 : 0;
	}
	side->fin += flags & DISSECT_FIN ? 1 : 0;
	side->rst += flags & DISSECT_RST ? 1 : 0;
}

void conversations_add(struct conversations *conversations, const struct dissected *dissected, uint64_t time,
		       uint64_t bytes)
{
	int side;
	struct conversation *conversation = find_or_add(conversations, dissected, time, &side);

	if (!conversation) {
		conversations->left_out++;
		return;
	}
	side = settle(conversation, dissected->flags, side);
	count_sent(&conversation->sides[side], dissected->flags, bytes);
	if (time < conversation->first)
		conversation->first = time;
	if (time > conversation->last)
		conversation->last = time;
}

size_t conversations_count(const struct conversations *conversations)
{
	return conversations->count;
}

uint64_t conversations_left_out(const struct conversations *conversations)
{
	return conversations->left_out;
}

const struct conversation *conversations_at(const struct conversations *conversations, size_t i)
{
	return &conversations->table[i];
}

/* 0: it is not in the order. */
static uint64_t weight(const struct conversation *conversation, enum conversations_order order)
{
	const struct conversation_side *a = &conversation->sides[0], *b = &conversation->sides[1];

	if (order == CONVERSATIONS_BY_UNANSWERED)
		return b->syn_ack || b->rst ? 0 : a->syn;
	return a->bytes + b->bytes + 1;
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
