#include "capture/ring.h"

#include <linux/if_packet.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "request/plan.h"

/* The mapping whose inode is the socket's: proc(5), /proc/PID/maps. */
static struct ring mapped(int fd)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	struct ring ring = {0};
	struct stat status;
	char line[512];

	if (!maps)
		return ring;
	if (fstat(fd, &status) < 0)
		status = (struct stat){0};
	while (status.st_ino && fgets(line, sizeof(line), maps)) {
		unsigned long from, to, inode;

		if (sscanf(line, "%lx-%lx %*s %*s %*s %lu", &from, &to, &inode) != 3 || inode != status.st_ino)
			continue;
		/* NOLINTNEXTLINE(performance-no-int-to-ptr): it is text where it comes from */
		ring.blocks = (const unsigned char *)from;
		ring.size += to - from;
		/* NOLINTNEXTLINE(performance-no-int-to-ptr) */
		(void)madvise((void *)from, to - from, MADV_DONTDUMP);
	}
	fclose(maps);
	return ring;
}

struct ring ring_find(int fd, uint64_t asked)
{
	struct ring ring = mapped(fd);
	socklen_t size = sizeof(int);
	int version = -1;

	ring.unknown = ring.size == 0;
	if (ring.unknown)
		ring.size = asked;
	/* Other versions have no blocks. */
	if (getsockopt(fd, SOL_PACKET, PACKET_VERSION, &version, &size) < 0 || version != TPACKET_V3)
		ring.blocks = NULL;
	return ring;
}

uint64_t ring_filled(const struct ring *ring)
{
	uint64_t filled = 0;

	for (uint64_t at = 0; ring->blocks && at + PLAN_RING_BLOCK <= ring->size; at += PLAN_RING_BLOCK) {
		const void *status = ring->blocks + at + offsetof(struct tpacket_block_desc, hdr.bh1.block_status);

		if (__atomic_load_n((const uint32_t *)status, __ATOMIC_RELAXED) & TP_STATUS_USER)
			filled += PLAN_RING_BLOCK;
	}
	return filled;
}
