/* The directory of an archive's members: that of the first file that looks like one of ours, NAME, or capture/30s. */
#ifndef TARCAP_DIRECTORY_H
#define TARCAP_DIRECTORY_H

#include <stdbool.h>

#include "read/members.h"

/* All zero is the beginning. */
struct directory {
	bool known;
	char path[MEMBERS_NAME_SIZE]; /* with its slash; "" where members have none */
};

/* A member's name below it, within path; NULL when it is not below it, or the directory is not known yet. */
const char *directory_below(struct directory *directory, const char *path);

#endif
