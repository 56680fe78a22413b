/*
 * The kernel's ring (packet(7), TPACKET_V3) as libpcap has mapped it: how large it is, and how full. Nothing is written
 * into it, and no packet in it is looked at.
 */
#ifndef TARCAP_RING_H
#define TARCAP_RING_H

#include <stdbool.h>
#include <stdint.h>

struct ring {
	const unsigned char *blocks; /* NULL: it cannot be looked into */
	uint64_t size;		     /* bytes; libpcap takes fewer without a word when memory is short */
	bool unknown;		     /* then it is what was asked for: at most that much */
};

/* Find what of the packet socket fd is mapped here, of so many bytes that were asked for, and keep it out of core
 * dumps. Without /proc, nothing. */
struct ring ring_find(int fd, uint64_t asked);

/*
 * Bytes of the blocks that the kernel has filled and we have not given back: it cannot write into these, however little
 * is in them. 0 where it cannot be known. To be called as long as the socket is open.
 */
uint64_t ring_filled(const struct ring *ring);

#endif
