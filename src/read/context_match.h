/* The members of the context that came, against those that the manifest lists. Of their content only the size is known.
 */
#ifndef TARCAP_CONTEXT_MATCH_H
#define TARCAP_CONTEXT_MATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "read/defects.h"
#include "read/manifest_read.h"

#define CONTEXT_MATCH_MEMBERS 64
#define CONTEXT_MATCH_NAME_SIZE 80

/* All zero is the beginning. */
struct context_match {
	size_t count;
	struct {
		char name[CONTEXT_MATCH_NAME_SIZE];
		bool came, listed;
		uint64_t size; /* of the first of both */
	} members[CONTEXT_MATCH_MEMBERS];
};

/* One has come, to its last byte; name as the manifest has it, "context/start/hosts". */
void context_match_came(struct context_match *match, struct defects *defects, const char *name, uint64_t size);

/* One is listed. */
void context_match_listed(struct context_match *match, struct defects *defects,
			  const struct manifest_read_context *listed);

/* The archive is over. all_read: every text of the manifest has been read. */
void context_match_finish(const struct context_match *match, struct defects *defects, bool all_read);

#endif
