/* flags.c: what each kind of flag makes of its value, and where the flags end. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "request/flags.h"

#define WORDS_MAX 16

struct asked {
	bool set;
	int counted, listed, called;
	uint64_t number, choice;
	const char *text, *list[2];
};

static int take_call(void *into, const char *flag, const char *argument, struct err *err)
{
	struct asked *asked = into;

	asked->called++;
	return strcmp(argument, "wrong") == 0 ? err_set(err, STATUS_USAGE, "%s '%s'", flag, argument) : 0;
}

#define AT(member) offsetof(struct asked, member)

static const char *const words[] = {"none", "some", "all", NULL};
static const struct flag rows[] = {
	{'s', "set", FLAG_SET, NULL, AT(set)},
	{'v', NULL, FLAG_COUNTER, NULL, AT(counted)},
	{'n', "number", FLAG_NUMBER, "N", AT(number), {NUMBER_COUNT, 1, 9, 0}},
	{0, "choice", FLAG_CHOICE, "none|some|all", AT(choice), .choices = words},
	{0, "all", FLAG_CHOSEN, NULL, AT(choice), .chosen = 2},
	{'t', "text", FLAG_TEXT, "TEXT", AT(text)},
	{'l', "list", FLAG_LIST, "ITEM", AT(list), .count = AT(listed), .most = 2},
	{0, "call", FLAG_CALL, "THING", .take = take_call},
	{'z', NULL, FLAG_REFUSED, .help = "do it by hand"},
};
static const struct flag_table before_words = {"try", FLAG_ROWS(rows), .words_last = true};
static const struct flag_table anywhere = {"try", FLAG_ROWS(rows)};

/* Parse the words of line, divided by single spaces, behind a command's name. */
static int parse_line(const struct flag_table *table, const char *line, struct asked *asked, struct err *err)
{
	static char copy[400];
	char *argv[WORDS_MAX] = {"try"};
	int argc = 1;

	snprintf(copy, sizeof(copy), "%s", line);
	for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
		argv[argc++] = word;
	*err = (struct err){0};
	*asked = (struct asked){0};
	return flags_parse(table, argc, argv, asked, err);
}

static void each_kind_is_taken(void **state)
{
	struct asked asked;
	struct err err;

	(void)state;
	assert_int_equal(
		parse_line(&before_words, "-svv -n5 --choice some --text=x -l a -l b -l a --call y", &asked, &err), 14);
	assert_true(asked.set && asked.counted == 2 && asked.number == 5 && asked.choice == 1 && asked.called == 1);
	assert_string_equal(asked.text, "x");
	/* Twice the same is once. */
	assert_int_equal(asked.listed, 2);
	assert_string_equal(asked.list[1], "b");
	assert_int_equal(parse_line(&before_words, "--choice some --all", &asked, &err), 4);
	assert_int_equal(asked.choice, 2);
}

static void what_is_wrong_is_named(void **state)
{
	static const struct {
		const char *line, *says;
	} cases[] = {
		{"-l a -l b -l c", "-l/--list c: at most 2 are allowed"},
		{"--list=", "-l/--list '': needs an argument, ITEM"},
		{"--text", "-t/--text: needs an argument, TEXT"},
		{"-n=5", "-n/--number '=5': leave out '='"},
		{"-n 10", "-n/--number '10': allowed is 1 to 9 (a number)"},
		{"--choice few", "--choice 'few': allowed is none|some|all"},
		{"--call wrong", "--call 'wrong'"},
		{"-z", "-z: do it by hand"},
		{"-set", "-set: did you mean --set? (see tarcap try --help)"},
		{"--sett", "unknown flag --sett: did you mean --set? (see tarcap try --help)"},
	};
	struct asked asked;
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(parse_line(&before_words, cases[i].line, &asked, &err), -1);
		assert_int_equal(err.status, STATUS_USAGE);
		assert_string_equal(err.text, cases[i].says);
	}
}

static void flags_end_at_the_first_word_or_follow_it(void **state)
{
	struct asked asked;
	struct err err;

	(void)state;
	assert_int_equal(parse_line(&before_words, "-s word -v", &asked, &err), 2);
	assert_true(asked.set && !asked.counted);
	assert_int_equal(parse_line(&before_words, "-s -- -v", &asked, &err), 3);
	assert_false(asked.counted);
	assert_int_equal(parse_line(&anywhere, "-s word -v other", &asked, &err), 3);
	assert_true(asked.set && asked.counted == 1);
	/* The word in front of it is not the one that is wrong. */
	assert_int_equal(parse_line(&anywhere, "word --nosuch", &asked, &err), -1);
	assert_non_null(strstr(err.text, "--nosuch"));
}

static void a_word_that_would_be_a_flag_is_found(void **state)
{
	(void)state;
	assert_ptr_equal(flags_find(&before_words, "-n5"), &rows[2]);
	assert_ptr_equal(flags_find(&before_words, "--number=5"), &rows[2]);
	assert_ptr_equal(flags_find(&before_words, "-vv"), &rows[1]);
	assert_null(flags_find(&before_words, "-vs"));
	assert_null(flags_find(&before_words, "-"));
	assert_null(flags_find(&before_words, "number"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_is_taken),
		cmocka_unit_test(what_is_wrong_is_named),
		cmocka_unit_test(flags_end_at_the_first_word_or_follow_it),
		cmocka_unit_test(a_word_that_would_be_a_flag_is_found),
	};

	return cmocka_run_group_tests_name("flags", tests, NULL, NULL);
}
