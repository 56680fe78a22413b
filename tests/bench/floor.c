/*
 * floor drain|write|copy|vector INTERFACE... - the least that a capture can cost, for the ratio to the limit.
 *
 * It empties the same ring by the same library as tarcap, in one poll loop, and throws the packets away. 'write' also
 * writes as many bytes as their pcap records have, always the same ones, in pieces of 256 KiB to stdout; 'copy' writes
 * the records themselves, gathered in a buffer of that size: a pcap file. 'vector' copies no packet: of each block of
 * the ring it writes 512 bytes (as a tar member's header), the records' headers and, from the ring, their data.
 * Several interfaces have a ring each, and where they are many it rests between two turns, as tarcap does.
 * FLOOR_PIPE, FLOOR_PIECE: other sizes of the pipe and of what is written at once, in KiB.
 */
#include <fcntl.h>
#include <linux/if_packet.h>
#include <pcap/pcap.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define PIECE (256U << 10)
#define RING (32 << 20)
#define BLOCK_TIMEOUT 100 /* ms, as tarcap's */
#define TURN 4096
#define BLOCK (256U << 10) /* of libpcap's ring */
#define PARTS 1024
#define TAR_BLOCK 512
#define INTERFACES_MAX 256
#define RING_MIN (2 << 20)
#define MANY 8
#define REST 25000000 /* ns */

struct header {
	uint32_t seconds, fraction, caplen, length;
};

static volatile sig_atomic_t stopped;
static bool writes, copies, vectors;
static unsigned char buffer[4 * PIECE + 262144 + 64];
static size_t used;
static uint64_t packets;
static size_t piece = PIECE;
static const unsigned char *ring;
static struct header headers[PARTS / 2];
static struct iovec parts[PARTS];
static unsigned held, of_block;

static void die(const char *what)
{
	fprintf(stderr, "floor: %s\n", what);
	exit(1);
}

static void stop(int signo)
{
	(void)signo;
	stopped = 1;
}

static void flush(size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = write(STDOUT_FILENO, buffer + done, size - done);

		if (n < 0)
			exit(0); /* the reader has gone */
		done += (size_t)n;
	}
	used -= size;
	if (copies)
		memmove(buffer, buffer + size, used);
}

/* What is held of a block, and a header in front of it. */
static void flush_held(void)
{
	struct iovec *next = parts;
	int left = (int)(2 * held) + 1;

	parts[0] = (struct iovec){buffer, TAR_BLOCK};
	while (left > 0) {
		ssize_t n = writev(STDOUT_FILENO, next, left > PARTS ? PARTS : left);

		if (n < 0)
			exit(0); /* the reader has gone */
		for (; left > 0 && (size_t)n >= next->iov_len; next++, left--)
			n -= (ssize_t)next->iov_len;
		if (left > 0) {
			next->iov_base = (unsigned char *)next->iov_base + n;
			next->iov_len -= (size_t)n;
		}
	}
	held = 0;
}

/* The block is the kernel's again when the last of its packets has been taken. */
static void hold(const struct header *header, const unsigned char *data)
{
	const struct tpacket_block_desc *block = (const void *)(ring + (size_t)(data - ring) / BLOCK * BLOCK);

	headers[held] = *header;
	parts[2 * held + 1] = (struct iovec){&headers[held], sizeof(*header)};
	parts[2 * held + 2] = (struct iovec){(void *)data, header->caplen};
	held++;
	of_block++;
	if (of_block == block->hdr.bh1.num_pkts || held == PARTS / 2 - 1)
		flush_held();
	if (of_block == block->hdr.bh1.num_pkts)
		of_block = 0;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): pcap_dispatch()'s callback. */
static void take(unsigned char *context, const struct pcap_pkthdr *packet, const unsigned char *data)
{
	struct header header = {(uint32_t)packet->ts.tv_sec, (uint32_t)packet->ts.tv_usec, packet->caplen, packet->len};

	(void)context;
	packets++;
	if (vectors) {
		hold(&header, data);
		return;
	}
	if (copies) {
		memcpy(buffer + used, &header, sizeof(header));
		memcpy(buffer + used + sizeof(header), data, packet->caplen);
	}
	used += sizeof(struct header) + packet->caplen;
	while (writes && used >= piece)
		flush(piece);
}

