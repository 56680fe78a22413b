/*
 * What join and summary are given, as plain bytes: what is compressed as a whole is expanded, what cannot be read is at
 * least known by its first bytes.
 */
#ifndef TARCAP_INPUT_H
#define TARCAP_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"
#include "read/members.h"

enum input_content {
	INPUT_UNKNOWN, /* an archive, or anything else: an archive may have bytes before it */
	INPUT_PACKETS, /* a pcap or pcapng file */
};

struct input;

/* The context stays the caller's. NULL when there is no memory. */
struct input *input_open(members_source *source, void *context, struct err *err);
void input_close(struct input *input);

/* Read the first bytes, and see what they are. -1 when the source has failed. */
int input_look(struct input *input, enum input_content *content, struct err *err);

/* A members_source of the bytes, from the first on; context is the struct input. To be looked at first. */
ssize_t input_read(void *context, void *data, size_t size);

/* At the end: NULL, or in words what is wrong with the compression. */
const char *input_damage(const struct input *input);

/*
 * Where it is nothing that can be read: "an xz file: xz -dc FILE | tarcap COMMAND", or NULL when nobody knows what it
 * is. Returns text.
 */
const char *input_hint(const struct input *input, const char *command, char *text, size_t size);

#endif
