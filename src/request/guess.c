#include "request/guess.h"

#include <string.h>

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

unsigned guess_distance(const char *a, const char *b)
{
	unsigned rows[3][GUESS_LENGTH + 1], *above = rows[0], *before = rows[1], *row = rows[2];
	size_t length_a = strlen(a), length_b = strlen(b);

	if (length_a > GUESS_LENGTH || length_b > GUESS_LENGTH)
		return GUESS_LENGTH + 1;
	for (size_t j = 0; j <= length_b; j++)
		above[j] = before[j] = (unsigned)j;
	for (size_t i = 1; i <= length_a; i++) {
		unsigned *oldest = above;

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= length_b; j++) {
			row[j] = least(before[j - 1] + (a[i - 1] != b[j - 1]), least(before[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = least(row[j], above[j - 2] + 1);
		}
		above = before;
		before = row;
		row = oldest;
	}
	return before[length_b];
}

void guess_begin(struct guess *guess, const char *word)
{
	size_t length = strlen(word);

	/* One mistake in a short word, three in a long one: the first distance that is too far. */
	*guess = (struct guess){.word = word, .distance = length < 3 ? 1 : length < 6 ? 2 : length < 10 ? 3 : 4};
}

void guess_try(struct guess *guess, const char *known)
{
	unsigned distance = guess_distance(guess->word, known);

	if (distance >= guess->distance)
		return;
	guess->distance = distance;
	guess->best = known;
}
