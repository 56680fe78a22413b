#include "request/flags.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "request/unknown_flag.h"

#define LONG_ONLY 256 /* getopt's value for row n without a letter is LONG_ONLY + n */
#define TYPED_SIZE 40

static int value_of(const struct flag_table *table, size_t row)
{
	return table->rows[row].letter ? table->rows[row].letter : LONG_ONLY + (int)row;
}

static const struct flag *of_value(const struct flag_table *table, int value)
{
	for (size_t row = 0; row < table->count; row++) {
		if (value_of(table, row) == value)
			return &table->rows[row];
	}
	return NULL;
}

static const struct flag *of_name(const struct flag_table *table, const char *name, size_t length)
{
	for (size_t row = 0; row < table->count; row++) {
		const char *known = table->rows[row].name;

		if (known && strlen(known) == length && memcmp(known, name, length) == 0)
			return &table->rows[row];
	}
	return NULL;
}

static void getopt_tables(const struct flag_table *table, char *letters, struct option *longs)
{
	if (table->words_last)
		*letters++ = '+';
	*letters++ = ':'; /* we say what is wrong, not getopt */
	for (size_t row = 0; row < table->count; row++) {
		const struct flag *flag = &table->rows[row];

		if (flag->letter) {
			*letters++ = (char)flag->letter;
			if (flag->argument)
				*letters++ = ':';
		}
		if (flag->name)
			*longs++ = (struct option){flag->name, flag->argument ? 1 : 0, NULL, value_of(table, row)};
	}
	*letters = '\0';
	*longs = (struct option){0};
}

/* As the user would type it: "--duration", or "-c" where there is no long name. */
static const char *typed(const struct flag *flag, char text[TYPED_SIZE])
{
	if (flag->name && flag->letter)
		snprintf(text, TYPED_SIZE, "-%c/--%s", flag->letter, flag->name);
	else if (flag->name)
		snprintf(text, TYPED_SIZE, "--%s", flag->name);
	else
		snprintf(text, TYPED_SIZE, "-%c", flag->letter);
	return text;
}

static int set_choice(const struct flag *flag, const char *name, const char *argument, uint64_t *choice,
		      struct err *err)
{
	for (uint64_t i = 0; flag->choices[i]; i++) {
		if (strcmp(argument, flag->choices[i]) == 0) {
			*choice = i;
			return 0;
		}
	}
	return err_set(err, STATUS_USAGE, "%s '%.60s': allowed is %s", name, argument, flag->argument);
}

/* Twice the same is once. */
static int add_to_list(const struct flag *flag, const char *name, const char *argument, void *into, struct err *err)
{
	void *first = (char *)into + flag->offset, *counter = (char *)into + flag->count;
	const char **list = first;
	int *count = counter;

	for (int i = 0; i < *count; i++) {
		if (strcmp(list[i], argument) == 0)
			return 0;
	}
	if (*count == flag->most)
		return err_set(err, STATUS_USAGE, "%s %.60s: at most %d are allowed", name, argument, flag->most);
	list[(*count)++] = argument;
	return 0;
}

static int apply(const struct flag *flag, const char *argument, void *into, struct err *err)
{
	void *at = (char *)into + flag->offset;
	char name[TYPED_SIZE];

	typed(flag, name);
	if (flag->argument && flag->letter && argument[0] == '=')
		return err_set(err, STATUS_USAGE, "%s '%.60s': leave out '='", name, argument);
	if ((flag->kind == FLAG_TEXT || flag->kind == FLAG_LIST) && !*argument)
		return err_set(err, STATUS_USAGE, "%s '': needs an argument, %s", name, flag->argument);
	switch (flag->kind) {
	case FLAG_SET:
		*(bool *)at = true;
		return 0;
	case FLAG_COUNTER:
		++*(int *)at;
		return 0;
	case FLAG_NUMBER:
		return number_parse(name, argument, &flag->range, at, err);
	case FLAG_CHOICE:
		return set_choice(flag, name, argument, at, err);
	case FLAG_CHOSEN:
		*(uint64_t *)at = flag->chosen;
		return 0;
	case FLAG_TEXT:
		*(const char **)at = argument;
		return 0;
	case FLAG_LIST:
		return add_to_list(flag, name, argument, into, err);
	case FLAG_CALL:
		return flag->take(into, name, argument, err);
	case FLAG_NOTHING:
		return 0;
	case FLAG_REFUSED:
		return err_set(err, STATUS_USAGE, "%s: %s", name, flag->help);
	}
	return 0;
}

/* "-duration": one dash, and a name that takes two. As letters it could be nearly anything. */
static bool lacks_a_dash(const struct flag_table *table, const char *word)
{
	return word[0] == '-' && word[1] != '-' && of_name(table, word + 1, strlen(word + 1));
}

int flags_parse(const struct flag_table *table, int argc, char **argv, void *into, struct err *err)
{
	struct option longs[FLAGS_MAX + 1];
	char letters[2 * FLAGS_MAX + 3];
	const char *word;
	int value;

	getopt_tables(table, letters, longs);
	opterr = 0;
	optind = 0; /* not 1: it may have been left in the middle of a word before */
	while ((word = argv[optind ? optind : 1]), (value = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
		const struct flag *flag = of_value(table, value == ':' ? optopt : value);
		char name[TYPED_SIZE];

		/* Where getopt has gone past words that are no flags, it stands behind the flag now. */
		if (value == '?' || !flag || lacks_a_dash(table, word))
			return unknown_flag(table->command, *word == '-' ? word : argv[optind - 1], optopt, longs, err);
		if (value == ':')
			return err_set(err, STATUS_USAGE, "%s: needs an argument, %s", typed(flag, name),
				       flag->argument);
		if (apply(flag, optarg, into, err) < 0)
			return -1;
	}
	return optind;
}

const struct flag *flags_find(const struct flag_table *table, const char *word)
{
	const char again[] = {(char)(word[0] ? word[1] : 0), '\0'};
	const struct flag *flag;

	if (word[0] != '-' || !word[1])
		return NULL;
	if (word[1] == '-')
		return of_name(table, word + 2, strcspn(word + 2, "="));
	flag = of_value(table, (unsigned char)word[1]);
	return flag && !word[2 + strspn(word + 2, flag->argument ? "0123456789" : again)] ? flag : NULL;
}
