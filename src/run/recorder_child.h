/* A hold's recorder, seen from within: what the child does after the fork. */
#ifndef TARCAP_RECORDER_CHILD_H
#define TARCAP_RECORDER_CHILD_H

#include "base/err.h"
#include "request/options.h"

/*
 * Become a process that the hold ends with nothing but its own end or a word over the channel: open what a capture
 * takes, say that it records or why not, enter a capture's sandbox, and record into the area until the end. What it has
 * to say of itself goes to stderr, which is the hold's; why it ended goes over the channel. Returns the exit status.
 */
enum status recorder_child(const struct options *options, int area, int channel);

#endif
