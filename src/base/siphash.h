/* SipHash-2-4 (Aumasson and Bernstein, 2012): who does not know the key cannot choose what comes into one chain. */
#ifndef TARCAP_SIPHASH_H
#define TARCAP_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

struct siphash_key {
	uint64_t low, high;
};

/* Of size bytes. */
uint64_t siphash(const struct siphash_key *key, const void *data, size_t size);

#endif
