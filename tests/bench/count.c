/*
 * count [-b READ_SIZE] [-r BYTES_PER_SECOND] [-p BYTES:MS] [FILE] - read a capture as it comes (stdin), count the
 * numbers of load's frames in it, and print one line of JSON.
 *
 * It takes one pcap, one pcapng, or a tar with any number of them, also each compressed by zstd. -r makes it a slow
 * reader, -p one that stops after so many bytes and comes back.
 */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zstd.h>

#define NUMBER_AT 38 /* TCP's sequence number behind Ethernet and IPv4: see load.c */
#define NUMBERS (1U << 27)
#define BUFFER (1U << 20)
#define TAR_BLOCK 512
#define SECOND 1000000000LL

/* Bytes in a row, wherever they come from. */
struct source {
	size_t (*more)(struct source *, unsigned char *to, size_t room); /* 0: the end */
	struct source *below;						 /* what is expanded, or cut to a member */
	uint64_t left;							 /* of a member */
	ZSTD_DStream *expander;
	size_t from, to;
	uint64_t end; /* bytes from .from on that are a member's: what follows is another's */
	unsigned char data[BUFFER];
};

static size_t read_size = 256 << 10;
static double bytes_per_second, pause_at;
static int pause_ms;
static uint64_t stream_bytes;

static uint64_t packets, distinct, doubles, strange, last_number, overtaken, caplen_bytes, files;
static unsigned char seen[NUMBERS / 8];

static void die(const char *what)
{
	fprintf(stderr, "count: %s\n", what);
	exit(1);
}

static void wait_ms(double ms)
{
	struct timespec time = {(time_t)(ms / 1000), (long)((int64_t)(ms * 1e6) % SECOND)};

	while (nanosleep(&time, &time) < 0)
		;
}

/* Be as slow as was asked for. */
static void keep_pace(void)
{
	static struct timespec start;
	struct timespec now;
	double ahead;

	if (pause_ms && (double)stream_bytes >= pause_at) {
		wait_ms(pause_ms);
		pause_ms = 0;
	}
	if (bytes_per_second <= 0)
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (!start.tv_sec)
		start = now;
	ahead = (double)stream_bytes / bytes_per_second -
		((double)(now.tv_sec - start.tv_sec) + (double)(now.tv_nsec - start.tv_nsec) / SECOND);
	if (ahead > 0)
		wait_ms(ahead * 1000);
}

static size_t from_stdin(struct source *source, unsigned char *to, size_t room)
{
	ssize_t n;

	(void)source;
	keep_pace();
	n = read(STDIN_FILENO, to, room < read_size ? room : read_size);
	if (n < 0)
		die(strerror(errno));
	stream_bytes += (uint64_t)n;
	return (size_t)n;
}

/* size bytes in a row, or NULL when fewer come. They are the caller's until the next call. */
static const unsigned char *need(struct source *source, size_t size)
{
	if (size > source->end)
		return NULL;
	if (size > BUFFER)
		die("a record is too long");
	while (source->to - source->from < size) {
		size_t n;

		if (source->from) {
			memmove(source->data, source->data + source->from, source->to - source->from);
			source->to -= source->from;
			source->from = 0;
		}
		n = source->more(source, source->data + source->to, BUFFER - source->to);
		if (n == 0)
			return NULL;
		source->to += n;
	}
	source->from += size;
	source->end -= size;
	return source->data + source->from - size;
}

static const unsigned char *peek(struct source *source, size_t size)
{
	const unsigned char *data = need(source, size);

	if (data) {
		source->from -= size;
		source->end += size;
	}
	return data;
}

static size_t from_member(struct source *source, unsigned char *to, size_t room)
{
	struct source *below = source->below;
	size_t have = below->to - below->from, n = source->left < room ? (size_t)source->left : room;

	if (n == 0)
		return 0;
	if (have == 0) {
		if (!peek(below, 1))
			return 0;
		have = below->to - below->from;
	}
	n = have < n ? have : n;
	memcpy(to, need(below, n), n);
	source->left -= n;
	return n;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): one of the functions that give more bytes. */
static size_t from_zstd(struct source *source, unsigned char *to, size_t room)
{
	struct source *below = source->below;
	ZSTD_outBuffer out = {to, room, 0};

	while (out.pos == 0) {
		ZSTD_inBuffer in = {below->data, below->to, below->from};
		size_t result;

		if (in.pos == in.size) {
			if (!peek(below, 1))
				return 0;
			continue;
		}
		result = ZSTD_decompressStream(source->expander, &out, &in);
		if (ZSTD_isError(result))
			die(ZSTD_getErrorName(result));
		below->from = in.pos;
	}
	return out.pos;
}

static struct source *open_source(struct source *source, size_t (*more)(struct source *, unsigned char *, size_t),
				  struct source *below)
{
	source->more = more;
	source->below = below;
	source->from = source->to = 0;
	source->end = UINT64_MAX;
	return source;
}

