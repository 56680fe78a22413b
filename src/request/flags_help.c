#include <stdio.h>
#include <string.h>

#include "request/flags.h"

#define INDENT 2 /* blanks */
#define GAP 3	 /* in a list of few */
#define LEFT_SIZE 80

/* Append the flag as it can be typed: with its long name, unless it shares a line and its letter will do. */
static size_t put_flag(const struct flag *flag, bool shares, char *text, size_t size)
{
	const char *name = shares && flag->letter ? NULL : flag->name;
	char letter[] = {'-', (char)flag->letter, '\0'};

	return (size_t)snprintf(text, size, "%s%s%s%s%s%s", flag->letter ? letter : "",
				flag->letter && name ? ", " : "", name ? "--" : "", name ? name : "",
				flag->argument ? " " : "", flag->argument ? flag->argument : "");
}

/*
 * The flags of the next line, from *row on, which then is behind them. In a list of few, long names stand below one
 * another. Returns the line's text, or NULL when there are no more.
 */
static const char *next_line(const struct flag_table *table, size_t *row, char left[LEFT_SIZE])
{
	size_t used = 0;

	for (; *row < table->count; ++*row) {
		const struct flag *flag = &table->rows[*row];
		bool last = flag->help && *flag->help, shares = used || !last;

		if (flag->kind == FLAG_REFUSED || !flag->help)
			continue;
		if (!used && !table->column && !flag->letter)
			used += (size_t)snprintf(left, LEFT_SIZE, "    ");
		used += put_flag(flag, shares, left + used, LEFT_SIZE - used);
		if (last)
			return table->rows[(*row)++].help;
		used += (size_t)snprintf(left + used, LEFT_SIZE - used, ", ");
	}
	return NULL;
}

static int widest(const struct flag_table *table)
{
	char left[LEFT_SIZE];
	size_t width = 0;

	for (size_t row = 0; next_line(table, &row, left);)
		width = strlen(left) > width ? strlen(left) : width;
	return (int)width;
}

void flags_help(const struct flag_table *table)
{
	int width = table->column ? table->column - INDENT : widest(table) + GAP;
	char left[LEFT_SIZE];
	const char *text;

	for (size_t row = 0; (text = next_line(table, &row, left));)
		printf("%*s%-*s%s\n", INDENT, "", width, left, text);
}
