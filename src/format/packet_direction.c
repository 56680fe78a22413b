#include "format/packet_direction.h"

#include <sys/socket.h>

enum {
	NEAREST = PACKET_DIRECTION_ADDRESS + sizeof(struct sockaddr_ll), /* a packet's data to its header */
	BLOCK_HEADER = 48, /* in front of a block's first packet: BLK_PLUS_PRIV(0) in the kernel */
	FARTHEST = NEAREST + BLOCK_HEADER,
	MOVED_MOST = 24, /* bytes that libpcap puts in front: a VLAN tag (4), a cooked header (20) */
};

_Static_assert(PACKET_DIRECTION_ADDRESS % TPACKET_ALIGNMENT == 0 && FARTHEST == 116, "as the header says");

void packet_direction_init(struct packet_direction *direction, int fd, uint32_t otherwise)
{
	socklen_t size = sizeof(int);
	int version = -1;

	*direction = (struct packet_direction){.otherwise = otherwise};
	if (fd >= 0 && getsockopt(fd, SOL_PACKET, PACKET_VERSION, &version, &size) == 0 && version == TPACKET_V3)
		direction->offset = NEAREST; /* any: the first packet is looked for */
}

/* Look for the header; false when it is not found. */
static bool find_direction(struct packet_direction *direction, const unsigned char *data, uint32_t seconds,
			   uint32_t nanoseconds, uint32_t length)
{
	/* Headers are aligned to 8 bytes. */
	for (uint32_t offset = NEAREST + (uint32_t)(((uintptr_t)data - NEAREST) % 8); offset <= FARTHEST; offset += 8) {
		struct packet_direction there = {.offset = offset,
						 .mac = packet_direction_mac(data - offset),
						 .otherwise = direction->otherwise};

		if (there.mac - offset <= MOVED_MOST &&
		    packet_direction_is_there(&there, data, seconds, nanoseconds, length)) {
			*direction = there;
			return true;
		}
	}
	if (++direction->tries == PACKET_DIRECTION_TRIES)
		direction->offset = 0;
	return false;
}

uint32_t packet_direction_flags(struct packet_direction *direction, const unsigned char *data, uint32_t seconds,
				uint32_t nanoseconds, uint32_t length)
{
	if (direction->offset && (packet_direction_is_there(direction, data, seconds, nanoseconds, length) ||
				  find_direction(direction, data, seconds, nanoseconds, length)))
		return packet_direction_flags_there(direction, data);
	return direction->otherwise;
}
