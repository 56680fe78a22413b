#include "base/siphash.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

struct state {
	uint64_t v0, v1, v2, v3;
};

/* As calls the rounds would take a sixth longer, where a hash is taken of each packet. */
#define INLINE __attribute__((always_inline)) static inline

INLINE uint64_t rotate(uint64_t value, unsigned bits)
{
	return value << bits | value >> (64 - bits);
}

INLINE void round_of(struct state *s)
{
	s->v0 += s->v1;
	s->v2 += s->v3;
	s->v1 = rotate(s->v1, 13) ^ s->v0;
	s->v3 = rotate(s->v3, 16) ^ s->v2;
	s->v0 = rotate(s->v0, 32);
	s->v2 += s->v1;
	s->v0 += s->v3;
	s->v1 = rotate(s->v1, 17) ^ s->v2;
	s->v3 = rotate(s->v3, 21) ^ s->v0;
	s->v2 = rotate(s->v2, 32);
}

INLINE void compress(struct state *s, uint64_t word)
{
	s->v3 ^= word;
	round_of(s);
	round_of(s);
	s->v0 ^= word;
}

INLINE struct state begin(const struct siphash_key *key)
{
	return (struct state){key->low ^ UINT64_C(0x736f6d6570736575), key->high ^ UINT64_C(0x646f72616e646f6d),
			      key->low ^ UINT64_C(0x6c7967656e657261), key->high ^ UINT64_C(0x7465646279746573)};
}

/* Words are little endian, as all our machines are. */
uint64_t siphash(const struct siphash_key *key, const void *data, size_t size)
{
	struct state s = begin(key);
	const unsigned char *at = data;
	uint64_t word = 0, last = (uint64_t)size << 56;

	for (; size >= sizeof(word); at += sizeof(word), size -= sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		compress(&s, word);
	}
	for (size_t i = 0; i < size; i++)
		last |= (uint64_t)at[i] << (8 * i);
	compress(&s, last);
	s.v2 ^= 0xff;
	for (int i = 0; i < 4; i++)
		round_of(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

uint64_t siphash_words(const struct siphash_key *key, const uint64_t *words, size_t count)
{
	struct state s = begin(key);

	for (size_t i = 0; i < count; i++) {
		s.v3 ^= words[i];
		round_of(&s);
		s.v0 ^= words[i];
	}
	s.v2 ^= 0xff;
	for (int i = 0; i < 3; i++)
		round_of(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

int siphash_key_make(struct siphash_key *key, struct err *err)
{
	ssize_t size = getrandom(key, sizeof(*key), 0);
	int fd = size < 0 ? open("/dev/urandom", O_RDONLY | O_CLOEXEC) : -1;

	if (fd >= 0) {
		size = read(fd, key, sizeof(*key));
		close(fd);
	}
	return size == (ssize_t)sizeof(*key) ? 0 : err_sys(err, errno, "random numbers");
}
