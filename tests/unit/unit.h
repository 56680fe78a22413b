/* What every unit test includes: cmocka wants these four in front. */
#ifndef TARCAP_TESTS_UNIT_H
#define TARCAP_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
