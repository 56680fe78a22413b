#include "blocks.h"

static uint32_t get32(const struct blocks *blocks, const unsigned char *from)
{
	uint32_t value;

	memcpy(&value, from, sizeof(value));
	return blocks->swapped ? __builtin_bswap32(value) : value;
}

static uint16_t get16(const struct blocks *blocks, const unsigned char *from)
{
	uint16_t value;

	memcpy(&value, from, sizeof(value));
	return blocks->swapped ? __builtin_bswap16(value) : value;
}

static uint64_t get64(const struct blocks *blocks, const unsigned char *from)
{
	uint64_t value;

	memcpy(&value, from, sizeof(value));
	return blocks->swapped ? __builtin_bswap64(value) : value;
}

/* --- options (section 3.5) --- */

struct option {
	uint16_t code, length;
	const unsigned char *value;
};

/* The options that are left, to be walked through. */
struct options_left {
	const unsigned char *at;
	size_t size;
};

/* False at their end, and where the rest is none. */
static bool next_option(const struct blocks *blocks, struct options_left *left, struct option *option)
{
	size_t size;

	if (left->size < 4)
		return false;
	option->code = get16(blocks, left->at);
	option->length = get16(blocks, left->at + 2);
	option->value = left->at + 4;
	size = 4 + (((size_t)option->length + 3) & ~(size_t)3);
	if (option->code == PCAPNG_END_OF_OPTIONS || size > left->size)
		return false;
	left->at += size;
	left->size -= size;
	return true;
}

/* A text, cut to where it fits; what is behind a zero byte is no part of it. */
static void take_text(char *to, size_t size, const unsigned char *from, size_t length)
{
	size_t n = length < size ? length : size - 1;

	memcpy(to, from, n);
	to[n] = '\0';
}

/* --- what the blocks hold --- */

enum {
	SECTION_HEAD = 24,	 /* of a section header, in front of the options */
	INTERFACE_HEAD = 16,	 /* of an interface description */
	STANDARD_RESOLUTION = 6, /* microseconds, where an interface does not say */
	LEAST_BLOCK = 12,
};

static enum blocks_kind take_section(struct blocks *blocks, struct options_left left)
{
	struct pcapng_section *section = &blocks->section;
	struct option option;

	blocks->begun = true;
	blocks->count = 0;
	*section = (struct pcapng_section){.comment = ""};
	while (next_option(blocks, &left, &option)) {
		if (option.code == PCAPNG_COMMENT)
			take_text(section->comment, sizeof(section->comment), option.value, option.length);
		else if (option.code == PCAPNG_OS)
			take_text(section->os, sizeof(section->os), option.value, option.length);
		else if (option.code == PCAPNG_APPLICATION)
			take_text(section->application, sizeof(section->application), option.value, option.length);
	}
	return BLOCKS_SECTION;
}

static void take_interface_option(struct blocks *blocks, struct blocks_clock *clock, const struct option *option)
{
	struct pcapng_interface *interface = &blocks->latest;

	if (option->code == PCAPNG_IF_NAME)
		take_text(interface->name, sizeof(interface->name), option->value, option->length);
	else if (option->code == PCAPNG_IF_DESCRIPTION)
		take_text(interface->description, sizeof(interface->description), option->value, option->length);
	else if (option->code == PCAPNG_IF_FILTER && option->length > 1 && option->value[0] == 0)
		take_text(interface->filter, sizeof(interface->filter), option->value + 1, option->length - 1u);
	else if (option->code == PCAPNG_IF_RESOLUTION && option->length == 1)
		clock->resolution = option->value[0];
	else if (option->code == PCAPNG_IF_OFFSET && option->length == 8)
		clock->offset = get64(blocks, option->value);
}

static enum blocks_kind take_interface(struct blocks *blocks, const unsigned char *block, struct options_left left)
{
	struct blocks_clock *clock = &blocks->clocks[blocks->count];
	struct option option;

	if (blocks->count == BLOCKS_INTERFACES_MAX)
		return BLOCKS_DAMAGED;
	blocks->count++;
	*clock = (struct blocks_clock){.snaplen = get32(blocks, block + 12), .resolution = STANDARD_RESOLUTION};
	blocks->latest = (struct pcapng_interface){
		.link_type = get16(blocks, block + 8),
		.snaplen = clock->snaplen && clock->snaplen < BLOCKS_CAPLEN_MAX ? clock->snaplen : BLOCKS_CAPLEN_MAX,
	};
	while (next_option(blocks, &left, &option))
		take_interface_option(blocks, clock, &option);
	return BLOCKS_INTERFACE;
}

/* A fraction of a second, of 2^bits in one, in ns. */
static uint64_t binary_fraction(uint64_t fraction, unsigned bits)
{
	/* 34 bits of it times 10^9 are 64; more would be less than a ns. */
	if (bits > 34) {
		fraction >>= bits - 34;
		bits = 34;
	}
	return fraction * CLOCK_SECOND >> bits;
}

