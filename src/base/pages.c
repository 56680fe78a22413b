#include "base/pages.h"

#include <sys/mman.h>

void *pages_take(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return NULL;
	(void)madvise(memory, size, MADV_DONTDUMP);
	return memory;
}

void pages_keep_small(void *memory, size_t size)
{
	(void)madvise(memory, size, MADV_NOHUGEPAGE);
}

void pages_forget(void *memory, size_t size)
{
	(void)madvise(memory, size, MADV_DONTNEED);
}

void pages_give(void *memory, size_t size)
{
	if (memory)
		munmap(memory, size);
}
