/* privileges.c: which cause is named for which process. What the kernel really does is for tests/system. */
#include "unit.h"

#include <string.h>

#include "system/privileges.h"

#define NET_RAW PRIVILEGES_NET_RAW

static const char *why(struct privileges privileges)
{
	return privileges_refusal(&privileges)->why;
}

static const char *cure(struct privileges privileges)
{
	return privileges_refusal(&privileges)->docker;
}

static void test_each_cause_is_told_from_the_others(void **state)
{
	(void)state;
	assert_non_null(strstr(cure((struct privileges){.uid = 0}), "--cap-add NET_RAW"));
	assert_null(strstr(cure((struct privileges){.uid = 65532}), "--user"));
	assert_string_equal(cure((struct privileges){.uid = 65532, .no_new_privs = true}),
			    "--cap-add NET_RAW --user 0");
	assert_non_null(strstr(why((struct privileges){.uid = 65532, .bounding = NET_RAW, .no_new_privs = true}),
			       "no_new_privs"));
	assert_non_null(strstr(why((struct privileges){.uid = 65532, .bounding = NET_RAW}), "no file capability"));
	assert_non_null(strstr(why((struct privileges){.uid = 0, .bounding = NET_RAW}), "gave NET_RAW up"));
	assert_string_equal(why((struct privileges){.effective = NET_RAW, .whole_range = true, .range_known = true}),
			    "NET_RAW is there, but a seccomp, AppArmor or SELinux policy refuses packet sockets");
	assert_non_null(strstr(why((struct privileges){.effective = NET_RAW, .range_known = true}),
			       "belongs to another user namespace"));
	assert_non_null(strstr(why((struct privileges){.effective = NET_RAW, .whole_range = true}), "can't be told"));
}

static void test_what_this_process_has(void **state)
{
	struct privileges privileges;

	(void)state;
	memset(&privileges, 0xff, sizeof(privileges));
	privileges_read(&privileges);
	assert_true(privileges.bounding != UINT64_MAX && privileges.seccomp >= 0);
	assert_int_equal(privileges.effective & ~privileges.permitted, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_cause_is_told_from_the_others),
		cmocka_unit_test(test_what_this_process_has),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