static uint32_t get32(const unsigned char *from, bool swapped)
{
	uint32_t value;

	memcpy(&value, from, sizeof(value));
	return swapped ? __builtin_bswap32(value) : value;
}

static void take_frame(const unsigned char *frame, uint32_t caplen)
{
	uint32_t number;

	packets++;
	caplen_bytes += caplen;
	if (caplen < NUMBER_AT + 4 || memcmp(frame, "\2\0\0\0\0\2\2\0\0\0\0\1\10\0", 14) != 0) {
		strange++;
		return;
	}
	number = get32(frame + NUMBER_AT, true);
	if (number >= NUMBERS) {
		strange++;
		return;
	}
	overtaken += number < last_number;
	last_number = number;
	if (seen[number / 8] & 1 << number % 8) {
		doubles++;
		return;
	}
	seen[number / 8] |= (unsigned char)(1 << number % 8);
	distinct++;
}

static void read_pcap(struct source *source)
{
	const unsigned char *data;

	need(source, 24);
	while ((data = need(source, 16))) {
		uint32_t caplen = get32(data + 8, false);

		data = need(source, caplen);
		if (!data)
			return;
		take_frame(data, caplen);
	}
}

/* The block types and where an enhanced packet block has its data: pcapng's specification. */
static void read_pcapng(struct source *source)
{
	const unsigned char *data;

	while ((data = peek(source, 8))) {
		uint32_t type = get32(data, false), size = get32(data + 4, false);

		data = need(source, size);
		if (!data || size < 12)
			return;
		if (type == 6)
			take_frame(data + 28, get32(data + 20, false));
	}
}

static struct source *expanded(struct source *below)
{
	static struct source source;

	if (!source.expander && !(source.expander = ZSTD_createDStream()))
		die("no memory");
	ZSTD_initDStream(source.expander);
	return open_source(&source, from_zstd, below);
}

static uint32_t magic(struct source *source)
{
	const unsigned char *first = peek(source, 4);

	return first ? get32(first, false) : 0;
}

static void read_file(struct source *source)
{
	if (magic(source) == ZSTD_MAGICNUMBER)
		source = expanded(source);
	switch (magic(source)) {
	case 0xa1b2c3d4:
	case 0xa1b23c4d:
		files++;
		read_pcap(source);
		break;
	case 0x0a0d0d0a:
		files++;
		read_pcapng(source);
		break;
	default: /* another member of the archive */
		break;
	}
}

static void skip(struct source *source)
{
	size_t n;

	do {
		n = source->to - source->from;
		if (n > source->end)
			n = (size_t)source->end;
		need(source, n);
	} while (peek(source, 1));
}

/* Where it lies, unless it has to be expanded: what reads a plain pcap copies nothing either. */
static void read_member(struct source *source, uint64_t size)
{
	static struct source member;

	source->end = size;
	if (magic(source) != ZSTD_MAGICNUMBER) {
		read_file(source);
		skip(source);
		source->end = UINT64_MAX;
		return;
	}
	source->end = UINT64_MAX;
	open_source(&member, from_member, source);
	member.left = size;
	read_file(&member);
	skip(&member);
}

static void read_tar(struct source *source)
{
	const unsigned char *header;

	while ((header = need(source, TAR_BLOCK)) && header[0]) {
		uint64_t size = strtoull((const char *)header + 124, NULL, 8);

		read_member(source, size);
		need(source, (TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK);
	}
	while (peek(source, 1))
		skip(source);
}

static void usage(void)
{
	fprintf(stderr, "usage: count [-b READ_SIZE] [-r BYTES_PER_SECOND] [-p BYTES:MS] [FILE]\n");
	exit(2);
}

int main(int argc, char **argv)
{
	static struct source input;
	const unsigned char *start;
	int option;

	while ((option = getopt(argc, argv, "b:r:p:")) != -1) {
		if (option == 'b')
			read_size = strtoull(optarg, NULL, 10);
		else if (option == 'r')
			bytes_per_second = atof(optarg);
		else if (option != 'p' || sscanf(optarg, "%lf:%d", &pause_at, &pause_ms) != 2)
			usage();
	}
	if (argv[optind] && !freopen(argv[optind], "r", stdin))
		die(argv[optind]);
	open_source(&input, from_stdin, NULL);
	start = peek(&input, TAR_BLOCK);
	if (start && memcmp(start + 257, "ustar", 5) == 0)
		read_tar(&input);
	else
		read_file(&input);
	while (peek(&input, 1))
		skip(&input);
	printf("{\"packets\": %llu, \"distinct\": %llu, \"doubles\": %llu, \"strange\": %llu, \"overtaken\": %llu, "
	       "\"captured_bytes\": %llu, \"files\": %llu, \"bytes\": %llu}\n",
	       (unsigned long long)packets, (unsigned long long)distinct, (unsigned long long)doubles,
	       (unsigned long long)strange, (unsigned long long)overtaken, (unsigned long long)caplen_bytes,
	       (unsigned long long)files, (unsigned long long)stream_bytes);
	return 0;
}