/* Time stamps in units of if_tsresol (section 4.2): 10^-n s, or 2^-n s where the highest bit is set. */
static void split_time(const struct blocks_clock *clock, uint64_t time, uint64_t *seconds, uint64_t *nanoseconds)
{
	unsigned power = clock->resolution & 0x7f;
	uint64_t unit = 1; /* how many make a second */

	if (clock->resolution & 0x80) {
		*seconds = power < 64 ? time >> power : 0;
		if (power > 0 && power < 64)
			*nanoseconds = binary_fraction(time & (UINT64_MAX >> (64 - power)), power);
		else
			*nanoseconds = power == 0 ? 0 : binary_fraction(time >> (power < 127 ? power - 63 : 63), 63);
		return;
	}
	for (unsigned n = 0; n < power && n < 19; n++)
		unit *= 10;
	*seconds = power <= 19 ? time / unit : 0;
	*nanoseconds = time % unit;
	for (unsigned n = power; n < 9; n++)
		*nanoseconds *= 10;
	for (unsigned n = power; n > 9; n--)
		*nanoseconds /= 10;
}

static uint32_t take_flags(const struct blocks *blocks, struct options_left left)
{
	struct option option;

	while (next_option(blocks, &left, &option)) {
		if (option.code == PCAPNG_FLAGS && option.length == 4)
			return get32(blocks, option.value);
	}
	return 0;
}

static enum blocks_kind take_packet(struct blocks *blocks, const unsigned char *block, uint32_t size,
				    struct packet *packet)
{
	uint32_t interface = get32(blocks, block + 8), caplen = get32(blocks, block + 20);
	uint64_t time = (uint64_t)get32(blocks, block + 12) << 32 | get32(blocks, block + 16), seconds, nanoseconds;
	const struct blocks_clock *clock = &blocks->clocks[interface < blocks->count ? interface : 0];
	uint32_t room = size - PCAPNG_PACKET_HEAD - 4, padded = (caplen + 3) & ~UINT32_C(3);

	if (interface >= blocks->count || caplen > BLOCKS_CAPLEN_MAX || padded > room ||
	    (clock->snaplen && caplen > clock->snaplen))
		return BLOCKS_DAMAGED;
	split_time(clock, time, &seconds, &nanoseconds);
	seconds += clock->offset;
	if (seconds > UINT32_MAX)
		return BLOCKS_DAMAGED;
	packet->header =
		(struct packet_header){(uint32_t)seconds, (uint32_t)nanoseconds, caplen, get32(blocks, block + 24)};
	packet->data = block + PCAPNG_PACKET_HEAD;
	packet->origin = (struct packet_origin){
		.tick = PACKET_TICK_NANO,
		.interface = interface,
		.flags = take_flags(blocks, (struct options_left){packet->data + padded, room - padded}),
	};
	return BLOCKS_PACKET;
}

/* --- */

static bool set_byte_order(struct blocks *blocks, const unsigned char *head)
{
	blocks->swapped = false;
	blocks->swapped = get32(blocks, head + 8) != PCAPNG_BYTE_ORDER;
	return get32(blocks, head + 8) == PCAPNG_BYTE_ORDER;
}

static enum blocks_kind kind_of(uint32_t type, uint32_t *least)
{
	switch (type) {
	case PCAPNG_SECTION: /* the same in either order */
		*least = SECTION_HEAD + 4;
		return BLOCKS_SECTION;
	case PCAPNG_INTERFACE:
		*least = INTERFACE_HEAD + 4;
		return BLOCKS_INTERFACE;
	case PCAPNG_PACKET:
		*least = PCAPNG_PACKET_HEAD + 4;
		return BLOCKS_PACKET;
	default:
		*least = LEAST_BLOCK;
		return BLOCKS_SKIP;
	}
}

enum blocks_kind blocks_look(struct blocks *blocks, const unsigned char head[BLOCKS_HEAD], uint32_t *size)
{
	uint32_t type = get32(blocks, head), least;
	enum blocks_kind kind;

	if ((type == PCAPNG_SECTION && !set_byte_order(blocks, head)) || (type != PCAPNG_SECTION && !blocks->begun))
		return BLOCKS_DAMAGED;
	kind = kind_of(type, &least);
	*size = get32(blocks, head + 4);
	if (*size < least || *size % 4 != 0 || (kind != BLOCKS_SKIP && *size > BLOCKS_LONGEST))
		return BLOCKS_DAMAGED;
	return kind;
}

enum blocks_kind blocks_take(struct blocks *blocks, const unsigned char *block, uint32_t size, struct packet *packet)
{
	uint32_t least;

	if (get32(blocks, block + size - 4) != size)
		return BLOCKS_DAMAGED;
	switch (kind_of(get32(blocks, block), &least)) {
	case BLOCKS_SECTION:
		if (get16(blocks, block + 12) != 1) /* the major version */
			return BLOCKS_DAMAGED;
		return take_section(blocks, (struct options_left){block + SECTION_HEAD, size - SECTION_HEAD - 4});
	case BLOCKS_INTERFACE:
		return take_interface(blocks, block,
				      (struct options_left){block + INTERFACE_HEAD, size - INTERFACE_HEAD - 4});
	case BLOCKS_PACKET:
		return take_packet(blocks, block, size, packet);
	default:
		return BLOCKS_SKIP;
	}
}
