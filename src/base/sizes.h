/* Sizes in bytes, of 64 bits. */
#ifndef TARCAP_SIZES_H
#define TARCAP_SIZES_H

#include <stdint.h>

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

/* How many a table of fixed size holds; fuzzers have a small share of it: they take it anew each time, and fill it. */
#ifndef TABLE_SHARE
#define TABLE_SHARE 1
#endif
#define TABLE_OF(count) ((count) / TABLE_SHARE)

#endif
