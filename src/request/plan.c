#include "request/plan.h"

#include <stdlib.h>

#include "archive/compress.h"
#include "request/ceilings.h"
#include "request/number.h"

#define KIB UINT64_C(1024)
#define MIB (KIB * KIB)
#define RING_DEFAULT (32 * MIB)
#define POOL_DEFAULT (16 * MIB)
#define RING_BLOCK (256 * KIB) /* libpcap's: MAXIMUM_SNAPLEN, rounded up to a power of two */
#define POOL_UNIT (16 * KIB)   /* a quarter of which is whole pages */

/* Bytes; not asked: the default, which may be lowered. ring is 0 where there is none, reading a file. */
struct plan {
	uint64_t ring, pool;
	bool ring_asked, pool_asked;
};

static uint64_t round_down(uint64_t size, uint64_t unit)
{
	return size / unit * unit;
}

/* What the compressor takes beside such a pool. */
static uint64_t compressor(const struct options *options, uint64_t pool)
{
	return options->compression == COMPRESSION_NONE ? 0 : compress_memory(options_segment_size(options, pool));
}

static int no_room(const struct options *options, uint64_t ceiling, struct err *err)
{
	bool ring = options->buffer_kib != CEILINGS_NOT_GIVEN, pool = options->memory != CEILINGS_NOT_GIVEN;
	const char *source = getenv("TARCAP_MAX_MEMORY") ? "" : " (its default)";
	char text[3][NUMBER_TEXT_SIZE];

	number_format(NUMBER_SIZE, ring ? options->buffer_kib * KIB : 0, text[0]);
	number_format(NUMBER_SIZE, pool ? options->memory : 0, text[1]);
	number_format(NUMBER_SIZE, ceiling, text[2]);
	if (options->compression != COMPRESSION_NONE)
		return err_set(err, STATUS_USAGE,
			       "--compress zstd: with it, -B/--buffer-size %s and --memory %s are above the ceiling "
			       "TARCAP_MAX_MEMORY, %s%s",
			       ring ? text[0] : "2M", pool ? text[1] : "2M", text[2], source);
	if (ring && pool)
		return err_set(
			err, STATUS_USAGE,
			"-B/--buffer-size %s and --memory %s: together above the ceiling TARCAP_MAX_MEMORY, %s%s",
			text[0], text[1], text[2], source);
	return err_set(err, STATUS_USAGE,
		       "%s %s: allowed is what leaves 2M to the %s below the ceiling TARCAP_MAX_MEMORY, %s%s",
		       ring ? "-B/--buffer-size" : "--memory", ring ? text[0] : text[1], ring ? "pool" : "ring",
		       text[2], source);
}

/* The largest pool that with its compressor takes at most so many bytes. */
static uint64_t pool_within(const struct options *options, uint64_t size)
{
	uint64_t pool = round_down(size, POOL_UNIT);

	while (pool > PLAN_POOL_MIN && pool + compressor(options, pool) > size)
		pool -= POOL_UNIT;
	return pool < PLAN_POOL_MIN ? PLAN_POOL_MIN : pool;
}

/* Segments of a size that was asked for take four of it: check_segment_size() in options.c. */
static uint64_t pool_least(const struct options *options)
{
	uint64_t segments = 4 * options->segment_size;

	return segments > PLAN_POOL_MIN && segments <= POOL_DEFAULT ? segments : PLAN_POOL_MIN;
}

static uint64_t at_most(uint64_t size, uint64_t most, uint64_t least)
{
	size = size < most ? size : most;
	return size < least ? least : size;
}

/* Defaults within what the container's limit leaves; what is above it all the same is noted. */
static void confine(struct plan *plan, struct options *options, const struct cgroup_memory *group)
{
	uint64_t left = group->left > PLAN_BESIDE ? group->left - PLAN_BESIDE : 0, before = plan->pool + plan->ring;
	struct confined *confined = &options->confined;

	if (!group->limit)
		return;
	if (!plan->pool_asked)
		plan->pool = at_most(plan->pool, pool_within(options, left), pool_least(options));
	if (!plan->ring_asked && plan->ring)
		plan->ring = at_most(plan->ring, round_down(group->left, RING_BLOCK), PLAN_RING_MIN);
	*confined = (struct confined){
		.limit = group->limit,
		.left = left,
		.lowered = (plan->pool + plan->ring < before),
		.pool_above = (plan->pool + compressor(options, plan->pool) > left),
		.ring_above = plan->ring > group->left,
	};
}

/* Below the ceiling. */
static int share(struct plan *plan, const struct options *options, uint64_t ceiling, struct err *err)
{
	uint64_t ring_min = !plan->ring ? 0 : plan->ring_asked ? plan->ring : PLAN_RING_MIN;
	uint64_t pool_min = plan->pool_asked ? plan->pool : PLAN_POOL_MIN;
	uint64_t room;

	if (ring_min + pool_min + compressor(options, pool_min) > ceiling)
		return no_room(options, ceiling, err);
	room = plan->ring_asked || !plan->ring ? ceiling - plan->ring : ceiling / 3;
	if (!plan->pool_asked)
		plan->pool = pool_within(options, room < plan->pool ? room : plan->pool);
	if (!plan->ring_asked && plan->ring) {
		room = round_down(ceiling - plan->pool - compressor(options, plan->pool), RING_BLOCK);
		plan->ring = room < plan->ring ? room : plan->ring;
	}
	return 0;
}

int plan_memory(struct options *options, uint64_t ceiling, const struct cgroup_memory *group, struct err *err)
{
	struct plan plan = {
		.ring_asked = options->buffer_kib != CEILINGS_NOT_GIVEN,
		.pool_asked = options->memory != CEILINGS_NOT_GIVEN,
	};

	plan.ring = plan.ring_asked ? options->buffer_kib * KIB : RING_DEFAULT;
	plan.pool = plan.pool_asked ? options->memory : POOL_DEFAULT;
	/* libpcap makes whole blocks of it. */
	plan.ring = options->read_file ? 0 : round_down(plan.ring + RING_BLOCK - 1, RING_BLOCK);
	options->memory_ceiling = ceiling;
	confine(&plan, options, group);
	options->lowered.memory = plan.ring + plan.pool + compressor(options, plan.pool) > ceiling;
	if (options->lowered.memory && share(&plan, options, ceiling, err) < 0)
		return -1;
	if (!plan.ring_asked)
		options->buffer_kib = plan.ring / KIB;
	options->memory = plan.pool;
	return 0;
}
