/* Sizes in bytes, of 64 bits. */
#ifndef TARCAP_SIZES_H
#define TARCAP_SIZES_H

#include <stdint.h>

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

#endif
