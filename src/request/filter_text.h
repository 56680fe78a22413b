/* The filter's text, as one string of FILTER_MAX_LENGTH bytes at most (options.h) and its end. */
#ifndef TARCAP_FILTER_TEXT_H
#define TARCAP_FILTER_TEXT_H

#include "base/err.h"

/*
 * tcpdump's -F: the file's text with comments (# to the end of the line) blanked. filter has FILTER_MAX_LENGTH + 2
 * bytes. -1 with STATUS_FAILED where the file cannot be read, STATUS_USAGE where it is too long.
 */
int filter_text_from_file(const char *path, char *filter, struct err *err);

/* The words up to NULL, with a blank between each two. -1 with STATUS_USAGE where they are too long. */
int filter_text_from_words(char *const *words, char *filter, struct err *err);

#endif
