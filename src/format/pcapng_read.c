#include "format/pcapng_read.h"

static uint32_t get32(const struct pcapng_read *blocks, const unsigned char *from)
{
	uint32_t value;

	memcpy(&value, from, sizeof(value));
	return blocks->swapped ? __builtin_bswap32(value) : value;
}

static uint16_t get16(const struct pcapng_read *blocks, const unsigned char *from)
{
	uint16_t value;

	memcpy(&value, from, sizeof(value));
	return blocks->swapped ? __builtin_bswap16(value) : value;
}

static uint64_t get64(const struct pcapng_read *blocks, const unsigned char *from)
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

/* False at their end, and where the rest is none: then some of it is left. */
static bool next_option(const struct pcapng_read *blocks, struct options_left *left, struct option *option)
{
	size_t size;

	if (left->size < 4)
		return false;
	option->code = get16(blocks, left->at);
	option->length = get16(blocks, left->at + 2);
	option->value = left->at + 4;
	size = 4 + (((size_t)option->length + 3) & ~(size_t)3);
	if (size > left->size)
		return false;
	left->at += size;
	left->size -= size;
	return option->code != PCAPNG_END_OF_OPTIONS;
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
	STATISTICS_HEAD = 20,	 /* of interface statistics */
	SIMPLE_HEAD = 12,	 /* of a simple packet */
	STANDARD_RESOLUTION = 6, /* microseconds, where an interface does not say */
	LEAST_BLOCK = 12,
	UNKNOWN_DROPS = 0xffff, /* of an obsolete packet block */
};

void pcapng_read_begin(struct pcapng_read *blocks, bool foreign)
{
	memset(blocks, 0, offsetof(struct pcapng_read, interfaces));
	blocks->foreign = foreign;
}

static enum pcapng_read_kind take_section(struct pcapng_read *blocks, struct options_left left)
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
	return PCAPNG_READ_SECTION;
}

static void take_interface_option(struct pcapng_read *blocks, struct pcapng_read_interface *clock,
				  const struct option *option)
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

/* Of one that is too many nothing is known: its packets are passed over. */
static enum pcapng_read_kind take_interface(struct pcapng_read *blocks, const unsigned char *block,
					    struct options_left left)
{
	struct pcapng_read_interface *interface = &blocks->interfaces[blocks->count];
	struct option option;

	blocks->loss.interfaces++;
	if (blocks->count >= PCAPNG_READ_INTERFACES_MAX) {
		blocks->count += blocks->count < UINT32_MAX;
		return blocks->foreign ? PCAPNG_READ_SKIP : PCAPNG_READ_DAMAGED;
	}
	blocks->count++;
	*interface =
		(struct pcapng_read_interface){.snaplen = get32(blocks, block + 12), .resolution = STANDARD_RESOLUTION};
	blocks->latest = (struct pcapng_interface){
		.link_type = get16(blocks, block + 8),
		.snaplen = interface->snaplen && interface->snaplen < PCAPNG_READ_CAPLEN_MAX ? interface->snaplen
											     : PCAPNG_READ_CAPLEN_MAX,
	};
	while (next_option(blocks, &left, &option))
		take_interface_option(blocks, interface, &option);
	return PCAPNG_READ_INTERFACE;
}

/* --- what was lost --- */

