/* What every unit test includes: cmocka wants these four in front. */
#ifndef TARCAP_TESTS_UNIT_H
#define TARCAP_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* What clang-tidy cannot see in cmocka: that it goes on only if the condition holds. */
#ifdef __clang_analyzer__
#undef assert_true
#define assert_true(condition) ((condition) ? (void)0 : abort())
#endif

/* For chance that can be repeated: $SEED, or what is given. */
static inline unsigned unit_seed(unsigned otherwise)
{
	const char *given = getenv("SEED");

	return given ? (unsigned)strtoul(given, NULL, 10) : otherwise;
}

#endif
