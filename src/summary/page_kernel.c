#include "summary/page_kernel.h"

#include <inttypes.h>
#include <stdio.h>

#include "request/number.h"

/* Findings tell of what else has moved. */
void page_kernel(struct page *page)
{
	const struct kernel_counters *counters = page->summary->kernel;
	uint64_t moved = kernel_counters_moved(counters, KERNEL_RETRANSMITTED), seen;
	char here[80] = "";

	if (!moved)
		return;
	if (kernel_counters_seen(counters, &seen))
		snprintf(here, sizeof(here), ", %" PRIu64 "%s with data %s in this capture", seen,
			 seen <= moved ? " of them" : "", seen == 1 ? "is" : "are");
	page_fact(page, "kernel", "retransmitted %" PRIu64 " segment%s (kernel's count%s)%s", moved,
		  number_plural(moved), page->summary->told->recorder.window_told ? " since the recorder began" : "",
		  here);
}

json_t *page_kernel_json(const struct kernel_counters *counters)
{
	json_t *object, *moved;
	uint64_t seen;

	if (!kernel_counters_known(counters))
		return json_null();
	object = json_object();
	moved = json_object();
	for (int i = 0; i < KERNEL_COUNTERS; i++) {
		uint64_t by = kernel_counters_moved(counters, (enum kernel_counter)i);

		if (by)
			json_put_number(&moved, kernel_counters_name((enum kernel_counter)i), by);
	}
	json_put(&object, "moved", moved);
	json_put(&object, "retransmissions_here",
		 kernel_counters_seen(counters, &seen) ? json_integer((json_int_t)seen) : json_null());
	return object;
}
