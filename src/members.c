#include "members.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Where the fields of a ustar header stand (POSIX pax, "ustar Interchange Format"). */
enum {
	NAME_AT = 0,
	NAME_LENGTH = 100,
	SIZE_AT = 124,
	SIZE_LENGTH = 12,
	CHECKSUM_AT = 148,
	CHECKSUM_LENGTH = 8,
	TYPE_AT = 156,
	MAGIC_AT = 257,
	PREFIX_AT = 345,
	PREFIX_LENGTH = 155,
};

#define END_SIZE ((size_t)2 * MEMBERS_BLOCK) /* of zeros, behind the last member */

static const char magic[] = {'u', 's', 't', 'a', 'r'};

void members_init(struct members *members, members_source *source, void *context)
{
	memset(members, 0, offsetof(struct members, buffer));
	members->source = source;
	members->context = context;
}

/* The source gives at least one byte each time only if there is room. */
static void make_room(struct members *members)
{
	size_t drop = members->at > MEMBERS_KEEP ? members->at - MEMBERS_KEEP : 0;

	if (members->end < MEMBERS_BUFFER)
		return;
	memmove(members->buffer, members->buffer + drop, members->end - drop);
	members->base += drop;
	members->at -= drop;
	members->end -= drop;
}

/* Are there want bytes (at most MEMBERS_BUFFER - MEMBERS_KEEP) at members->at? If not, the stream is over or broken. */
static bool fill(struct members *members, size_t want)
{
	while (members->end - members->at < want && !members->source_ended && !members->errnum) {
		ssize_t n;

		make_room(members);
		n = members->source(members->context, members->buffer + members->end, MEMBERS_BUFFER - members->end);
		if (n < 0)
			members->errnum = (int)-n;
		else if (n == 0)
			members->source_ended = true;
		else
			members->end += (size_t)n;
	}
	return members->end - members->at >= want;
}

/* A number as ustar has it: spaces, octal digits, and nothing but spaces and NULs behind. */
static bool octal(const unsigned char *field, size_t length, uint64_t *value)
{
	size_t i = 0, digits = 0;

	*value = 0;
	while (i < length && field[i] == ' ')
		i++;
	for (; i < length && field[i] >= '0' && field[i] <= '7'; i++, digits++)
		*value = *value * 8 + (uint64_t)(field[i] - '0');
	while (i < length && (field[i] == ' ' || field[i] == '\0'))
		i++;
	return digits > 0 && i == length;
}

static bool is_header(const unsigned char *block)
{
	uint64_t given, size, sum = (uint64_t)CHECKSUM_LENGTH * ' ';

	if (memcmp(block + MAGIC_AT, magic, sizeof(magic)) != 0 ||
	    !octal(block + CHECKSUM_AT, CHECKSUM_LENGTH, &given) || !octal(block + SIZE_AT, SIZE_LENGTH, &size))
		return false;
	for (size_t i = 0; i < MEMBERS_BLOCK; i++) {
		if (i < CHECKSUM_AT || i >= CHECKSUM_AT + CHECKSUM_LENGTH)
			sum += block[i];
	}
	return sum == given;
}

static const char *name_of(const unsigned char *block, char name[MEMBERS_NAME_SIZE])
{
	/* GNU's old format, "ustar ", has something else where the prefix is. */
	int prefix = block[MAGIC_AT + sizeof(magic)] == '\0' ? PREFIX_LENGTH : 0;
	const char *slash = prefix && block[PREFIX_AT] ? "/" : "";

	snprintf(name, MEMBERS_NAME_SIZE, "%.*s%s%.*s", prefix, (const char *)block + PREFIX_AT, slash, NAME_LENGTH,
		 (const char *)block + NAME_AT);
	if (strncmp(name, "./", 2) == 0)
		memmove(name, name + 2, strlen(name + 2) + 1);
	return name;
}

static bool same_top(const struct members *members, const unsigned char *block)
{
	char name[MEMBERS_NAME_SIZE];

	return strncmp(name_of(block, name), members->top, strlen(members->top)) == 0;
}

static void note_top(struct members *members)
{
	const char *slash = strchr(members->name, '/');

	if (members->top[0] || !slash)
		return;
	memcpy(members->top, members->name, (size_t)(slash - members->name) + 1);
}

/* Go on behind the header at members->at; true if it is a regular file's. */
static bool enter(struct members *members)
{
	const unsigned char *block = members->buffer + members->at;
	unsigned char type = block[TYPE_AT];
	uint64_t size;

	octal(block + SIZE_AT, SIZE_LENGTH, &size);
	/* Links, devices and directories have no data, whatever they claim. */
	if (type >= '1' && type <= '6')
		size = 0;
	members->found = true;
	members->regular = type == '0' || type == '\0';
	members->left = size;
	members->padding = -size % MEMBERS_BLOCK;
	members->at += MEMBERS_BLOCK;
	members->floor = members->base + members->at;
	members->state = MEMBERS_IN_DATA;
	if (!members->regular)
		return false;
	name_of(block, members->name);
	members->size = size;
	note_top(members);
	return true;
}

