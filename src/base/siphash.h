/* SipHash-2-4 (Aumasson and Bernstein, 2012): who does not know the key cannot choose what comes into one chain. */
#ifndef TARCAP_SIPHASH_H
#define TARCAP_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct siphash_key {
	uint64_t low, high;
};

/*
 * By chance. From /dev/urandom where getrandom(2) is refused: kernels before 3.17, and seccomp profiles that do not
 * know it.
 */
int siphash_key_make(struct siphash_key *key, struct err *err);

/* Of size bytes. */
uint64_t siphash(const struct siphash_key *key, const void *data, size_t size);

/*
 * SipHash-1-3 of count words, at least one, for a table that is asked for each packet: half the rounds, which no attack
 * is known on, and what Linux (Documentation/security/siphash.rst), Python and Rust have for their tables. How many
 * words there are has to be in them.
 */
uint64_t siphash_words(const struct siphash_key *key, const uint64_t *words, size_t count);

#endif
