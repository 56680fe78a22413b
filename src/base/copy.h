/* A copy of a few hundred bytes whose number is known only when it runs. */
#ifndef TARCAP_COPY_H
#define TARCAP_COPY_H

#include <stddef.h>
#include <string.h>

/* musl's memcpy is one machine instruction on amd64, which takes as long to begin as a small packet to be copied. */
__attribute__((always_inline)) static inline void copy(unsigned char *to, const unsigned char *from, size_t size)
{
	enum { PIECE = 32, SMALL = 2048 };

	if (size < PIECE || size > SMALL) {
		memcpy(to, from, size);
		return;
	}
	for (size_t at = 0; at < size - PIECE; at += PIECE)
		memcpy(to + at, from + at, PIECE);
	memcpy(to + size - PIECE, from + size - PIECE, PIECE);
}

#endif
