#include "summary/durations.h"

#include <stddef.h>

/* Up to 8 us a bucket for each, from there 8 for each doubling. */
static size_t bucket_of(uint64_t nanoseconds)
{
	uint64_t micro = nanoseconds / 1000;
	size_t bucket;
	unsigned power;

	if (micro < DURATIONS_STEPS)
		return (size_t)micro;
	power = 63u - (unsigned)__builtin_clzll(micro);
	bucket = (size_t)(power - 2) * DURATIONS_STEPS + ((micro >> (power - 3)) & (DURATIONS_STEPS - 1));
	return bucket < DURATIONS_BUCKETS ? bucket : DURATIONS_BUCKETS - 1;
}

/* The middle of a bucket, in ns. */
static uint64_t value_of(size_t bucket)
{
	uint64_t step, power;

	if (bucket < DURATIONS_STEPS)
		return bucket * 1000 + 500;
	power = bucket / DURATIONS_STEPS + 2;
	step = UINT64_C(1000) << (power - 3);
	return (DURATIONS_STEPS + bucket % DURATIONS_STEPS) * step + step / 2;
}

void durations_add(struct durations *durations, uint64_t nanoseconds)
{
	uint32_t *bucket = &durations->buckets[bucket_of(nanoseconds)];

	if (*bucket == UINT32_MAX)
		return;
	++*bucket;
	if (durations->count == 0 || nanoseconds < durations->least)
		durations->least = nanoseconds;
	if (nanoseconds > durations->most)
		durations->most = nanoseconds;
	durations->count++;
}

static uint64_t within(const struct durations *durations, uint64_t value)
{
	if (value < durations->least)
		return durations->least;
	return value < durations->most ? value : durations->most;
}

uint64_t durations_percentile(const struct durations *durations, unsigned percent)
{
	uint64_t wanted = (durations->count * percent + 99) / 100, seen = 0;

	for (size_t i = 0; i < DURATIONS_BUCKETS && durations->count; i++) {
		seen += durations->buckets[i];
		if (seen >= wanted && seen > 0)
			return within(durations, value_of(i));
	}
	return 0;
}
