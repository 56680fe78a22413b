/*
 * load [OPTION]... INTERFACE... - send numbered TCP frames at a steady rate, and print what was sent as one line of
 * JSON.
 *
 * The frame's number is TCP's sequence number, so that it is there also when the payload is cut off. Frames above the
 * MTU leave as one frame for the segmentation that the interface offers (GSO), as a local TCP sender's do.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define HEADERS 54 /* Ethernet, IPv4, TCP without options */
#define NUMBER_AT 38
#define FRAME_MAX 65535 /* below the interface's gso_max_size */
#define MTU_FRAME (ETH_HLEN + 1500)
#define BATCH 128
#define PATIENCE 1000000	 /* how often a full queue may refuse the same frame */
#define PAYLOAD_SIZE (24U << 20) /* comes again only after more than a compressor looks back on */
#define PIECE (256U << 10)	 /* of a file, in one call */
#define SECOND 1000000000LL
#define NAP 100000 /* ns between batches; shorter ones cost more than they smooth */

struct load {
	char **interfaces;
	int interface_count;
	const char *kind, *file;
	uint64_t count;
	double per_second; /* 0: as fast as it goes */
	double seconds;	   /* end after this, whatever has been sent; 0: never */
	int64_t on, off;   /* bursts, ns; 0: always on */
	unsigned size, mss;
	int cpu;
	unsigned char *payload;
	int fd;
};

static void die(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * SECOND + time.tv_nsec;
}

/* Processor time so far, ns: what the kernel does for a capture on the other side is in it. */
static int64_t worked(void)
{
	struct timespec time;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return time.tv_sec * SECOND + time.tv_nsec;
}

