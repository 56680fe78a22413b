#include "summary/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct table {
	struct siphash_key key;
	size_t key_size, entry_size, max, count;
	uint64_t left_out;
	uint32_t *chains; /* 2 * max: place + 1 */
	uint32_t *next;	  /* max, of each entry: the same */
	unsigned char *entries;
};

struct table *table_open(const struct siphash_key *key, size_t key_size, size_t entry_size, size_t max, struct err *err)
{
	struct table *table = calloc(1, sizeof(*table));

	if (!table) {
		err_sys(err, ENOMEM, "memory for a table");
		return NULL;
	}
	*table = (struct table){.key = *key, .key_size = key_size, .entry_size = entry_size, .max = max};
	table->chains = calloc(2 * max, sizeof(*table->chains));
	table->next = calloc(max, sizeof(*table->next));
	table->entries = calloc(max, entry_size);
	if (table->chains && table->next && table->entries)
		return table;
	err_sys(err, ENOMEM, "memory for a table");
	table_close(table);
	return NULL;
}

void table_close(struct table *table)
{
	if (!table)
		return;
	free(table->chains);
	free(table->next);
	free(table->entries);
	free(table);
}

static uint32_t *chain_of(const struct table *table, const void *key)
{
	return &table->chains[siphash(&table->key, key, table->key_size) % (2 * table->max)];
}

static void *find_in(const struct table *table, uint32_t place, const void *key)
{
	for (; place; place = table->next[place - 1]) {
		void *entry = table_at(table, place - 1);

		if (memcmp(entry, key, table->key_size) == 0)
			return entry;
	}
	return NULL;
}

void *table_find(const struct table *table, const void *key)
{
	return find_in(table, *chain_of(table, key), key);
}

void *table_take(struct table *table, const void *key)
{
	uint32_t *chain = chain_of(table, key);
	void *entry = find_in(table, *chain, key);

	if (entry)
		return entry;
	if (table->count == table->max) {
		table->left_out++;
		return NULL;
	}
	entry = table_at(table, table->count);
	memcpy(entry, key, table->key_size);
	table->next[table->count] = *chain;
	*chain = (uint32_t)++table->count;
	return entry;
}

size_t table_count(const struct table *table)
{
	return table->count;
}

void *table_at(const struct table *table, size_t i)
{
	return table->entries + i * table->entry_size;
}

size_t table_place(const struct table *table, const void *entry)
{
	return (size_t)((const unsigned char *)entry - table->entries) / table->entry_size;
}

uint64_t table_left_out(const struct table *table)
{
	return table->left_out;
}
