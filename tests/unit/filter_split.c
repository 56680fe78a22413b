/* filter_split.c: which filters are taken apart, and where. That the parts mean the same is for tests/fuzz/filter.c. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "capture/filter_split.h"

/* term repeated with a number, joined by " or ". */
static char *list(char *text, const char *before, const char *term, const char *again, unsigned count,
		  const char *after)
{
	size_t used = (size_t)sprintf(text, "%s", before);

	for (unsigned i = 0; i < count; i++)
		used += (size_t)sprintf(text + used, "%s%s%u", i ? " or " : "", i ? again : term, i + 1);
	sprintf(text + used, "%s", after);
	return text;
}

static struct filter_split split(const char *text)
{
	struct filter_split terms;

	filter_split(text, &terms);
	return terms;
}

static void assert_whole(const char *text)
{
	struct filter_split terms = split(text);

	assert_int_equal(terms.count, 1);
	assert_false(terms.negated);
	assert_ptr_equal(terms.parts[0].text, text);
	assert_int_equal(terms.parts[0].length, strlen(text));
}

static void test_short_ones_and_odd_ones_stay_whole(void **state)
{
	static const char *const texts[] = {"",	 " ",	  "tcp port 80", "host a or host b", "not host a", "(",
					    ")", "not (", "or"};
	char text[20000];

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_whole(texts[i]);
	assert_whole(list(text, "", "port ", "", 200, "")); /* the qualifier is left out */
	assert_whole(list(text, "tcp and (", "port ", "port ", 200, ")"));
	assert_whole(list(text, "", "port ", "port ", 200, " and tcp"));
	assert_whole(list(text, "vlan 3 or ", "port ", "port ", 200, ""));
	assert_whole(list(text, "tcp[13] = 1 or ", "port ", "port ", 200, ""));
	assert_whole(list(text, "not (", "port ", "port ", 200, ") or udp"));
	assert_whole(list(text, "src or dst host ", "", "", 200, ""));
	assert_whole(list(text, "", "port ", "port ", 200, ")"));
	assert_whole(list(text, "(", "port ", "port ", 200, ")"));
}

static void test_parts_begin_with_a_qualifier(void **state)
{
	struct filter_split terms;
	char text[20000];

	(void)state;
	terms = split(list(text, "", "tcp port ", "tcp port ", 100, ""));
	assert_int_equal(terms.count, 4);
	assert_false(terms.negated);
	for (size_t i = 0; i < terms.count; i++)
		assert_memory_equal(terms.parts[i].text + (i > 0), "tcp port ", 9);
	assert_ptr_equal(terms.parts[3].text + terms.parts[3].length, text + strlen(text));
	terms = split(list(text, "host 1.2.3.4 or ", "5.6.7.", "udp dst port ", 40, ""));
	assert_int_equal(terms.count, 2);
	assert_memory_equal(terms.parts[0].text, "host 1.2.3.4 or 5.6.7.1 or udp ", 31);
	terms = split(list(text, "", "src or dst port ", "src or dst port ", 64, ""));
	assert_int_equal(terms.count, 2);
	assert_memory_equal(terms.parts[1].text, " src or dst port 33", 19);
	terms = split(list(text, "", "(80) or not (port ", "not (port ", 0, "x"));
	assert_int_equal(terms.count, 1);
}

static void test_a_negated_list(void **state)
{
	struct filter_split terms;
	char text[20000];

	(void)state;
	terms = split(list(text, " not ( ", "net ", "net ", 64, " ) "));
	assert_int_equal(terms.count, 2);
	assert_true(terms.negated);
	assert_memory_equal(terms.parts[0].text, " net 1 or", 9);
	terms = split(list(text, "!(", "net ", "net ", 64, ")"));
	assert_true(terms.negated && terms.count == 2);
}

static void test_there_is_a_last_part(void **state)
{
	static char text[1 << 20];

	(void)state;
	assert_int_equal(split(list(text, "", "port ", "port ", 40000, "")).count, FILTER_SPLIT_PARTS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_short_ones_and_odd_ones_stay_whole),
		cmocka_unit_test(test_parts_begin_with_a_qualifier),
		cmocka_unit_test(test_a_negated_list),
		cmocka_unit_test(test_there_is_a_last_part),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