static uint64_t chance(void)
{
	static uint64_t state = 88172645463325252ULL; /* xorshift64: the same bytes in every run */

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

/* One answer of a web service: HTTP header, then JSON. */
static size_t answer(char *to, size_t room)
{
	static const char *const names[] = {"anna", "bernd", "carla", "dmitri", "eva", "farid", "greta", "hiro"};
	static const char *const states[] = {"open", "paid", "shipped", "returned"};
	unsigned items = 4 + chance() % 12;
	int used = snprintf(
		to, room,
		"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: %u\r\n"
		"X-Request-Id: %016llx\r\nCache-Control: no-cache\r\nConnection: keep-alive\r\n\r\n{\"orders\":[",
		items * 180, (unsigned long long)chance());

	for (unsigned i = 0; i < items && (size_t)used < room; i++)
		used += snprintf(
			to + used, room - (size_t)used,
			"%s{\"id\":%llu,\"customer\":{\"name\":\"%s\",\"id\":%llu},\"state\":\"%s\",\"total\":%llu.%"
			"02llu,"
			"\"currency\":\"EUR\",\"created\":\"2026-11-22T%02llu:%02llu:%02lluZ\",\"items\":[%llu,%llu]}",
			i ? "," : "", 1000000 + (unsigned long long)chance() % 9000000, names[chance() % 8],
			(unsigned long long)chance() % 100000, states[chance() % 4],
			(unsigned long long)chance() % 1000, (unsigned long long)chance() % 100,
			(unsigned long long)chance() % 24, (unsigned long long)chance() % 60,
			(unsigned long long)chance() % 60, (unsigned long long)chance() % 10000,
			(unsigned long long)chance() % 10000);
	used += snprintf(to + used, room > (size_t)used ? room - (size_t)used : 0, "]}");
	return (size_t)used < room ? (size_t)used : room;
}

static void fill_payload(struct load *load)
{
	size_t used = 0;

	load->payload = calloc(1, PAYLOAD_SIZE + FRAME_MAX);
	if (!load->payload)
		die("memory");
	if (strcmp(load->kind, "json") == 0) {
		while (used < PAYLOAD_SIZE + FRAME_MAX)
			used += answer((char *)load->payload + used, PAYLOAD_SIZE + FRAME_MAX - used);
	} else if (strcmp(load->kind, "random") == 0) {
		for (; used < PAYLOAD_SIZE + FRAME_MAX; used += sizeof(uint64_t)) {
			uint64_t word = chance();
			memcpy(load->payload + used, &word, sizeof(word));
		}
	} else if (strcmp(load->kind, "zero") != 0) {
		errno = EINVAL;
		die("-k zero, json or random");
	}
}

static uint16_t ip_checksum(const unsigned char *header)
{
	uint32_t sum = 0;

	for (int i = 0; i < 20; i += 2)
		sum += (uint32_t)header[i] << 8 | header[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void put16(unsigned char *to, unsigned value)
{
	to[0] = (unsigned char)(value >> 8);
	to[1] = (unsigned char)value;
}

static void put32(unsigned char *to, uint32_t value)
{
	put16(to, value >> 16);
	put16(to + 2, value & 0xffff);
}

/* From 10.9.0.1:80 to 10.9.0.2:40000; the addresses of Ethernet are those of the tests' wires. */
static void make_headers(unsigned char *frame, unsigned size)
{
	static const unsigned char head[HEADERS] = {
		2,    0,  0,	0,    0, 2, 2,	  0, 0,	 0, 0, 1, 8,	0,			 /* Ethernet */
		0x45, 0,  0,	0,    0, 0, 0x40, 0, 64, 6, 0, 0, 10,	9,    0, 1, 10, 9, 0, 2, /* IPv4 */
		0,    80, 0x9c, 0x40, 0, 0, 0,	  0, 0,	 0, 0, 1, 0x50, 0x10, 1, 0, 0,	0,	 /* TCP */
	};

	memcpy(frame, head, HEADERS);
	put16(frame + ETH_HLEN + 2, size - ETH_HLEN);
	put16(frame + ETH_HLEN + 10, ip_checksum(frame + ETH_HLEN));
}

static void open_socket(struct load *load)
{
	int on = 1, buffer = 32 << 20;

	load->fd = socket(AF_PACKET, SOCK_RAW, 0);
	if (load->fd < 0)
		die("socket");
	(void)setsockopt(load->fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on));
	(void)setsockopt(load->fd, SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof(buffer));
	if (load->size > MTU_FRAME && setsockopt(load->fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)) < 0)
		die("PACKET_VNET_HDR");
}

struct batch {
	struct virtio_net_hdr offload;
	unsigned char headers[BATCH][HEADERS];
	struct iovec parts[BATCH][3];
	struct mmsghdr messages[BATCH];
	struct sockaddr_ll to[BATCH];
};

/* Frames go out on the interfaces in turn. */
static void address_batch(const struct load *load, struct batch *batch)
{
	for (int i = 0; i < BATCH; i++) {
		const char *name = load->interfaces[i % load->interface_count];

		batch->to[i] = (struct sockaddr_ll){
			.sll_family = AF_PACKET,
			.sll_halen = ETH_ALEN,
			.sll_ifindex = (int)if_nametoindex(name),
		};
		if (batch->to[i].sll_ifindex == 0)
			die(name);
		batch->messages[i].msg_hdr.msg_name = &batch->to[i];
		batch->messages[i].msg_hdr.msg_namelen = sizeof(batch->to[i]);
	}
}

static void make_batch(const struct load *load, struct batch *batch)
{
	int skip = load->size > MTU_FRAME ? 0 : 1;

	/* linux/virtio_net.h: where the checksum is to be filled in, and where to cut. */
	batch->offload = (struct virtio_net_hdr){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
		.hdr_len = HEADERS,
		.gso_size = (uint16_t)load->mss,
		.csum_start = ETH_HLEN + 20,
		.csum_offset = 16,
	};
	for (int i = 0; i < BATCH; i++) {
		make_headers(batch->headers[i], load->size);
		batch->parts[i][0] = (struct iovec){&batch->offload, sizeof(batch->offload)};
		batch->parts[i][1] = (struct iovec){batch->headers[i], HEADERS};
		batch->parts[i][2] = (struct iovec){load->payload, load->size - HEADERS};
		batch->messages[i].msg_hdr =
			(struct msghdr){.msg_iov = batch->parts[i] + skip, .msg_iovlen = 3 - (size_t)skip};
	}
}

static void number_frame(const struct load *load, struct batch *batch, unsigned at, uint64_t number)
{
	put32(batch->headers[at] + NUMBER_AT, (uint32_t)number);
	batch->parts[at][2].iov_base = load->payload + number * (load->size - HEADERS) % PAYLOAD_SIZE;
}

static unsigned send_batch(const struct load *load, struct batch *batch, uint64_t first, unsigned count)
{
	unsigned sent = 0, refused = 0;

	for (unsigned i = 0; i < count; i++)
		number_frame(load, batch, i, first + i);
	while (sent < count) {
		int n = sendmmsg(load->fd, batch->messages + sent, count - sent, 0);

		refused = n < 0 ? refused + 1 : 0;
		if (n < 0 && ((errno != ENOBUFS && errno != EAGAIN && errno != EINTR) || refused > PATIENCE))
			die("send");
		sent += n > 0 ? (unsigned)n : 0;
	}
	return sent;
}

/* Time in which frames were to be sent, of so much time since the start. */
static int64_t active(const struct load *load, int64_t time)
{
	int64_t period = load->on + load->off, rest;

	if (!load->on)
		return time;
	rest = time % period;
	return time / period * load->on + (rest < load->on ? rest : load->on);
}

static void nap(void)
{
	struct timespec time = {.tv_nsec = NAP};

	nanosleep(&time, NULL);
}

static uint64_t send_all(const struct load *load, struct batch *batch)
{
	int64_t start = now(), time;
	uint64_t sent = 0, due;

	while (sent < load->count) {
		time = active(load, now() - start);
		if (load->seconds > 0 && (double)time >= load->seconds * SECOND)
			break;
		due = load->per_second > 0 ? (uint64_t)(load->per_second * (double)time / SECOND) : load->count;
		if (due > load->count)
			due = load->count;
		if (due <= sent)
			nap();
		else
			sent += send_batch(load, batch, sent, due - sent < BATCH ? (unsigned)(due - sent) : BATCH);
	}
	return sent;
}

struct record {
	uint32_t seconds, fraction, caplen, length;
};

/* Wait for the moment of a frame; false when the time is over before. */
static bool keep_pace(const struct load *load, uint64_t number, int64_t start)
{
	int64_t time = now() - start;

	if (load->per_second > 0)
		for (; (double)number * SECOND > load->per_second * (double)time; time = now() - start)
			nap();
	return load->seconds <= 0 || (double)time < load->seconds * SECOND;
}

/* In place of sending: the same frames as a pcap file, one each microsecond. It takes no more than its reader does. */
static uint64_t write_all(const struct load *load, struct batch *batch)
{
	static const uint32_t header[6] = {0xa1b2c3d4, 4U << 16 | 2, 0, 0, 262144, 1};
	FILE *file = fopen(load->file, "w");
	int64_t start = now();
	uint64_t number;

	if (!file || setvbuf(file, NULL, _IOFBF, PIECE) || fwrite(header, sizeof(header), 1, file) != 1)
		die(load->file);
	for (number = 0; number < load->count && keep_pace(load, number, start); number++) {
		struct record record = {1795000000 + (uint32_t)(number / 1000000), (uint32_t)(number % 1000000),
					load->size, load->size};

		number_frame(load, batch, 0, number);
		if (fwrite(&record, sizeof(record), 1, file) != 1 || fwrite(batch->headers[0], HEADERS, 1, file) != 1 ||
		    (load->size > HEADERS && fwrite(batch->parts[0][2].iov_base, load->size - HEADERS, 1, file) != 1))
			die(load->file);
	}
	if (fclose(file))
		die(load->file);
	return number;
}

static void usage(void)
{
	fprintf(stderr, "usage: load [-n COUNT] [-r PER_SECOND] [-t SECONDS] [-s SIZE] [-m MSS] [-k zero|json|random]\n"
			"            [-b ON_MS:OFF_MS] [-c CPU] INTERFACE... | -w FILE\n"
			"What it says of itself goes to stderr when it writes FILE.\n");
	exit(2);
}

static void parse(struct load *load, int argc, char **argv)
{
	double on = 0, off = 0;
	int option;

	*load = (struct load){.kind = "zero", .count = 1000000, .size = 64, .mss = 1448, .cpu = -1};
	while ((option = getopt(argc, argv, "n:r:t:s:m:k:b:c:w:")) != -1) {
		switch (option) {
		case 'n':
			load->count = strtoull(optarg, NULL, 10);
			break;
		case 'r':
			load->per_second = atof(optarg);
			break;
		case 't':
			load->seconds = atof(optarg);
			break;
		case 's':
			load->size = (unsigned)atoi(optarg);
			break;
		case 'm':
			load->mss = (unsigned)atoi(optarg);
			break;
		case 'k':
			load->kind = optarg;
			break;
		case 'c':
			load->cpu = atoi(optarg);
			break;
		case 'w':
			load->file = optarg;
			break;
		case 'b':
			if (sscanf(optarg, "%lf:%lf", &on, &off) != 2)
				usage();
			break;
		default:
			usage();
		}
	}
	load->on = (int64_t)(on * 1e6);
	load->off = (int64_t)(off * 1e6);
	load->interfaces = argv + optind;
	load->interface_count = argc - optind;
	if (!load->interface_count == !load->file || load->size < HEADERS || load->size > FRAME_MAX)
		usage();
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		die("-c");
}

int main(int argc, char **argv)
{
	static struct batch batch;
	struct load load;
	uint64_t sent;
	double seconds;
	int64_t start, before;

	parse(&load, argc, argv);
	if (load.cpu >= 0)
		pin(load.cpu);
	fill_payload(&load);
	make_batch(&load, &batch);
	if (!load.file) {
		open_socket(&load);
		address_batch(&load, &batch);
	}
	before = worked();
	start = now();
	sent = load.file ? write_all(&load, &batch) : send_all(&load, &batch);
	seconds = (double)active(&load, now() - start) / SECOND;
	fprintf(load.file ? stderr : stdout,
		"{\"sent\": %llu, \"seconds\": %.3f, \"per_second\": %.0f, \"sender_cpu\": %lld}\n",
		(unsigned long long)sent, seconds, seconds > 0 ? (double)sent / seconds : 0,
		(long long)(worked() - before));
	return 0;
}
