#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "read/roll.h"

static struct roll *roll;

static int set_up(void **state)
{
	struct err err = {0};

	(void)state;
	roll = roll_open(&err);
	assert_non_null(roll);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	roll_close(roll);
	return 0;
}

/* As FNV-1a has them, by which anybody could choose names of one chain. */
static uint16_t fnv(const char *name)
{
	uint32_t hash = 2166136261;

	for (size_t i = 0; name[i]; i++)
		hash = (hash ^ (unsigned char)name[i]) * 16777619;
	return (uint16_t)((hash ^ hash >> 16) % 8192);
}

static struct roll_file *find_or_add(const char *name)
{
	struct roll_file *file = roll_find(roll, name);

	return file ? file : roll_add(roll, name);
}

/* What a name costs is a few entries looked at, whoever has chosen the names, and however many there are. */
static void names_of_one_chain(void **state)
{
	uint64_t added = 0;
	char name[40];

	(void)state;
	for (unsigned n = 0; added < 5900 / 10; n++) {
		snprintf(name, sizeof(name), "eth0_%08u_20270115080000.pcap", n);
		if (fnv(name) != 4711)
			continue;
		assert_non_null(find_or_add(name));
		added++;
	}
	for (int again = 0; again < 100; again++)
		assert_non_null(find_or_add(name));
	assert_true(roll_looked_at(roll) < 4 * (added + 100));
}

static void equal_names(void **state)
{
	(void)state;
	for (int again = 0; again < 5900; again++)
		assert_non_null(find_or_add("eth0_00001_20270115080000.pcap"));
	assert_true(roll_looked_at(roll) < 2 * 5900 + 10);
}

/* Those that were settled first give their places, and only those. */
static void a_full_table(void **state)
{
	struct roll_file *file;
	char name[40];

	(void)state;
	for (unsigned n = 0; n < ROLL_FILES; n++) {
		snprintf(name, sizeof(name), "f%u", n);
		assert_non_null(roll_add(roll, name));
	}
	assert_null(roll_add(roll, "more"));
	for (int twice = 0; twice < 2; twice++) {
		roll_settle(roll, roll_find(roll, "f7"));
		roll_settle(roll, roll_find(roll, "f3"));
	}
	file = roll_find(roll, "f7");
	assert_ptr_equal(roll_add(roll, "one"), file);
	assert_null(roll_find(roll, "f7"));
	assert_non_null(roll_find(roll, "f3"));
	roll_settle(roll, roll_find(roll, "one"));
	assert_non_null(roll_add(roll, "two"));
	assert_null(roll_find(roll, "f3"));
	assert_non_null(roll_add(roll, "three"));
	assert_null(roll_find(roll, "one"));
	assert_null(roll_add(roll, "four"));
	assert_non_null(roll_find(roll, "two"));
	assert_non_null(roll_find(roll, "f8191"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(names_of_one_chain, set_up, tear_down),
		cmocka_unit_test_setup_teardown(equal_names, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_full_table, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("roll", tests, NULL, NULL);
}
