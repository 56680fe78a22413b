/* guess.c: how far apart words are, and which one is near enough. */
#include "unit.h"

#include <string.h>

#include "request/guess.h"

static void distances(void **state)
{
	static const struct {
		const char *a, *b;
		unsigned distance;
	} cases[] = {
		{"", "", 0},
		{"join", "join", 0},
		{"joni", "join", 1}, /* two swapped */
		{"jon", "join", 1},
		{"joiin", "join", 1},
		{"jain", "join", 1},
		{"", "abc", 3},
		{"abc", "", 3},
		{"duraton", "duration", 1},
		{"kitten", "sitting", 3},
		{"ca", "abc", 3}, /* no letter is moved twice */
		{"a", "b", 1},
		{"ab", "ba", 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(guess_distance(cases[i].a, cases[i].b), cases[i].distance);
		assert_int_equal(guess_distance(cases[i].b, cases[i].a), cases[i].distance);
	}
}

static void long_words_are_not_compared(void **state)
{
	char just[GUESS_LENGTH + 1], above[GUESS_LENGTH + 2];

	(void)state;
	memset(just, 'x', sizeof(just));
	memset(above, 'x', sizeof(above));
	just[GUESS_LENGTH] = above[GUESS_LENGTH + 1] = '\0';
	assert_int_equal(guess_distance(just, just), 0);
	assert_int_equal(guess_distance(just, "x"), GUESS_LENGTH - 1);
	assert_int_equal(guess_distance(above, above), GUESS_LENGTH + 1);
	assert_int_equal(guess_distance("x", above), GUESS_LENGTH + 1);
}

static const char *best(const char *word)
{
	static const char *const known[] = {"tar", "join", "stop", "summary", "duration", "snapshot-length"};
	struct guess guess;

	guess_begin(&guess, word);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		guess_try(&guess, known[i]);
	return guess.best ? guess.best : "";
}

/* A short word has one mistake, a long one three. */
static void near_enough(void **state)
{
	static const char *const cases[][2] = {
		{"joni", "join"},
		{"jion", "join"},
		{"summry", "summary"},
		{"sumery", "summary"},
		{"duraton", "duration"},
		{"snapshotlenght", "snapshot-length"},
		{"tra", "tar"},
		{"ta", ""},
		{"jo", ""},
		{"zzzz", ""},
		{"post", ""},
		{"", ""},
		{"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (strcmp(best(cases[i][0]), cases[i][1]) != 0)
			fail_msg("'%s' gave '%s'", cases[i][0], best(cases[i][0]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(distances),
		cmocka_unit_test(long_words_are_not_compared),
		cmocka_unit_test(near_enough),
	};

	return cmocka_run_group_tests_name("guess", tests, NULL, NULL);
}
