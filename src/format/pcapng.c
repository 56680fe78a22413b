#include "format/pcapng.h"

#include <stdbool.h>
#include <stdio.h>

#define RESOLUTION_NANO 9 /* if_tsresol: a negative power of ten */
#define FILTER_AS_TEXT 0  /* if_filter's first byte: what libpcap compiles */

/* A block in the making. */
struct block {
	unsigned char *data;
	size_t used;
	bool options;
};

static void put(struct block *block, const void *data, size_t size)
{
	if (size > 0)
		memcpy(block->data + block->used, data, size);
	block->used += size;
}

static void put32(struct block *block, uint32_t value)
{
	put(block, &value, sizeof(value));
}

/* NOLINTNEXTLINE(readability-non-const-parameter): the block is written through it. */
static struct block begin_block(unsigned char *to, uint32_t type)
{
	struct block block = {.data = to};

	put32(&block, type);
	put32(&block, 0);
	return block;
}

static void pad(struct block *block)
{
	static const unsigned char zeros[4];

	put(block, zeros, -block->used & 3);
}

static void option(struct block *block, uint16_t code, const void *value, size_t size)
{
	uint16_t head[2] = {code, (uint16_t)size};

	put(block, head, sizeof(head));
	put(block, value, size);
	pad(block);
	block->options = true;
}

static void text_option(struct block *block, uint16_t code, const char *text)
{
	if (text[0])
		option(block, code, text, strlen(text));
}

/* Section 3.6.1: a 64-bit time stands with its higher half first. */
static void time_option(struct block *block, uint16_t code, uint64_t time)
{
	uint32_t halves[2] = {(uint32_t)(time >> 32), (uint32_t)time};

	option(block, code, halves, sizeof(halves));
}

static size_t end(struct block *block)
{
	uint32_t size;

	if (block->options)
		put32(block, PCAPNG_END_OF_OPTIONS);
	size = (uint32_t)block->used + 4;
	put32(block, size);
	memcpy(block->data + 4, &size, sizeof(size));
	return size;
}

char *pcapng_text(char *to, size_t size, const char *text)
{
	size_t length = strlen(text);
	bool cut = length >= size;

	if (cut) {
		length = size - sizeof("...");
		/* A byte 10xxxxxx goes on with the character before it. */
		while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80)
			length--;
	}
	snprintf(to, size, "%.*s%s", (int)length, text, cut ? "..." : "");
	return to;
}

size_t pcapng_put_section(unsigned char *to, const struct pcapng_section *section)
{
	static const uint16_t version[2] = {1, 0};
	struct block block = begin_block(to, PCAPNG_SECTION);

	put32(&block, PCAPNG_BYTE_ORDER);
	put(&block, version, sizeof(version));
	put32(&block, UINT32_MAX);
	put32(&block, UINT32_MAX); /* the section's length: not known */
	text_option(&block, PCAPNG_COMMENT, section->comment);
	text_option(&block, PCAPNG_OS, section->os);
	text_option(&block, PCAPNG_APPLICATION, section->application);
	return end(&block);
}

static void filter_option(struct block *block, const char *filter)
{
	char value[1 + sizeof(((struct pcapng_interface *)NULL)->filter)] = {FILTER_AS_TEXT};

	if (filter[0])
		option(block, PCAPNG_IF_FILTER, value,
		       1 + (size_t)snprintf(value + 1, sizeof(value) - 1, "%s", filter));
}

size_t pcapng_put_interface(unsigned char *to, const struct pcapng_interface *interface)
{
	static const unsigned char resolution = RESOLUTION_NANO;
	uint16_t link_type[2] = {(uint16_t)interface->link_type, 0};
	struct block block = begin_block(to, PCAPNG_INTERFACE);

	put(&block, link_type, sizeof(link_type));
	put32(&block, interface->snaplen);
	text_option(&block, PCAPNG_IF_NAME, interface->name);
	text_option(&block, PCAPNG_IF_DESCRIPTION, interface->description);
	option(&block, PCAPNG_IF_RESOLUTION, &resolution, sizeof(resolution));
	filter_option(&block, interface->filter);
	return end(&block);
}

/*
 * Section 4.6. The ring's drops are the operating system's; they stand under the interface's, too, because that is
 * where dumpcap writes them and what Wireshark shows. What the interface received (isb_ifrecv) nobody here knows: the
 * kernel counts behind the filter.
 */
size_t pcapng_put_statistics(unsigned char *to, uint32_t interface, const struct pcapng_statistics *statistics)
{
	struct block block = begin_block(to, PCAPNG_STATISTICS);

	put32(&block, interface);
	put32(&block, (uint32_t)(statistics->end >> 32));
	put32(&block, (uint32_t)statistics->end);
	time_option(&block, PCAPNG_START, statistics->start);
	time_option(&block, PCAPNG_END, statistics->end);
	option(&block, PCAPNG_IF_DROPPED, &statistics->dropped, sizeof(uint64_t));
	option(&block, PCAPNG_ACCEPTED, &statistics->accepted, sizeof(uint64_t));
	option(&block, PCAPNG_OS_DROPPED, &statistics->dropped, sizeof(uint64_t));
	option(&block, PCAPNG_DELIVERED, &statistics->delivered, sizeof(uint64_t));
	return end(&block);
}
