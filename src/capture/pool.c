#include "capture/pool.h"

#include <errno.h>
#include <stdlib.h>

#include "base/pages.h"

int pool_open(struct pool *pool, size_t memory, size_t segment_size, struct err *err)
{
	size_t count = memory / segment_size;
	if (count > POOL_SEGMENTS_MAX)
		count = POOL_SEGMENTS_MAX;
	*pool = (struct pool){.segment_size = segment_size};
	pool->memory = pages_take(count * segment_size);
	if (!pool->memory)
		return err_sys(err, errno, "--memory: cannot have %zu bytes", count * segment_size);
	pool->count = (unsigned)count;
	pool->segments = calloc(count, sizeof(*pool->segments));
	if (!pool->segments) {
		pool_close(pool);
		return err_sys(err, ENOMEM, "--memory: cannot have %zu segments", count);
	}
	for (size_t i = count; i-- > 0;) {
		pool->segments[i].data = pool->memory + i * segment_size;
		pool_give(pool, &pool->segments[i]);
	}
	return 0;
}

void pool_close(struct pool *pool)
{
	pages_give(pool->memory, pool->count * pool->segment_size);
	free(pool->segments);
	*pool = (struct pool){0};
}

struct segment *pool_take(struct pool *pool)
{
	struct segment *segment = pool->free;

	if (!segment)
		return NULL;
	pool->free = segment->next;
	pool->free_count--;
	*segment = (struct segment){.data = segment->data};
	return segment;
}

void pool_give(struct pool *pool, struct segment *segment)
{
	segment->next = pool->free;
	pool->free = segment;
	pool->free_count++;
}
