/*
 * talk PACKETS CONVERSATIONS [whole] - a pcap file of that many TCP packets of healthy connections to stdout: of each
 * the headers alone, or all of it.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRAME 66
#define REQUEST 100
#define SEGMENT 1448

/* A client that asks and a server that answers with two segments, again and again. */
struct talk {
	uint32_t sequence[2];
	uint16_t id[2];
	uint8_t step;
};

static const struct step {
	uint8_t side, flags;
	uint16_t size;
} steps[] = {
	{0, 0x02, 0},	    {1, 0x12, 0},	{0, 0x10, 0}, /* a handshake, then what comes again: */
	{0, 0x18, REQUEST}, {1, 0x10, SEGMENT}, {1, 0x18, SEGMENT}, {0, 0x10, 0},
};

#define STEPS (sizeof(steps) / sizeof(steps[0]))

static uint32_t state = 1;

static uint32_t random_number(void)
{
	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state;
}

static void put16(unsigned char *at, uint32_t value)
{
	at[0] = (unsigned char)(value >> 8);
	at[1] = (unsigned char)value;
}

static void put32(unsigned char *at, uint32_t value)
{
	put16(at, value >> 16);
	put16(at + 2, value & 0xffff);
}

static void put_frame(unsigned char frame[FRAME], struct talk *talk, uint32_t number, const struct step *step)
{
	int side = step->side;
	unsigned char *ip = frame + 14, *tcp = frame + 34;

	memset(frame, 2, 12);
	put16(frame + 12, 0x0800);
	memset(ip, 0, FRAME - 14);
	ip[0] = 0x45;
	put16(ip + 2, 52u + step->size);
	put16(ip + 4, talk->id[side]++);
	ip[8] = 64;
	ip[9] = 6;
	put32(ip + (side ? 16 : 12), 0x0a000000 | (number & 0xffff));
	put32(ip + (side ? 12 : 16), 0x0a010000 | (number & 63));
	put16(tcp + (side ? 2 : 0), 20000 + (number >> 16));
	put16(tcp + (side ? 0 : 2), 80);
	put32(tcp + 4, talk->sequence[side]);
	put32(tcp + 8, step->flags & 0x10 ? talk->sequence[!side] : 0);
	tcp[12] = 0x80;
	tcp[13] = step->flags;
	put16(tcp + 14, 512);
	tcp[20] = step->flags & 0x02 ? 3 : 1;
	tcp[21] = step->flags & 0x02 ? 3 : 1;
	tcp[22] = step->flags & 0x02 ? 7 : 1;
	talk->sequence[side] += step->size + (step->flags & 0x02 ? 1u : 0u);
}

int main(int argc, char **argv)
{
	const uint32_t file_header[] = {0xa1b2c3d4, 0x00040002, 0, 0, 262144, 1};
	uint32_t packets = argc >= 3 ? (uint32_t)strtoul(argv[1], NULL, 10) : 0;
	uint32_t count = argc >= 3 ? (uint32_t)strtoul(argv[2], NULL, 10) : 0;
	bool whole = argc == 4 && strcmp(argv[3], "whole") == 0;
	struct talk *talks = calloc(count ? count : 1, sizeof(*talks));

	if (!talks || count == 0) {
		free(talks);
		return 2;
	}
	for (uint32_t i = 0; i < count; i++)
		talks[i] = (struct talk){{random_number(), random_number()}, {1, 1}, 0};
	fwrite(file_header, sizeof(file_header), 1, stdout);
	for (uint32_t i = 0; i < packets; i++) {
		uint32_t number = random_number() % count;
		struct talk *talk = &talks[number];
		const struct step *step = &steps[talk->step];
		unsigned char frame[FRAME + SEGMENT] = {0};
		uint32_t kept = whole ? (uint32_t)FRAME + step->size : FRAME;
		uint32_t record[] = {1700000000 + i / 500000, i % 500000 * 2, kept, (uint32_t)FRAME + step->size};

		put_frame(frame, talk, number, step);
		talk->step = (uint8_t)(talk->step + 1u == STEPS ? 3 : talk->step + 1u);
		fwrite(record, sizeof(record), 1, stdout);
		fwrite(frame, kept, 1, stdout);
	}
	free(talks);
	return ferror(stdout) || fflush(stdout) != 0;
}
