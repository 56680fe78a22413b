#include "base/large.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/sizes.h"

#define PAGE ((size_t)TABLE_OF(2 * MIB))

int large_open(struct large *large, size_t size, const char *what, struct err *err)
{
	/* So large a piece comes from the kernel as zeros, and is not touched. */
	unsigned char *whole = calloc(1, size + PAGE);

	if (!whole)
		return err_sys(err, ENOMEM, "memory for %s", what);
	large->whole = whole;
	large->at = whole + (PAGE - (uintptr_t)whole % PAGE) % PAGE;
	/* They are found sooner. */
	(void)madvise(large->at, size, MADV_HUGEPAGE);
	return 0;
}

void large_close(struct large *large)
{
	free(large->whole);
}
