#include "summary/analysis.h"

#include <errno.h>
#include <stdlib.h>

struct analysis {
	struct conversations *conversations;
	struct findings findings;
};

struct analysis *analysis_open(const struct siphash_key *key, struct err *err)
{
	struct analysis *analysis = calloc(1, sizeof(*analysis));

	if (!analysis) {
		err_sys(err, ENOMEM, "memory for the analysis");
		return NULL;
	}
	if ((analysis->conversations = conversations_open(key, err)))
		return analysis;
	analysis_close(analysis);
	return NULL;
}

void analysis_close(struct analysis *analysis)
{
	if (!analysis)
		return;
	conversations_close(analysis->conversations);
	free(analysis);
}

void analysis_add(struct analysis *analysis, const struct sighting *sighting)
{
	const struct dissected *headers = sighting->headers;

	if (headers->version)
		conversations_add(analysis->conversations, headers, sighting->place.time, sighting->length);
}

const struct findings *analysis_finish(struct analysis *analysis, const struct circumstances *circumstances)
{
	(void)circumstances;
	findings_rank(&analysis->findings);
	return &analysis->findings;
}

const struct conversations *analysis_conversations(const struct analysis *analysis)
{
	return analysis->conversations;
}