/* Move to the next header from members->at on, byte by byte. False: there is none. */
static bool search(struct members *members)
{
	while (fill(members, MEMBERS_BLOCK)) {
		unsigned char *from = members->buffer + members->at;
		unsigned char *hit =
			memmem(from + MAGIC_AT, members->end - members->at - MAGIC_AT, magic, sizeof(magic));

		if (!hit) {
			members->at = members->end - MAGIC_AT - (sizeof(magic) - 1);
			continue;
		}
		members->at = (size_t)(hit - members->buffer) - MAGIC_AT;
		if (!fill(members, MEMBERS_BLOCK))
			return false;
		from = members->buffer + members->at;
		if (is_header(from) && same_top(members, from))
			return true;
		members->at++;
	}
	return false;
}

/* Where bytes are missing, the next header came before its time: begin a little earlier, but behind the last one. */
static void step_back(struct members *members)
{
	uint64_t now = members->base + members->at;
	uint64_t to = now > MEMBERS_KEEP ? now - MEMBERS_KEEP : 0;

	if (to < members->floor)
		to = members->floor;
	if (to < members->base)
		to = members->base;
	members->at = (size_t)(to - members->base);
}

/* There is no header where one should be. zeros: there is what ends an archive. */
static bool resynchronize(struct members *members, bool zeros)
{
	uint64_t expected = members->base + members->at, now;
	bool hit;

	/* Zeros in the right place: nothing is missing before them. */
	if (!zeros)
		step_back(members);
	hit = search(members);
	now = members->base + (hit ? members->at : members->end);
	if (!members->found) {
		members->junk = now;
	} else if (!hit && zeros) {
		members->ended = true;
	} else {
		members->gaps++;
		members->skipped += now > expected ? now - expected : 0;
	}
	return hit;
}

static bool zeros_until(const struct members *members, size_t end)
{
	for (size_t i = members->at; i < end; i++) {
		if (members->buffer[i])
			return false;
	}
	return true;
}

/* What is here is no header. True: neither is there one behind it. */
static bool no_header(struct members *members)
{
	bool both = fill(members, END_SIZE);
	bool zeros = members->found && zeros_until(members, both ? members->at + END_SIZE : members->end);

	/* One zero block, and nothing wrong with it but that the stream is cut. */
	if (zeros && !both)
		return true;
	if (zeros && !members->more_to_come) {
		members->ended = true;
		members->at += END_SIZE;
		return true;
	}
	return !resynchronize(members, zeros);
}

static bool at_header(struct members *members, enum members_event *event)
{
	bool block = fill(members, MEMBERS_BLOCK);

	if (!block && !members->found)
		members->junk = members->base + members->end;
	if (!block || (!is_header(members->buffer + members->at) && no_header(members))) {
		members->state = MEMBERS_AT_END;
		return false;
	}
	*event = MEMBERS_FILE;
	return enter(members);
}

static bool in_data(struct members *members, enum members_event *event)
{
	if (members->left == 0) {
		members->state = MEMBERS_IN_PADDING;
		*event = MEMBERS_DONE;
		return members->regular;
	}
	if (!fill(members, 1)) {
		members->state = MEMBERS_AT_END;
		*event = MEMBERS_CUT;
		return members->regular && !members->errnum;
	}
	members->data = members->buffer + members->at;
	members->length = members->end - members->at;
	if (members->length > members->left)
		members->length = (size_t)members->left;
	members->at += members->length;
	members->left -= members->length;
	*event = MEMBERS_DATA;
	return members->regular;
}

static void in_padding(struct members *members)
{
	bool all = fill(members, (size_t)members->padding);

	members->at += all ? (size_t)members->padding : 0;
	members->state = all ? MEMBERS_AT_HEADER : MEMBERS_AT_END;
}

static enum members_event at_end(struct members *members)
{
	while (members->ended && fill(members, 1)) {
		for (; members->at < members->end; members->at++)
			members->trailing += members->buffer[members->at] != 0;
	}
	return members->errnum ? MEMBERS_ERROR : MEMBERS_END;
}

enum members_event members_next(struct members *members)
{
	enum members_event event;

	for (;;) {
		switch (members->state) {
		case MEMBERS_AT_HEADER:
			if (at_header(members, &event))
				return event;
			break;
		case MEMBERS_IN_DATA:
			if (in_data(members, &event))
				return event;
			break;
		case MEMBERS_IN_PADDING:
			in_padding(members);
			break;
		case MEMBERS_AT_END:
			return at_end(members);
		}
	}
}
