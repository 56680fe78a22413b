#include "capture/pool.h"

#include <errno.h>
#include <stdlib.h>

#include "base/pages.h"

#define GROWING_LEAST 2

/* An eighth of the memory is for those that grow. */
static unsigned how_many_grow(size_t memory, size_t growth)
{
	size_t many = growth ? memory / 8 / growth : 0;

	return !growth ? 0 : many < GROWING_LEAST ? GROWING_LEAST : (unsigned)many;
}

static size_t addresses(const struct pool *pool)
{
	return pool->count * (pool->segment_size + pool->growth);
}

int pool_open(struct pool *pool, size_t memory, size_t segment_size, size_t largest, struct err *err)
{
	size_t growth = largest > segment_size ? largest - segment_size : 0, count;

	*pool = (struct pool){.segment_size = segment_size, .growth = growth};
	pool->growing = pool->growing_most = how_many_grow(memory, growth);
	count = (memory - pool->growing * growth) / segment_size;
	pool->count = (unsigned)(count < POOL_SEGMENTS_MAX ? count : POOL_SEGMENTS_MAX);
	pool->memory = pages_take(addresses(pool));
	if (!pool->memory)
		return err_sys(err, errno, "--memory: cannot have %zu bytes", addresses(pool));
	if (growth)
		pages_keep_small(pool->memory, addresses(pool));
	pool->segments = calloc(pool->count, sizeof(*pool->segments));
	if (!pool->segments) {
		pool_close(pool);
		return err_sys(err, ENOMEM, "--memory: cannot have %zu segments", count);
	}
	for (size_t i = pool->count; i-- > 0;) {
		pool->segments[i].data = pool->memory + i * (segment_size + growth);
		pool_give(pool, &pool->segments[i]);
	}
	return 0;
}

void pool_close(struct pool *pool)
{
	pages_give(pool->memory, addresses(pool));
	free(pool->segments);
	*pool = (struct pool){0};
}

struct segment *pool_take(struct pool *pool)
{
	struct segment *segment = pool->free;

	if (pool->free_count == 0)
		return NULL;
	pool->free = segment->next;
	pool->free_count--;
	*segment = (struct segment){.data = segment->data};
	return segment;
}

void pool_grow(struct pool *pool, struct segment *segment)
{
	if (segment->grown || !pool->growth)
		return;
	segment->grown = true;
	if (--pool->growing > 0)
		return;
	pool->withheld = pool->free_count;
	pool->free_count = 0;
}

/* Its pages are the next one's that grows. */
static void shrink(struct pool *pool, struct segment *segment)
{
	pages_forget(segment->data + pool->segment_size, pool->growth);
	segment->grown = false;
	if (pool->growing++ > 0)
		return;
	pool->free_count = pool->withheld;
	pool->withheld = 0;
}

void pool_give(struct pool *pool, struct segment *segment)
{
	if (segment->grown)
		shrink(pool, segment);
	segment->next = pool->free;
	pool->free = segment;
	if (pool->growth && pool->growing == 0)
		pool->withheld++;
	else
		pool->free_count++;
}

size_t pool_memory(const struct pool *pool)
{
	return pool->count * pool->segment_size + pool->growing_most * pool->growth;
}
