#include "capture/pool.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

int pool_open(struct pool *pool, size_t memory, size_t segment_size, struct err *err)
{
	size_t count = memory / segment_size;
	void *mapped;

	if (count > POOL_SEGMENTS_MAX)
		count = POOL_SEGMENTS_MAX;
	*pool = (struct pool){.segment_size = segment_size};
	mapped = mmap(NULL, count * segment_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (mapped == MAP_FAILED)
		return err_sys(err, errno, "--memory: cannot have %zu bytes", count * segment_size);
	(void)madvise(mapped, count * segment_size, MADV_DONTDUMP);
	pool->memory = mapped;
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
	if (pool->memory)
		munmap(pool->memory, pool->count * pool->segment_size);
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
