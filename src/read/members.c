#include "read/members.h"

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
	HEADER_NAME_SIZE = PREFIX_LENGTH + 1 + NAME_LENGTH + 1, /* with a slash, and the end */
};

#define EXTENDED_LOOK ((size_t)8192)	     /* of an extended header that may be one: what it costs is bounded */
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

static const char *without_dot(const char *name)
{
	return strncmp(name, "./", 2) == 0 ? name + 2 : name;
}

static const char *member_name(const unsigned char *block, char name[HEADER_NAME_SIZE])
{
	/* GNU's old format, "ustar ", has something else where the prefix is. */
	int prefix = block[MAGIC_AT + sizeof(magic)] == '\0' ? PREFIX_LENGTH : 0;
	const char *slash = prefix && block[PREFIX_AT] ? "/" : "";

	snprintf(name, HEADER_NAME_SIZE, "%.*s%s%.*s", prefix, (const char *)block + PREFIX_AT, slash, NAME_LENGTH,
		 (const char *)block + NAME_AT);
	return without_dot(name);
}

static bool in_top(const struct members *members, const char *name)
{
	return strncmp(without_dot(name), members->top, strlen(members->top)) == 0;
}

/* Is the header at members->at one of the archive's own, by its name or by the name that it has for the next? */
static bool same_top(struct members *members)
{
	const unsigned char *block = members->buffer + members->at;
	unsigned char type = block[TYPE_AT];
	char name[HEADER_NAME_SIZE];
	uint64_t size;

	if (in_top(members, member_name(block, name)))
		return true;
	octal(block + SIZE_AT, SIZE_LENGTH, &size);
	if (size > EXTENDED_LOOK)
		size = EXTENDED_LOOK;
	if (!extended_is(type) || !fill(members, MEMBERS_BLOCK + (size_t)size))
		return false;
	members->looked_at.name[0] = '\0';
	extended_take(&members->looked_at, type, members->buffer + members->at + MEMBERS_BLOCK, (size_t)size);
	return members->looked_at.name[0] && in_top(members, members->looked_at.name);
}

void members_keep_to(struct members *members, const char *path)
{
	const char *slash = strchr(path, '/');
	size_t length = slash ? (size_t)(slash - path) + 1 : 0;

	memmove(members->top, path, length);
	members->top[length] = '\0';
}

/* The header at members->at tells of the next one. */
static void take_extended(struct members *members, unsigned char type, uint64_t size)
{
	struct extended *extended = type == 'g' ? &members->global : &members->next;

	if (size <= MEMBERS_EXTENDED && fill(members, MEMBERS_BLOCK + (size_t)size))
		extended_take(extended, type, members->buffer + members->at + MEMBERS_BLOCK, (size_t)size);
}

/* What was said of the next one is not of what comes behind damage, unless the name begins as its header has it. */
static void doubt_extended(struct members *members)
{
	const unsigned char *name = members->buffer + members->at + NAME_AT;

	if (memchr(name, '\0', NAME_LENGTH) || strncmp(members->next.name, (const char *)name, NAME_LENGTH) != 0)
		members->next = (struct extended){.name = ""};
}

/* A regular file's name and size; the next one has others. */
static void name_file(struct members *members, const unsigned char *block, uint64_t size)
{
	const struct extended *next = &members->next, *global = &members->global;
	char name[HEADER_NAME_SIZE];
	const char *found = next->name[0]     ? without_dot(next->name)
			    : global->name[0] ? without_dot(global->name)
					      : member_name(block, name);

	memcpy(members->name, found, strlen(found) + 1);
	members->size = size;
	if (!members->top[0])
		members_keep_to(members, members->name);
}

/* The size of the data behind the header. */
static uint64_t size_of(const struct members *members, const unsigned char *block)
{
	unsigned char type = block[TYPE_AT];
	uint64_t size;

	octal(block + SIZE_AT, SIZE_LENGTH, &size);
	/* Links, devices and directories have no data, whatever they claim. */
	if (type >= '1' && type <= '6')
		return 0;
	if (extended_is(type))
		return size;
	return members->next.sized ? members->next.size : members->global.sized ? members->global.size : size;
}

/* Go on behind the header at members->at; true if it is a regular file's. */
static bool enter(struct members *members)
{
	unsigned char type = members->buffer[members->at + TYPE_AT];
	uint64_t size = size_of(members, members->buffer + members->at);

	members->found = true;
	members->regular = type == '0' || type == '\0';
	members->left = size;
	members->padding = -size % MEMBERS_BLOCK;
	if (extended_is(type))
		take_extended(members, type, size);
	else if (members->regular)
		name_file(members, members->buffer + members->at, size);
	if (!extended_is(type))
		members->next = (struct extended){.name = ""};
	members->at += MEMBERS_BLOCK;
	members->floor = members->base + members->at;
	members->state = MEMBERS_IN_DATA;
	return members->regular;
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
		if (is_header(members->buffer + members->at) && same_top(members))
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
	if (hit)
		doubt_extended(members);
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
