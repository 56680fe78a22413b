/* How long things took, in fixed memory: to a sixteenth of the value, from 1 us to more than a day. */
#ifndef TARCAP_DURATIONS_H
#define TARCAP_DURATIONS_H

#include <stddef.h>
#include <stdint.h>

#define DURATIONS_STEPS 8 /* for each doubling */
#define DURATIONS_BUCKETS ((size_t)37 * DURATIONS_STEPS)

/* All zeros: nothing has come. */
struct durations {
	uint64_t count;
	uint64_t least, most;		     /* ns */
	uint32_t buckets[DURATIONS_BUCKETS]; /* the first: below a microsecond */
};

void durations_add(struct durations *durations, uint64_t nanoseconds);

/* So many ns took at most this share, in percent; 0 when nothing has come. */
uint64_t durations_percentile(const struct durations *durations, unsigned percent);

#endif