static uint64_t add_up(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static uint64_t lost_of(const struct pcapng_read_interface *interface)
{
	return interface->dropped > interface->between ? interface->dropped : interface->between;
}

/* What an interface has lost so far: dropped in all, and between more since its latest packet. Neither ever falls. */
static void note_loss(struct pcapng_read *blocks, struct pcapng_read_interface *interface, uint64_t dropped,
		      uint64_t between)
{
	uint64_t before = lost_of(interface);

	blocks->loss.counted += !interface->counted;
	interface->counted = true;
	if (dropped > interface->dropped)
		interface->dropped = dropped;
	interface->between = add_up(interface->between, between);
	blocks->loss.packets = add_up(blocks->loss.packets, lost_of(interface) - before);
}

/*
 * Section 4.6. What the interface and what the operating system dropped is lost, both; but the same number in both is
 * the same drops, as dumpcap has them in the one, and pcapng_put_statistics() in both.
 */
static enum pcapng_read_kind take_statistics(struct pcapng_read *blocks, const unsigned char *block,
					     struct options_left left)
{
	uint32_t number = get32(blocks, block + 8);
	uint64_t of_interface = 0, of_system = 0;
	bool told = false;
	struct option option;

	while (next_option(blocks, &left, &option)) {
		if ((option.code != PCAPNG_IF_DROPPED && option.code != PCAPNG_OS_DROPPED) || option.length != 8)
			continue;
		*(option.code == PCAPNG_IF_DROPPED ? &of_interface : &of_system) = get64(blocks, option.value);
		told = true;
	}
	if (told && number < blocks->count && number < PCAPNG_READ_INTERFACES_MAX)
		note_loss(blocks, &blocks->interfaces[number],
			  of_interface == of_system ? of_system : add_up(of_interface, of_system), 0);
	return PCAPNG_READ_STATISTICS;
}

/* --- a packet's time --- */

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
static void split_time(const struct pcapng_read_interface *clock, uint64_t time, uint64_t *seconds,
		       uint64_t *nanoseconds)
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

/*
 * Returns whether it is a time that can be told: from 1970 on, and for as long as 64 bits of ns reach, to 2554. Whoever
 * wants it from the packet's header gets no more than fits there.
 */
static bool take_time(struct pcapng_read *blocks, const struct pcapng_read_interface *clock, uint64_t time,
		      struct packet_header *header)
{
	uint64_t seconds, nanoseconds;

	split_time(clock, time, &seconds, &nanoseconds);
	seconds += clock->offset;
	blocks->timed = seconds < UINT64_MAX / CLOCK_SECOND;
	blocks->time = blocks->timed ? seconds * CLOCK_SECOND + nanoseconds : 0;
	header->seconds = seconds < UINT32_MAX ? (uint32_t)seconds : UINT32_MAX;
	header->fraction = (uint32_t)nanoseconds;
	return seconds <= UINT32_MAX;
}

/* --- a packet --- */

/* Sections 4.3 and A: of an enhanced and an obsolete packet block, which have their data at the same place. */
static uint32_t take_options(struct pcapng_read *blocks, struct pcapng_read_interface *interface, bool obsolete,
			     struct options_left *left)
{
	uint32_t flags = 0;
	struct option option;

	while (next_option(blocks, left, &option)) {
		if (option.code == PCAPNG_FLAGS && option.length == 4)
			flags = get32(blocks, option.value);
		else if (option.code == PCAPNG_DROPPED_BEFORE && option.length == 8 && !obsolete)
			note_loss(blocks, interface, 0, get64(blocks, option.value));
	}
	return flags;
}

static void take_obsolete_drops(struct pcapng_read *blocks, struct pcapng_read_interface *interface, uint16_t drops)
{
	/* Most writers leave a 0 there, and know nothing. */
	if (drops && drops != UNKNOWN_DROPS)
		note_loss(blocks, interface, 0, drops);
}

/*
 * As pcapng_packet_tail() writes it: zeros up to the next four bytes, then nothing, or options, none of them empty, and
 * their end. Else it is the rest of a packet whose captured length is too small.
 */
static bool ends_well(const struct pcapng_read *blocks, const unsigned char *data, uint32_t caplen,
		      struct options_left options)
{
	struct option option = {.code = PCAPNG_END_OF_OPTIONS};
	size_t size = options.size;

	for (const unsigned char *p = data + caplen; p < options.at; p++) {
		if (*p)
			return false;
	}
	while (next_option(blocks, &options, &option)) {
		if (option.length == 0)
			return false;
	}
	return size == 0 || (options.size == 0 && size > 4 && option.code == PCAPNG_END_OF_OPTIONS);
}

static enum pcapng_read_kind pass_packet(struct pcapng_read *blocks)
{
	blocks->passed.packets++;
	return PCAPNG_READ_SKIP;
}

/* Nothing is wrong with the block, but its interface is one too many, or it is longer than there is room for. */
static bool is_beyond(const struct pcapng_read *blocks, uint32_t interface, uint32_t caplen, uint32_t room)
{
	return blocks->foreign && interface < blocks->count && caplen <= room &&
	       (interface >= PCAPNG_READ_INTERFACES_MAX || caplen > PCAPNG_READ_CAPLEN_MAX);
}

/* number and caplen are good. */
static enum pcapng_read_kind fill_packet(struct pcapng_read *blocks, const unsigned char *block,
					 struct options_left left, struct packet *packet)
{
	const struct options_left options = left;
	bool obsolete = get32(blocks, block) == PCAPNG_OBSOLETE_PACKET;
	uint32_t caplen = get32(blocks, block + 20);
	struct pcapng_read_interface *interface = &blocks->interfaces[packet->origin.interface];
	uint64_t time = (uint64_t)get32(blocks, block + 12) << 32 | get32(blocks, block + 16);
	bool in_time;

	packet->header = (struct packet_header){.caplen = caplen, .length = get32(blocks, block + 24)};
	packet->data = block + PCAPNG_PACKET_HEAD;
	in_time = take_time(blocks, interface, time, &packet->header);
	packet->origin.flags = take_options(blocks, interface, obsolete, &left);
	if (obsolete)
		take_obsolete_drops(blocks, interface, get16(blocks, block + 10));
	if (blocks->foreign)
		return PCAPNG_READ_PACKET;
	if (!in_time || packet->header.length < caplen || (interface->snaplen && caplen > interface->snaplen) ||
	    !ends_well(blocks, packet->data, caplen, options))
		return PCAPNG_READ_DAMAGED;
	return PCAPNG_READ_PACKET;
}

static enum pcapng_read_kind take_packet_block(struct pcapng_read *blocks, const unsigned char *block, uint32_t size,
					       struct packet *packet)
{
	bool obsolete = get32(blocks, block) == PCAPNG_OBSOLETE_PACKET;
	uint32_t number = obsolete ? get16(blocks, block + 8) : get32(blocks, block + 8);
	uint32_t caplen = get32(blocks, block + 20), room = size - PCAPNG_PACKET_HEAD - 4;
	uint32_t padded = (caplen + 3) & ~UINT32_C(3);

	if (is_beyond(blocks, number, caplen, room))
		return pass_packet(blocks);
	if (obsolete && !blocks->foreign)
		return PCAPNG_READ_DAMAGED;
	if (number >= blocks->count || number >= PCAPNG_READ_INTERFACES_MAX || caplen > PCAPNG_READ_CAPLEN_MAX ||
	    padded > room)
		return PCAPNG_READ_DAMAGED;
	packet->origin = (struct packet_origin){.tick = PACKET_TICK_NANO, .interface = number};
	return fill_packet(blocks, block, (struct options_left){block + PCAPNG_PACKET_HEAD + padded, room - padded},
			   packet);
}

/* Section 4.4: it is of the first interface, has no time, and is as long as the other numbers let it be. */
static enum pcapng_read_kind take_simple(struct pcapng_read *blocks, const unsigned char *block, uint32_t size,
					 struct packet *packet)
{
	uint32_t length = get32(blocks, block + 8), caplen = length, room = size - SIMPLE_HEAD - 4;
	uint32_t snaplen = blocks->interfaces[0].snaplen;

	/* tarcap writes neither this nor an obsolete one. */
	if (blocks->count == 0 || !blocks->foreign)
		return PCAPNG_READ_DAMAGED;
	if (snaplen && caplen > snaplen)
		caplen = snaplen;
	if (is_beyond(blocks, 0, caplen, room))
		return pass_packet(blocks);
	if (caplen > room || caplen > PCAPNG_READ_CAPLEN_MAX)
		return PCAPNG_READ_DAMAGED;
	blocks->timed = false;
	blocks->time = 0;
	packet->header = (struct packet_header){.caplen = caplen, .length = length};
	packet->data = block + SIMPLE_HEAD;
	packet->origin = (struct packet_origin){.tick = PACKET_TICK_NANO};
	return PCAPNG_READ_PACKET;
}

/* --- */

static bool set_byte_order(struct pcapng_read *blocks, const unsigned char *head)
{
	blocks->swapped = false;
	blocks->swapped = get32(blocks, head + 8) != PCAPNG_BYTE_ORDER;
	return get32(blocks, head + 8) == PCAPNG_BYTE_ORDER;
}

/* Each kind's blocks have so many bytes at least. */
static const struct type {
	uint32_t type;
	enum pcapng_read_kind kind;
	uint32_t least;
} types[] = {
	{PCAPNG_SECTION, PCAPNG_READ_SECTION, SECTION_HEAD + 4}, /* the same in either byte order */
	{PCAPNG_INTERFACE, PCAPNG_READ_INTERFACE, INTERFACE_HEAD + 4},
	{PCAPNG_PACKET, PCAPNG_READ_PACKET, PCAPNG_PACKET_HEAD + 4},
	{PCAPNG_OBSOLETE_PACKET, PCAPNG_READ_PACKET, PCAPNG_PACKET_HEAD + 4},
	{PCAPNG_SIMPLE_PACKET, PCAPNG_READ_PACKET, SIMPLE_HEAD + 4},
	{PCAPNG_STATISTICS, PCAPNG_READ_STATISTICS, STATISTICS_HEAD + 4},
	/* These hold no packets: names, time and bus information, lines of a journal, keys, Darwin's processes. */
	{4, PCAPNG_READ_SKIP, LEAST_BLOCK},
	{7, PCAPNG_READ_SKIP, LEAST_BLOCK},
	{8, PCAPNG_READ_SKIP, LEAST_BLOCK},
	{9, PCAPNG_READ_SKIP, LEAST_BLOCK},
	{10, PCAPNG_READ_SKIP, LEAST_BLOCK},
	{0x80000001, PCAPNG_READ_SKIP, LEAST_BLOCK},
};

/* NULL: not known. */
static const struct type *type_of(uint32_t type)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (types[i].type == type)
			return &types[i];
	}
	return NULL;
}

