/* What a recorder's manifest tells, in words: for join's lines and for the page. Texts in it may hold anything. */
#ifndef TARCAP_RECORDER_TEXT_H
#define TARCAP_RECORDER_TEXT_H

#include <stddef.h>

#include "read/recorder_match.h"

#define RECORDER_TEXT_SIZE 400

/* From when to when, and what was overwritten before. Each returns text, or NULL when there is nothing to say. */
const char *recorder_text_window(const struct recorder_told *told, char text[RECORDER_TEXT_SIZE]);

/* What came, when, and where it stands. */
const char *recorder_text_event(const struct recorder_told *told, char text[RECORDER_TEXT_SIZE]);

/* What --first has cut. */
const char *recorder_text_cut(const struct recorder_told *told, char text[RECORDER_TEXT_SIZE]);

#endif
