#include "summary/together.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "read/several.h"

struct together {
	struct sources *sources;
	struct pairing *pairing;
	struct betweens *betweens;
	struct reading *readings[SOURCES_MAX];
	const struct summary *summaries[SOURCES_MAX];
	const char *names[SOURCES_MAX];
	bool running[SOURCES_MAX];
	uint64_t latest[SOURCES_MAX];
	struct findings findings;
};

struct together *together_open(struct sources *sources, const struct siphash_key *key, struct err *err)
{
	struct together *together = calloc(1, sizeof(*together));

	if (!together) {
		err_sys(err, ENOMEM, "memory for reading");
		return NULL;
	}
	together->sources = sources;
	together->pairing = pairing_open(sources->count, key, err);
	for (size_t i = 0; i < sources->count && !err->status; i++) {
		together->names[i] = several_base_name(source_name(&sources->list[i]));
		together->readings[i] = summary_open(source_read, &sources->list[i], key, err);
		if (together->readings[i])
			summary_pair(together->readings[i], together->pairing, (unsigned)i);
	}
	if (!err->status)
		return together;
	together_close(together);
	return NULL;
}

void together_close(struct together *together)
{
	if (!together)
		return;
	for (size_t i = 0; i < together->sources->count; i++)
		summary_close(together->readings[i]);
	betweens_close(together->betweens);
	pairing_close(together->pairing);
	free(together);
}

/* Which one an error is of. */
static int name_error(const struct together *together, size_t i, const struct err *one, struct err *err)
{
	return err_set(err, one->status, "%.100s: %s", source_short_name(&together->sources->list[i]), one->text);
}

static int begin_all(struct together *together, struct err *err)
{
	for (size_t i = 0; i < together->sources->count; i++) {
		struct err one = {0};

		if (summary_begin(together->readings[i], &one) < 0)
			return name_error(together, i, &one, err);
		together->running[i] = true;
	}
	return 0;
}

static int finish_all(struct together *together, struct err *err)
{
	for (size_t i = 0; i < together->sources->count; i++) {
		struct err one = {0};

		together->summaries[i] = summary_finish(together->readings[i], &one);
		if (!together->summaries[i])
			return name_error(together, i, &one, err);
	}
	return 0;
}

int together_run(struct together *together, struct page_both *both, struct err *err)
{
	size_t next, count = together->sources->count;
	struct err one = {0};

	if (begin_all(together, err) < 0)
		return -1;
	while ((next = several_next(together->running, together->latest, count)) < count) {
		together->running[next] = summary_step(together->readings[next], &one);
		together->latest[next] = summary_latest(together->readings[next]);
		if (one.status)
			return name_error(together, next, &one, err);
	}
	if (finish_all(together, err) < 0)
		return -1;
	pairing_finish(together->pairing);
	together->betweens = betweens_open(together->pairing, together->summaries, count, err);
	if (!together->betweens)
		return -1;
	betweens_find(together->betweens, together->names, &together->findings);
	*both = (struct page_both){count, together->summaries, together->names, together->betweens,
				   &together->findings};
	return 0;
}
