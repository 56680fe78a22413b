#include "request/ceilings.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/sizes.h"
#include "request/number.h"
#include "request/plan.h"

static const uint64_t live_duration = 300 * CLOCK_SECOND, live_bytes = GIB;
static const uint64_t record_duration = 3600 * CLOCK_SECOND; /* and its memory is the limit of bytes */

static const struct number_range duration_range = {NUMBER_DURATION, CLOCK_SECOND / 1000,
						   UINT64_C(366) * 86400 * CLOCK_SECOND, 0};

/* *ceiling stays what it is when the variable is not set. */
static int read_ceiling(const char *name, const struct number_range *range, uint64_t *ceiling, struct err *err)
{
	const char *text = getenv(name);

	return text ? number_parse(name, text, range, ceiling, err) : 0;
}

static int above(const char *flag, const char *name, enum number_kind kind, uint64_t value, uint64_t ceiling,
		 struct err *err)
{
	char text[2][NUMBER_TEXT_SIZE];

	return err_set(err, STATUS_USAGE, "%s %s: above the ceiling %s, %s", flag, number_format(kind, value, text[0]),
		       name, number_format(kind, ceiling, text[1]));
}

struct limit {
	const char *flag, *variable;
	struct number_range range; /* of the ceiling */
	uint64_t fallback;	   /* 0: none */
	uint64_t *value;
	bool *lowered;
};

static int apply(const struct limit *limit, bool live, struct err *err)
{
	uint64_t ceiling = 0, *value = limit->value;
	bool asked = *value != OPTIONS_NOT_GIVEN && *value != 0;

	if (read_ceiling(limit->variable, &limit->range, &ceiling, err) < 0)
		return -1;
	if (*value == OPTIONS_NOT_GIVEN)
		*value = limit->fallback;
	if (!live || !ceiling || (*value && *value <= ceiling))
		return 0;
	if (asked)
		return above(limit->flag, limit->variable, limit->range.kind, *value, ceiling, err);
	*value = ceiling;
	*limit->lowered = true;
	return 0;
}

static int apply_memory(struct options *options, struct err *err)
{
	const struct number_range range = {NUMBER_SIZE, PLAN_RING_MIN + PLAN_POOL_MIN, PLAN_CEILING_MAX, 0};
	struct cgroup_memory group = cgroup_memory("");
	uint64_t ceiling = PLAN_CEILING;

	if (read_ceiling("TARCAP_MAX_MEMORY", &range, &ceiling, err) < 0)
		return -1;
	return plan_memory(options, ceiling, &group, err);
}

int ceilings_apply(struct options *options, struct err *err)
{
	bool live = !options->read_file;
	/* A file ends by itself: the default limits are for live captures. */
	const struct limit limits[] = {
		{"--duration", "TARCAP_MAX_DURATION", duration_range,
		 !live		   ? 0
		 : options->record ? record_duration
				   : live_duration,
		 &options->duration, &options->lowered.duration},
		{"--max-bytes",
		 "TARCAP_MAX_BYTES",
		 {NUMBER_SIZE, 1, UINT64_MAX / 2, 0},
		 live && !options->record ? live_bytes : 0,
		 &options->max_bytes,
		 &options->lowered.max_bytes},
		{"-s/--snapshot-length",
		 "TARCAP_MAX_SNAPLEN",
		 {NUMBER_COUNT, 1, SNAPLEN_MAX, 0},
		 SNAPLEN_MAX,
		 &options->snaplen,
		 &options->lowered.snaplen},
	};

	options->duration_chosen = options->duration != OPTIONS_NOT_GIVEN;
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		if (apply(&limits[i], live, err) < 0)
			return -1;
	}
	if (options->snaplen == 0)
		options->snaplen = SNAPLEN_MAX;
	return apply_memory(options, err);
}

int ceilings_ttl(uint64_t *ttl, bool chosen, uint64_t *longest, struct err *err)
{
	*longest = 0;
	if (read_ceiling("TARCAP_MAX_DURATION", &duration_range, longest, err) < 0)
		return -1;
	if (!*longest || (*ttl && *ttl <= *longest))
		return 0;
	if (chosen && *ttl)
		return above("--ttl", "TARCAP_MAX_DURATION", NUMBER_DURATION, *ttl, *longest, err);
	*ttl = *longest;
	return 0;
}
