/*
 * floor drain|write|copy INTERFACE - the least that a capture can cost, for the ratio to the limit.
 *
 * It empties the same ring by the same library as tarcap, in one poll loop, and throws the packets away. 'write' also
 * writes as many bytes as their pcap records have, always the same ones, in pieces of 256 KiB to stdout; 'copy' writes
 * the records themselves, gathered in a buffer of that size: a pcap file.
 */
#include <fcntl.h>
#include <pcap/pcap.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIECE (256U << 10)
#define RING (32 << 20)
#define BLOCK_TIMEOUT 100 /* ms, as tarcap's */
#define TURN 4096

struct header {
	uint32_t seconds, fraction, caplen, length;
};

static volatile sig_atomic_t stopped;
static bool writes, copies;
static unsigned char buffer[PIECE + 262144 + 64];
static size_t used;
static uint64_t packets;

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

/* NOLINTNEXTLINE(readability-non-const-parameter): pcap_dispatch()'s callback. */
static void take(unsigned char *context, const struct pcap_pkthdr *packet, const unsigned char *data)
{
	(void)context;
	packets++;
	if (copies) {
		struct header header = {(uint32_t)packet->ts.tv_sec, (uint32_t)packet->ts.tv_usec, packet->caplen,
					packet->len};

		memcpy(buffer + used, &header, sizeof(header));
		memcpy(buffer + used + sizeof(header), data, packet->caplen);
	}
	used += sizeof(struct header) + packet->caplen;
	while (writes && used >= PIECE)
		flush(PIECE);
}

static pcap_t *activate(const char *interface)
{
	char text[PCAP_ERRBUF_SIZE];
	pcap_t *pcap = pcap_create(interface, text);
	struct bpf_program all;

	if (!pcap)
		die(text);
	pcap_set_snaplen(pcap, 262144);
	pcap_set_timeout(pcap, BLOCK_TIMEOUT);
	pcap_set_buffer_size(pcap, RING);
	if (pcap_activate(pcap) < 0 || pcap_setnonblock(pcap, 1, text) < 0 || pcap_compile(pcap, &all, "", 1, 0) < 0 ||
	    pcap_setfilter(pcap, &all) < 0)
		die(pcap_geterr(pcap));
	return pcap;
}

static void write_file_header(void)
{
	static const uint32_t header[6] = {0xa1b2c3d4, 4U << 16 | 2, 0, 0, 262144, 1};

	memcpy(buffer, header, sizeof(header));
	used = sizeof(header);
}

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = stop};
	struct pollfd ready = {.events = POLLIN};
	pcap_t *pcap;

	if (argc != 3)
		die("usage: floor drain|write|copy INTERFACE");
	copies = strcmp(argv[1], "copy") == 0;
	writes = copies || strcmp(argv[1], "write") == 0;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	pcap = activate(argv[2]);
	ready.fd = pcap_get_selectable_fd(pcap);
	fcntl(STDOUT_FILENO, F_SETPIPE_SZ, 1 << 20);
	if (copies)
		write_file_header();
	fprintf(stderr, "floor: listening on %s\n", argv[2]);
	while (!stopped) {
		if (poll(&ready, 1, -1) > 0)
			pcap_dispatch(pcap, TURN, take, NULL);
	}
	while (pcap_dispatch(pcap, TURN, take, NULL) > 0)
		;
	if (writes)
		flush(used);
	fprintf(stderr, "%llu packets captured\n", (unsigned long long)packets);
	return 0;
}
