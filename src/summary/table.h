/*
 * Entries of one size, found by a key that stands at their beginning, in memory that is taken once. What comes when the
 * table is full is counted, and has no entry.
 */
#ifndef TARCAP_TABLE_H
#define TARCAP_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/siphash.h"

struct table;

/*
 * Of at most max entries of entry_size bytes, aligned as malloc() does; the first key_size of them are the key, without
 * holes. key: random, so that nobody can choose what makes chains long. NULL when there is no memory.
 */
struct table *table_open(const struct siphash_key *key, size_t key_size, size_t entry_size, size_t max,
			 struct err *err);
void table_close(struct table *table);

/* NULL: there is none. */
void *table_find(const struct table *table, const void *key);

/* The same; one that isn't there is added, with zeros behind its key. NULL: there is no room. */
void *table_take(struct table *table, const void *key);

size_t table_count(const struct table *table);

/* Entry i, in the order in which they came; i is below table_count(). */
void *table_at(const struct table *table, size_t i);

/* The number of an entry of this table. */
size_t table_place(const struct table *table, const void *entry);

/* How often there was no room. */
uint64_t table_left_out(const struct table *table);

#endif
