#include "roll.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHAINS 8192 /* a power of two */

struct roll {
	size_t count;
	size_t hand;		 /* where to look for a settled entry next */
	uint16_t chains[CHAINS]; /* place + 1 of the first entry; 0: none */
	struct roll_file files[ROLL_FILES];
};

struct roll *roll_open(struct err *err)
{
	struct roll *roll = calloc(1, sizeof(*roll));

	if (!roll)
		err_sys(err, ENOMEM, "memory for the table of files");
	return roll;
}

void roll_close(struct roll *roll)
{
	free(roll);
}

/* FNV-1a. Names made to collide cost a walk through the table, no more. */
static uint16_t *chain_of(struct roll *roll, const char *name)
{
	uint32_t hash = 2166136261;

	for (size_t i = 0; i < ROLL_NAME_SIZE - 1 && name[i]; i++)
		hash = (hash ^ (unsigned char)name[i]) * 16777619;
	return &roll->chains[(hash ^ hash >> 16) % CHAINS];
}

struct roll_file *roll_find(struct roll *roll, const char *name)
{
	uint16_t place = *chain_of(roll, name);

	while (place && strncmp(roll->files[place - 1].name, name, ROLL_NAME_SIZE - 1) != 0)
		place = roll->files[place - 1].next;
	return place ? &roll->files[place - 1] : NULL;
}

static void unchain(struct roll *roll, const struct roll_file *file)
{
	uint16_t *link = chain_of(roll, file->name);

	while (&roll->files[*link - 1] != file)
		link = &roll->files[*link - 1].next;
	*link = file->next;
}

static struct roll_file *free_place(struct roll *roll)
{
	if (roll->count < ROLL_FILES)
		return &roll->files[roll->count++];
	for (size_t tried = 0; tried < ROLL_FILES; tried++) {
		struct roll_file *file = &roll->files[roll->hand];

		roll->hand = (roll->hand + 1) % ROLL_FILES;
		if (file->whole && file->listed) {
			unchain(roll, file);
			return file;
		}
	}
	return NULL;
}

struct roll_file *roll_add(struct roll *roll, const char *name)
{
	struct roll_file *file = free_place(roll);
	uint16_t *chain = chain_of(roll, name);

	if (!file)
		return NULL;
	*file = (struct roll_file){.next = *chain};
	snprintf(file->name, sizeof(file->name), "%s", name);
	*chain = (uint16_t)(file - roll->files + 1);
	return file;
}

const struct roll_file *roll_at(const struct roll *roll, size_t i)
{
	return i < roll->count ? &roll->files[i] : NULL;
}