static pcap_t *activate(const char *interface, int ring_size)
{
	char text[PCAP_ERRBUF_SIZE];
	pcap_t *pcap = pcap_create(interface, text);
	struct bpf_program all;

	if (!pcap)
		die(text);
	pcap_set_snaplen(pcap, 262144);
	pcap_set_timeout(pcap, BLOCK_TIMEOUT);
	pcap_set_buffer_size(pcap, ring_size);
	if (pcap_activate(pcap) < 0 || pcap_setnonblock(pcap, 1, text) < 0 || pcap_compile(pcap, &all, "", 1, 0) < 0 ||
	    pcap_setfilter(pcap, &all) < 0)
		die(pcap_geterr(pcap));
	return pcap;
}

/* The mapping whose inode is the socket's: proc(5). */
static const unsigned char *find_ring(int fd)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	struct stat status;
	char line[512];

	if (!maps || fstat(fd, &status) < 0)
		die("/proc/self/maps");
	while (fgets(line, sizeof(line), maps)) {
		unsigned long from, inode;

		if (sscanf(line, "%lx-%*x %*s %*s %*s %lu", &from, &inode) == 2 && inode == status.st_ino) {
			fclose(maps);
			/* NOLINTNEXTLINE(performance-no-int-to-ptr): it is text where it comes from */
			return (const unsigned char *)from;
		}
	}
	die("the ring is not mapped");
	return NULL;
}

/* In KiB, from the environment. */
static unsigned size_of(const char *name, unsigned usual)
{
	const char *text = getenv(name);

	return text ? (unsigned)atoi(text) << 10 : usual;
}

static void write_file_header(void)
{
	static const uint32_t header[6] = {0xa1b2c3d4, 4U << 16 | 2, 0, 0, 262144, 1};

	memcpy(buffer, header, sizeof(header));
	used = sizeof(header);
}

static pcap_t *captures[INTERFACES_MAX];
static struct pollfd ready[INTERFACES_MAX];
static unsigned count;

static void open_all(char **interfaces)
{
	int share = RING / (int)count < RING_MIN ? RING_MIN : RING / (int)count;

	for (unsigned i = 0; i < count; i++) {
		captures[i] = activate(interfaces[i], share);
		ready[i] = (struct pollfd){.fd = pcap_get_selectable_fd(captures[i]), .events = POLLIN};
	}
	ring = find_ring(ready[0].fd);
}

static void turn(void)
{
	static const struct timespec rest = {.tv_nsec = REST};

	if (poll(ready, count, -1) <= 0)
		return;
	for (unsigned i = 0; i < count; i++) {
		if (ready[i].revents)
			pcap_dispatch(captures[i], TURN, take, NULL);
	}
	if (count >= MANY)
		nanosleep(&rest, NULL);
}

static void choose(const char *what)
{
	copies = strcmp(what, "copy") == 0;
	vectors = strcmp(what, "vector") == 0;
	writes = copies || strcmp(what, "write") == 0;
	piece = size_of("FLOOR_PIECE", PIECE);
}

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = stop};

	if (argc < 3 || argc > 2 + INTERFACES_MAX || (strcmp(argv[1], "vector") == 0 && argc > 3))
		die("usage: floor drain|write|copy INTERFACE... | vector INTERFACE");
	choose(argv[1]);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	count = (unsigned)argc - 2;
	open_all(argv + 2);
	fcntl(STDOUT_FILENO, F_SETPIPE_SZ, size_of("FLOOR_PIPE", 1 << 20));
	if (copies)
		write_file_header();
	fprintf(stderr, "floor: listening on %s\n", argv[2]);
	while (!stopped)
		turn();
	for (unsigned i = 0; i < count; i++) {
		while (pcap_dispatch(captures[i], TURN, take, NULL) > 0)
			;
	}
	if (writes)
		flush(used);
	fprintf(stderr, "%llu packets captured\n", (unsigned long long)packets);
	return 0;
}
