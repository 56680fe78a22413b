/* Sums of what a manifest says, which may say anything: none wraps around, and all are numbers in JSON. */
#ifndef TARCAP_PLUS_H
#define TARCAP_PLUS_H

#include <stdint.h>

/* At most INT64_MAX. */
static inline uint64_t plus(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return __builtin_add_overflow(a, b, &sum) || sum > INT64_MAX ? INT64_MAX : sum;
}

#endif
