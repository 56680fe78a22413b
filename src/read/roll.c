#include "read/roll.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#include "base/siphash.h"

#define CHAINS TABLE_OF(8192) /* a power of two */

struct roll {
	size_t count;
	uint64_t looked_at;
	struct siphash_key key;
	uint16_t first_settled, last_settled; /* place + 1; 0: none */
	uint16_t chains[CHAINS];	      /* place + 1 of the first entry; 0: none */
	struct roll_file files[ROLL_FILES];
};

struct roll *roll_open(struct err *err)
{
	struct roll *roll = calloc(1, sizeof(*roll));

	if (!roll) {
		err_sys(err, ENOMEM, "memory for the table of files");
		return NULL;
	}
	/* The kernel gives each process 16 random bytes: getauxval(3). */
	if (getauxval(AT_RANDOM))
		memcpy(&roll->key, (const void *)getauxval(AT_RANDOM), // NOLINT(performance-no-int-to-ptr)
		       sizeof(roll->key));
	return roll;
}

void roll_close(struct roll *roll)
{
	free(roll);
}

/* Nobody can choose names that come into one chain. */
static uint16_t *chain_of_name(struct roll *roll, const char *name)
{
	return &roll->chains[siphash(&roll->key, name, strnlen(name, ROLL_NAME_SIZE - 1)) % CHAINS];
}

struct roll_file *roll_find(struct roll *roll, const char *name)
{
	uint16_t place = *chain_of_name(roll, name);

	roll->looked_at++;
	for (; place && strncmp(roll->files[place - 1].name, name, ROLL_NAME_SIZE - 1) != 0; roll->looked_at++)
		place = roll->files[place - 1].next;
	return place ? &roll->files[place - 1] : NULL;
}

static void unchain(struct roll *roll, const struct roll_file *file)
{
	uint16_t *link = chain_of_name(roll, file->name);

	while (&roll->files[*link - 1] != file)
		link = &roll->files[*link - 1].next;
	*link = file->next;
}

static struct roll_file *free_place(struct roll *roll)
{
	struct roll_file *file;

	if (roll->count < ROLL_FILES)
		return &roll->files[roll->count++];
	if (!roll->first_settled)
		return NULL;
	file = &roll->files[roll->first_settled - 1];
	roll->first_settled = file->next_settled;
	unchain(roll, file);
	return file;
}

void roll_settle(struct roll *roll, struct roll_file *file)
{
	uint16_t place = (uint16_t)(file - roll->files + 1);

	if (file->settled)
		return;
	file->settled = true;
	if (roll->first_settled)
		roll->files[roll->last_settled - 1].next_settled = place;
	else
		roll->first_settled = place;
	roll->last_settled = place;
}

uint64_t roll_looked_at(const struct roll *roll)
{
	return roll->looked_at;
}

struct roll_file *roll_add(struct roll *roll, const char *name)
{
	struct roll_file *file = free_place(roll);
	uint16_t *chain = chain_of_name(roll, name);

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
