/* What is wrong with an archive's stream of bytes, apart from what its manifest says. */
#ifndef TARCAP_STREAM_H
#define TARCAP_STREAM_H

#include "read/defects.h"
#include "read/input.h"
#include "read/members.h"

/* The stream has ended; latest: the name of the last member that began, "" if there was none. */
void stream_note(const struct members *members, const char *latest, const struct input *input, struct defects *defects);

#endif
