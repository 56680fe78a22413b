/*
 * The parser of every command line: a table of flags says what there is, what each takes and where it goes.
 * getopt_long(3) cuts the words. A command has a table of its own and a struct that it is parsed into.
 */
#ifndef TARCAP_FLAGS_H
#define TARCAP_FLAGS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "request/number.h"

enum flag_kind {
	FLAG_SET,     /* bool */
	FLAG_COUNTER, /* int, one more each time */
	FLAG_NUMBER,  /* uint64_t within .range */
	FLAG_CHOICE,  /* uint64_t, the place in .choices of the word that is given */
	FLAG_CHOSEN,  /* uint64_t, .chosen: a flag of its own for one of the choices of another */
	FLAG_TEXT,    /* const char *, not empty, which points into argv */
	FLAG_LIST,    /* const char *[.most], one more each time but for what is there already; their int at .count */
	FLAG_CALL,    /* whatever .take makes of it */
	FLAG_NOTHING, /* a habit from another program that changes nothing here */
	FLAG_REFUSED, /* a flag of another program that cannot mean the same here; .help says what to use */
};

struct flag {
	int letter;	  /* 0: none */
	const char *name; /* the long one; NULL: none */
	enum flag_kind kind;
	const char *argument; /* what help calls the value; NULL: it takes none. Of FLAG_CHOICE also what is allowed */
	size_t offset;	      /* of what is set, in the struct that is parsed into */
	struct number_range range;
	const char *const *choices; /* to NULL, each where its value is */
	uint64_t chosen;
	size_t count;
	int most;
	/* -1 with STATUS_USAGE; flag is as it was typed. argument is NULL where the flag takes none. */
	int (*take)(void *into, const char *flag, const char *argument, struct err *err);
	const char *help; /* its line; FLAG_WITH_NEXT: on the line of the next row; NULL: nowhere */
};

#define FLAG_WITH_NEXT ""

#define FLAGS_MAX 100 /* rows of a table */

/* The table of the array rows, for .rows and .count; one that has too many does not compile. */
#define FLAG_ROWS(array) \
	.rows = (array), .count = sizeof(array) / sizeof((array)[0]) + \
				  0 * sizeof(char[sizeof(array) / sizeof((array)[0]) <= FLAGS_MAX ? 1 : -1])

struct flag_table {
	const char *command; /* NULL: a capture, which needs no word */
	const struct flag *rows;
	size_t count;
	bool words_last; /* the first word ends the flags: what follows is a filter, or another command line */
	int column;	 /* where help's texts begin; 0: three blanks behind the longest flag, in a list of few */
};

/*
 * Take all flags of argv into the struct at into, which has its defaults already. Returns the place of the first word
 * in argv (where flags may follow words, they stand before them afterwards), or -1 with STATUS_USAGE and one line that
 * names the flag, the value and what is allowed.
 */
int flags_parse(const struct flag_table *table, int argc, char **argv, void *into, struct err *err);

/* "-c", "-c5", "-nn", "--duration" or "--duration=5": the table's flag that word would be, or NULL. */
const struct flag *flags_find(const struct flag_table *table, const char *word);

/* Print the table's lines to stdout. */
void flags_help(const struct flag_table *table);

#endif
