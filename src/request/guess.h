/* What was probably meant by a word that is not known: the nearest of those that are. */
#ifndef TARCAP_GUESS_H
#define TARCAP_GUESS_H

#include <stdbool.h>

#define GUESS_LENGTH 31 /* characters; longer words are not compared */

/*
 * How many characters have to be inserted, left out, replaced, or swapped with the next one to make b of a: optimal
 * string alignment. GUESS_LENGTH + 1 where either is longer than that.
 */
unsigned guess_distance(const char *a, const char *b);

struct guess {
	const char *word;
	const char *best; /* NULL: nothing is near enough */
	unsigned distance;
};

/* Then guess_try() with each word that is known: best is the nearest of them, the first of several. */
void guess_begin(struct guess *guess, const char *word);
void guess_try(struct guess *guess, const char *known);

#endif
