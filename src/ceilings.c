#include "ceilings.h"

#include <stdlib.h>

#include "clock.h"
#include "compress.h"
#include "number.h"

#define KIB UINT64_C(1024)
#define MIB (KIB * KIB)
#define MEMORY_CEILING (256 * MIB) /* where TARCAP_MAX_MEMORY is not set */
#define RING_BLOCK (256 * KIB)	   /* libpcap's: MAXIMUM_SNAPLEN, rounded up to a power of two */
#define POOL_UNIT (16 * KIB)	   /* a quarter of which is whole pages */
#define SHARE_MIN (2 * MIB)	   /* of the ring and of the pool */

static const uint64_t live_duration = 300 * CLOCK_SECOND, live_bytes = 1024 * MIB;
static const uint64_t ring_default = 32 * MIB, pool_default = 16 * MIB;

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
	bool asked = *value != CEILINGS_NOT_GIVEN && *value != 0;

	if (read_ceiling(limit->variable, &limit->range, &ceiling, err) < 0)
		return -1;
	if (*value == CEILINGS_NOT_GIVEN)
		*value = limit->fallback;
	if (!live || !ceiling || (*value && *value <= ceiling))
		return 0;
	if (asked)
		return above(limit->flag, limit->variable, limit->range.kind, *value, ceiling, err);
	*value = ceiling;
	*limit->lowered = true;
	return 0;
}

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

	while (pool > SHARE_MIN && pool + compressor(options, pool) > size)
		pool -= POOL_UNIT;
	return pool < SHARE_MIN ? SHARE_MIN : pool;
}

/*
 * What is asked for one of the two leaves the rest of the ceiling to the other; else they share it by thirds. What the
 * compressor takes goes with the pool.
 */
static int apply_memory(struct options *options, struct err *err)
{
	const struct number_range range = {NUMBER_SIZE, 2 * SHARE_MIN, 2048 * MIB, 0};
	bool ring_asked = options->buffer_kib != CEILINGS_NOT_GIVEN, pool_asked = options->memory != CEILINGS_NOT_GIVEN;
	uint64_t ring = ring_asked ? options->buffer_kib * KIB : ring_default;
	uint64_t pool = pool_asked ? options->memory : pool_default;
	uint64_t ceiling = MEMORY_CEILING;

	if (read_ceiling("TARCAP_MAX_MEMORY", &range, &ceiling, err) < 0)
		return -1;
	options->memory_ceiling = ceiling;
	/* libpcap makes whole blocks of it. */
	ring = options->read_file ? 0 : round_down(ring + RING_BLOCK - 1, RING_BLOCK);
	options->lowered.memory = ring + pool + compressor(options, pool) > ceiling;
	if (options->lowered.memory) {
		uint64_t ring_least = !ring ? 0 : ring_asked ? ring : SHARE_MIN;
		uint64_t pool_least = pool_asked ? pool : SHARE_MIN;

		if (ring_least + pool_least + compressor(options, pool_least) > ceiling)
			return no_room(options, ceiling, err);
		if (!pool_asked)
			pool = pool_within(options, ring_asked || !ring ? ceiling - ring : ceiling / 3);
		if (!ring_asked && ring)
			ring = round_down(ceiling - pool - compressor(options, pool), RING_BLOCK);
	}
	if (!ring_asked)
		options->buffer_kib = ring / KIB;
	options->memory = pool;
	return 0;
}

int ceilings_apply(struct options *options, struct err *err)
{
	bool live = !options->read_file;
	/* A file ends by itself: the default limits are for live captures. */
	const struct limit limits[] = {
		{"--duration",
		 "TARCAP_MAX_DURATION",
		 {NUMBER_DURATION, CLOCK_SECOND / 1000, UINT64_C(366) * 86400 * CLOCK_SECOND, 0},
		 live ? live_duration : 0,
		 &options->duration,
		 &options->lowered.duration},
		{"--max-bytes",
		 "TARCAP_MAX_BYTES",
		 {NUMBER_SIZE, 1, UINT64_MAX / 2, 0},
		 live ? live_bytes : 0,
		 &options->max_bytes,
		 &options->lowered.max_bytes},
		{"-s/--snapshot-length",
		 "TARCAP_MAX_SNAPLEN",
		 {NUMBER_COUNT, 1, SNAPLEN_MAX, 0},
		 SNAPLEN_MAX,
		 &options->snaplen,
		 &options->lowered.snaplen},
	};

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		if (apply(&limits[i], live, err) < 0)
			return -1;
	}
	if (options->snaplen == 0)
		options->snaplen = SNAPLEN_MAX;
	return apply_memory(options, err);
}
