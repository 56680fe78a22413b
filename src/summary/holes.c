#include "summary/holes.h"

#include <errno.h>
#include <stdlib.h>

#define CHAINS 4096

struct holes {
	uint32_t used; /* the next that is taken, modulo HOLES_MAX */
	uint32_t chains[CHAINS];
	struct hole pool[HOLES_MAX];
};

struct holes *holes_open(struct err *err)
{
	struct holes *holes = calloc(1, sizeof(*holes));

	if (!holes)
		err_sys(err, ENOMEM, "memory for gaps");
	return holes;
}

void holes_close(struct holes *holes)
{
	free(holes);
}

/* Owners are numbers of a table, which spread by themselves. */
static uint32_t *chain_of(struct holes *holes, uint32_t owner)
{
	return &holes->chains[owner % CHAINS];
}

static void unlink_hole(struct holes *holes, uint32_t place)
{
	struct hole *hole = &holes->pool[place - 1];
	uint32_t *link = chain_of(holes, hole->owner);

	while (*link && *link != place)
		link = &holes->pool[*link - 1].next;
	if (*link)
		*link = hole->next;
	hole->owner = 0;
}

void holes_add(struct holes *holes, const struct hole *hole)
{
	uint32_t place = holes->used++ % HOLES_MAX + 1;
	uint32_t *chain = chain_of(holes, hole->owner);

	if (holes->pool[place - 1].owner)
		unlink_hole(holes, place);
	holes->pool[place - 1] = *hole;
	holes->pool[place - 1].next = *chain;
	*chain = place;
}

static bool overlap(const struct hole *hole, uint32_t from, uint32_t to)
{
	return (int32_t)(hole->to - from) > 0 && (int32_t)(to - hole->from) > 0;
}

static void cut(struct holes *holes, uint32_t place, uint32_t from, uint32_t to)
{
	struct hole *hole = &holes->pool[place - 1], rest = *hole;
	bool front = (int32_t)(from - hole->from) > 0, back = (int32_t)(hole->to - to) > 0;

	if (front)
		hole->to = from;
	else if (back)
		hole->from = to;
	else
		unlink_hole(holes, place);
	rest.from = to;
	if (front && back)
		holes_add(holes, &rest);
}

bool holes_fill(struct holes *holes, uint32_t owner, uint32_t from, uint32_t to, struct hole *found)
{
	for (uint32_t place = *chain_of(holes, owner); place; place = holes->pool[place - 1].next) {
		const struct hole *hole = &holes->pool[place - 1];

		if (hole->owner == owner && overlap(hole, from, to)) {
			*found = *hole;
			cut(holes, place, from, to);
			return true;
		}
	}
	return false;
}
