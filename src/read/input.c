#include "read/input.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/known_files.h"
#include "format/pcap_read.h"
#include "format/pcapng.h"
#include "read/decompress.h"

#define BUFFER_SIZE ((size_t)128 << 10)

struct input {
	members_source *source;
	void *context;
	unsigned char
		look[KNOWN_FILES_LOOK]; /* the first bytes, as they are read: expanded, where they were compressed */
	size_t look_size, look_given;

	struct decompress *expand; /* NULL: it is not compressed, or not yet looked at */
	bool fed, ended, damaged;
	const unsigned char *data; /* expanded, and not given yet */
	size_t size;
	unsigned char buffer[BUFFER_SIZE]; /* compressed */
};

struct input *input_open(members_source *source, void *context, struct err *err)
{
	struct input *input = calloc(1, sizeof(*input));

	if (!input) {
		err_sys(err, ENOMEM, "memory for reading");
		return NULL;
	}
	input->source = source;
	input->context = context;
	return input;
}

void input_close(struct input *input)
{
	if (!input)
		return;
	decompress_close(input->expand);
	free(input);
}

/* --- what it is --- */

static bool holds_packets(const struct input *input)
{
	uint32_t magic;

	if (input->look_size < sizeof(magic))
		return false;
	memcpy(&magic, input->look, sizeof(magic));
	return magic == PCAPNG_SECTION || pcap_read_is_pcap(magic);
}

const char *input_hint(const struct input *input, const char *command, char *text, size_t size)
{
	if (input->look_size == 0)
		return "nothing at all (stdin through docker or kubectl needs -i)";
	if (holds_packets(input)) {
		snprintf(text, size,
			 "a capture file already: tarcap summary reads it, and mergecap puts several together");
		return text;
	}
	if (input->expand && decompress_begins(input->look, input->look_size)) {
		if (input->damaged)
			snprintf(text, size,
				 "a zstd file that is damaged, or needs more than 16 MiB: "
				 "zstd -dc --long=31 FILE | tarcap %s",
				 command);
		else
			snprintf(text, size, "a zstd file that is cut before anything of it can be read");
		return text;
	}
	return known_files_hint(input->look, input->look_size, command, text, size);
}

/* --- bytes --- */

/* Bytes to expand, when all before are used. As a members_source. */
static ssize_t feed(struct input *input)
{
	ssize_t n = input->source(input->context, input->buffer, BUFFER_SIZE);

	input->ended = n == 0;
	if (n > 0)
		decompress_feed(input->expand, input->buffer, (size_t)n);
	return n;
}

/* The next bytes that are expanded, into data and size. As a members_source. */
static ssize_t next_expanded(struct input *input)
{
	while (!input->damaged && input->size == 0) {
		enum decompress_event event =
			input->fed ? decompress_next(input->expand, &input->data, &input->size) : DECOMPRESS_MORE;
		ssize_t n;

		input->damaged = event == DECOMPRESS_DAMAGED;
		if (event != DECOMPRESS_MORE)
			continue;
		n = input->ended ? 0 : feed(input);
		if (n <= 0)
			return n;
		input->fed = true;
	}
	return (ssize_t)input->size;
}

static ssize_t read_expanded(struct input *input, void *data, size_t size)
{
	ssize_t n = next_expanded(input);

	if (n <= 0)
		return n;
	if (size > input->size)
		size = input->size;
	memcpy(data, input->data, size);
	input->data += size;
	input->size -= size;
	return (ssize_t)size;
}

static ssize_t read_on(struct input *input, void *data, size_t size)
{
	return input->expand ? read_expanded(input, data, size) : input->source(input->context, data, size);
}

ssize_t input_read(void *context, void *data, size_t size)
{
	struct input *input = context;
	size_t left = input->look_size - input->look_given;

	if (left == 0)
		return read_on(input, data, size);
	if (size > left)
		size = left;
	memcpy(data, input->look + input->look_given, size);
	input->look_given += size;
	return (ssize_t)size;
}

static int fill_look(struct input *input, struct err *err)
{
	while (input->look_size < KNOWN_FILES_LOOK) {
		ssize_t n = read_on(input, input->look + input->look_size, KNOWN_FILES_LOOK - input->look_size);

		if (n < 0)
			return err_sys(err, (int)-n, "cannot read it");
		if (n == 0)
			break;
		input->look_size += (size_t)n;
	}
	return 0;
}

/* What was looked at is the first that is expanded; when nothing comes of it, it stays what it is. */
static int look_inside(struct input *input, struct err *err)
{
	unsigned char outside[KNOWN_FILES_LOOK];
	size_t size = input->look_size;

	input->expand = decompress_open(err);
	if (!input->expand)
		return -1;
	memcpy(outside, input->look, size);
	decompress_begin(input->expand);
	memcpy(input->buffer, outside, size);
	decompress_feed(input->expand, input->buffer, size);
	input->fed = true;
	input->look_size = 0;
	if (fill_look(input, err) < 0)
		return -1;
	if (input->look_size > 0)
		return 0;
	memcpy(input->look, outside, size);
	input->look_size = size;
	return 0;
}

int input_look(struct input *input, enum input_content *content, struct err *err)
{
	if (fill_look(input, err) < 0)
		return -1;
	if (decompress_begins(input->look, input->look_size) && look_inside(input, err) < 0)
		return -1;
	*content = holds_packets(input) ? INPUT_PACKETS : INPUT_UNKNOWN;
	return 0;
}

const char *input_damage(const struct input *input)
{
	if (!input->expand || (!input->damaged && decompress_complete(input->expand)))
		return NULL;
	return input->damaged ? "the zstd file around it is damaged" : "the zstd file around it is cut";
}
