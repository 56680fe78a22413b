/* What capture.json and the manifest both tell: that it is the same. */
#ifndef TARCAP_REQUEST_MATCH_H
#define TARCAP_REQUEST_MATCH_H

#include <stdbool.h>

#include "read/defects.h"
#include "read/manifest_read.h"

/* All zero is the beginning. */
struct request_match {
	unsigned came;	  /* capture.json, how many times */
	uint64_t version; /* of the latest; 0: none that can be read */
	bool asked_read, told_read;
	struct manifest_read_shared asked, told;
};

/* A capture.json begins; more than one is noted. */
void request_match_begin(struct request_match *match, struct defects *defects);

/* It has come, and is JSON (NULL: it is not, and reason says why). What is missing in it is noted. */
void request_match_asked(struct request_match *match, struct defects *defects, const struct manifest_read *listing,
			 const char *reason);

/* manifest.json has come. */
void request_match_told(struct request_match *match, const struct manifest_read *listing);

/* The archive is over. */
void request_match_finish(const struct request_match *match, struct defects *defects);

#endif