static void pass_block(struct pcapng_read *blocks, uint32_t type)
{
	if (blocks->passed.blocks++ == 0)
		blocks->passed.type = type;
}

/* A block that is longer than any that is read. */
static enum pcapng_read_kind too_long(struct pcapng_read *blocks, enum pcapng_read_kind kind)
{
	if (kind == PCAPNG_READ_PACKET && blocks->foreign)
		return pass_packet(blocks);
	return kind == PCAPNG_READ_SKIP || kind == PCAPNG_READ_STATISTICS ? PCAPNG_READ_SKIP : PCAPNG_READ_DAMAGED;
}

enum pcapng_read_kind pcapng_read_look(struct pcapng_read *blocks, const unsigned char head[PCAPNG_READ_HEAD],
				       uint32_t *size)
{
	uint32_t type = get32(blocks, head);
	const struct type *known = type_of(type);

	if ((type == PCAPNG_SECTION && !set_byte_order(blocks, head)) || (type != PCAPNG_SECTION && !blocks->begun))
		return PCAPNG_READ_DAMAGED;
	*size = get32(blocks, head + 4);
	if (*size < (known ? known->least : LEAST_BLOCK) || *size % 4 != 0)
		return PCAPNG_READ_DAMAGED;
	if (!known) {
		pass_block(blocks, type);
		return PCAPNG_READ_SKIP;
	}
	return *size > PCAPNG_READ_LONGEST ? too_long(blocks, known->kind) : known->kind;
}

enum pcapng_read_kind pcapng_read_take(struct pcapng_read *blocks, const unsigned char *block, uint32_t size,
				       struct packet *packet)
{
	if (get32(blocks, block + size - 4) != size)
		return PCAPNG_READ_DAMAGED;
	switch (get32(blocks, block)) {
	case PCAPNG_SECTION:
		if (get16(blocks, block + 12) != 1) /* the major version */
			return PCAPNG_READ_DAMAGED;
		return take_section(blocks, (struct options_left){block + SECTION_HEAD, size - SECTION_HEAD - 4});
	case PCAPNG_INTERFACE:
		return take_interface(blocks, block,
				      (struct options_left){block + INTERFACE_HEAD, size - INTERFACE_HEAD - 4});
	case PCAPNG_STATISTICS:
		return take_statistics(blocks, block,
				       (struct options_left){block + STATISTICS_HEAD, size - STATISTICS_HEAD - 4});
	case PCAPNG_PACKET:
	case PCAPNG_OBSOLETE_PACKET:
		return take_packet_block(blocks, block, size, packet);
	case PCAPNG_SIMPLE_PACKET:
		return take_simple(blocks, block, size, packet);
	default:
		return PCAPNG_READ_SKIP;
	}
}
