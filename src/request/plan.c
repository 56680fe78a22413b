#include "request/plan.h"

#include <stdlib.h>

#include "base/packet.h"
#include "format/pcapng.h"
#include "request/number.h"

#define POOL_UNIT (16 * KIB) /* a quarter of which is whole pages */
#define PAGE (4 * KIB)

/* Bytes; not asked: the default, which may be lowered. ring is 0 where there is none, reading a file. */
struct plan {
	uint64_t ring, pool;
	bool ring_asked, pool_asked;
};

static uint64_t round_down(uint64_t size, uint64_t unit)
{
	return size / unit * unit;
}

static uint64_t round_up(uint64_t size, uint64_t unit)
{
	return round_down(size + unit - 1, unit);
}

/* --- a segment, and what goes with it --- */

uint32_t plan_record_most(bool pcapng, uint32_t snaplen)
{
	return pcapng ? pcapng_packet_size(snaplen, PCAPNG_INBOUND) : (uint32_t)sizeof(struct packet_header) + snaplen;
}

uint64_t plan_segment_least(bool pcapng, uint32_t snaplen)
{
	uint64_t around = pcapng ? PCAPNG_FRONT_MAX + PCAPNG_STATISTICS_SIZE : PACKET_FILE_HEADER;

	return around + plan_record_most(pcapng, snaplen);
}

uint64_t plan_compressor(uint64_t segment_size)
{
	return PLAN_COMPRESSOR_CONTEXT + segment_size;
}

/* In whole pages. */
static uint64_t smallest_segment(const struct options *options)
{
	return round_up(plan_segment_least(options->format == FORMAT_PCAPNG, (uint32_t)options->snaplen), PAGE);
}

/* With a pool of so many bytes. */
static uint64_t segment_size(const struct options *options, uint64_t pool)
{
	uint64_t part = pool / PLAN_POOL_SEGMENTS, smallest = smallest_segment(options);
	uint64_t size = options->segment_size	      ? options->segment_size
			: part < PLAN_SEGMENT_DEFAULT ? part
						      : PLAN_SEGMENT_DEFAULT;

	return size < smallest ? smallest : size;
}

/* With segments of this size; 0 where nothing is compressed. */
static uint64_t compressor_of(const struct options *options, uint64_t size)
{
	return options->compression == COMPRESSION_NONE ? 0 : plan_compressor(size);
}

/* What goes with such a pool: the compressor, and the table of --first. */
static uint64_t beside(const struct options *options, uint64_t pool)
{
	return compressor_of(options, segment_size(options, pool)) + options->first_table;
}

/* --- ring and pool --- */

static int no_room(const struct options *options, uint64_t ceiling, struct err *err)
{
	bool ring = options->buffer_kib != OPTIONS_NOT_GIVEN, pool = options->memory != OPTIONS_NOT_GIVEN;
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
	return err_set(err, STATUS_USAGE, "%s %s: it must leave 2M to the %s below the ceiling TARCAP_MAX_MEMORY, %s%s",
		       ring ? "-B/--buffer-size" : "--memory", ring ? text[0] : text[1], ring ? "pool" : "ring",
		       text[2], source);
}

static int no_room_to_record(const struct options *options, uint64_t ceiling, uint64_t others, struct err *err)
{
	const char *source = getenv("TARCAP_MAX_MEMORY") ? "" : " (its default)";
	char text[3][NUMBER_TEXT_SIZE];

	number_format(NUMBER_SIZE, options->record, text[0]);
	number_format(NUMBER_SIZE, ceiling, text[1]);
	if (ceiling < others + PLAN_RECORD_MIN)
		return err_set(
			err, STATUS_USAGE,
			"--record %s: the ceiling TARCAP_MAX_MEMORY, %s%s, has no room for it beside ring and pool",
			text[0], text[1], source);
	number_format(NUMBER_SIZE, round_down(ceiling - others, MIB), text[2]);
	return err_set(err, STATUS_USAGE,
		       "--record %s: allowed is at most %s, which with ring and pool is below the ceiling "
		       "TARCAP_MAX_MEMORY, %s%s",
		       text[0], text[2], text[1], source);
}

/* Is there room beside the least, or what was asked for? What is compressed at once needs no large pool. */
static int check_record(const struct plan *plan, const struct options *options, uint64_t ceiling, struct err *err)
{
	uint64_t ring = !plan->ring ? 0 : plan->ring_asked ? plan->ring : PLAN_RING_MIN;
	uint64_t pool = plan->pool_asked ? plan->pool : PLAN_POOL_MIN;
	uint64_t others = ring + pool + beside(options, pool);
	char text[2][NUMBER_TEXT_SIZE];

	if (!options->record)
		return 0;
	if (pool > PLAN_RECORD_POOL)
		return err_set(err, STATUS_USAGE, "--memory %s: with --record, where nothing waits in it, at most %s",
			       number_format(NUMBER_SIZE, pool, text[0]),
			       number_format(NUMBER_SIZE, PLAN_RECORD_POOL, text[1]));
	return others + options->record > ceiling ? no_room_to_record(options, ceiling, others, err) : 0;
}

/* The largest pool that with what goes with it takes at most so many bytes. */
static uint64_t pool_within(const struct options *options, uint64_t size)
{
	uint64_t pool = round_down(size, POOL_UNIT);

	while (pool > PLAN_POOL_MIN && pool + beside(options, pool) > size)
		pool -= POOL_UNIT;
	return pool < PLAN_POOL_MIN ? PLAN_POOL_MIN : pool;
}

/* For segments of a size that was asked for: plan_segments() refuses less. */
static uint64_t pool_least(const struct options *options)
{
	uint64_t segments = PLAN_POOL_SEGMENTS * options->segment_size;

	return segments > PLAN_POOL_MIN && segments <= PLAN_POOL_DEFAULT ? segments : PLAN_POOL_MIN;
}

static uint64_t at_most(uint64_t size, uint64_t most, uint64_t least)
{
	size = size < most ? size : most;
	return size < least ? least : size;
}

/* Defaults within what the container's limit leaves; what is above it all the same is noted. */
static void confine(struct plan *plan, struct options *options, const struct cgroup_memory *group)
{
	uint64_t taken = PLAN_BESIDE + options->record;
	uint64_t left = group->left > taken ? group->left - taken : 0, before = plan->pool + plan->ring;
	struct confined *confined = &options->confined;

	if (!group->limit)
		return;
	if (!plan->pool_asked)
		plan->pool = at_most(plan->pool, pool_within(options, left), pool_least(options));
	if (!plan->ring_asked && plan->ring)
		plan->ring = at_most(plan->ring, round_down(group->left, PLAN_RING_BLOCK), PLAN_RING_MIN);
	*confined = (struct confined){
		.limit = group->limit,
		.left = left,
		.lowered = (plan->pool + plan->ring < before),
		.pool_above = (plan->pool + beside(options, plan->pool) > left),
		.ring_above = plan->ring > group->left,
	};
}

/* Below the ceiling. */
static int keep_below(struct plan *plan, const struct options *options, uint64_t ceiling, struct err *err)
{
	uint64_t ring_min = !plan->ring ? 0 : plan->ring_asked ? plan->ring : PLAN_RING_MIN;
	uint64_t pool_min = plan->pool_asked ? plan->pool : PLAN_POOL_MIN;
	uint64_t room;

	if (ring_min + pool_min + beside(options, pool_min) > ceiling)
		return no_room(options, ceiling, err);
	room = plan->ring_asked || !plan->ring ? ceiling - plan->ring : ceiling / 3;
	if (!plan->pool_asked)
		plan->pool = pool_within(options, room < plan->pool ? room : plan->pool);
	if (!plan->ring_asked && plan->ring) {
		room = round_down(ceiling - plan->pool - beside(options, plan->pool), PLAN_RING_BLOCK);
		plan->ring = room < plan->ring ? room : plan->ring;
	}
	return 0;
}

int plan_memory(struct options *options, uint64_t ceiling, const struct cgroup_memory *group, struct err *err)
{
	struct plan plan = {
		.ring_asked = options->buffer_kib != OPTIONS_NOT_GIVEN,
		.pool_asked = options->memory != OPTIONS_NOT_GIVEN,
	};

	plan.ring = plan.ring_asked ? options->buffer_kib * KIB : PLAN_RING_DEFAULT;
	plan.pool = plan.pool_asked ? options->memory : options->record ? PLAN_RECORD_POOL : PLAN_POOL_DEFAULT;
	/* libpcap makes whole blocks of it. */
	plan.ring = options->read_file ? 0 : round_up(plan.ring, PLAN_RING_BLOCK);
	options->memory_ceiling = ceiling;
	options->first_table = options->first ? PLAN_FIRST_TABLE : 0;
	if (check_record(&plan, options, ceiling, err) < 0)
		return -1;
	ceiling -= options->record;
	confine(&plan, options, group);
	options->lowered.memory = plan.ring + plan.pool + beside(options, plan.pool) > ceiling;
	if (options->lowered.memory && keep_below(&plan, options, ceiling, err) < 0)
		return -1;
	if (!plan.ring_asked)
		options->buffer_kib = plan.ring / KIB;
	options->memory = plan.pool;
	return 0;
}

/* --- segments within the pool --- */

/* With the --memory that would do, if the ceiling allows it beside the least ring. */
static int refuse_segment_size(const struct options *options, struct err *err)
{
	uint64_t needed = round_up(PLAN_POOL_SEGMENTS * options->segment_size, MIB);
	uint64_t most = options->record ? PLAN_RECORD_POOL : PLAN_POOL_MAX;
	uint64_t ring = options->read_file ? 0 : PLAN_RING_MIN;
	uint64_t others = ring + compressor_of(options, options->segment_size) + options->first_table + options->record;
	char text[5][NUMBER_TEXT_SIZE];

	number_format(NUMBER_SIZE, options->segment_size, text[0]);
	number_format(NUMBER_SIZE, options->memory / PLAN_POOL_SEGMENTS, text[1]);
	number_format(NUMBER_SIZE, needed, text[2]);
	number_format(NUMBER_SIZE, options->memory_ceiling, text[3]);
	if (needed > most || needed + others > options->memory_ceiling)
		return err_set(err, STATUS_USAGE,
			       "-C/--segment-size %s: allowed is at most a quarter of --memory, %s; --memory %s, which "
			       "it takes, "
			       "is above %s, %s",
			       text[0], text[1], text[2],
			       needed > most ? "its own limit" : "the ceiling TARCAP_MAX_MEMORY",
			       needed > most ? number_format(NUMBER_SIZE, most, text[4]) : text[3]);
	return err_set(
		err, STATUS_USAGE,
		"-C/--segment-size %s: allowed is at most a quarter of --memory%s, %s; with --memory %s it works",
		text[0],
		options->lowered.memory	    ? " (lowered by TARCAP_MAX_MEMORY)"
		: options->confined.lowered ? " (lowered by the container's memory limit)"
					    : "",
		text[1], text[2]);
}

int plan_segments(struct options *options, struct err *err)
{
	uint64_t size = segment_size(options, options->memory);
	uint64_t largest = options->memory / PLAN_POOL_SEGMENTS;

	if (options->segment_size > largest)
		return refuse_segment_size(options, err);
	options->segment_by_default = !options->segment_size;
	options->segment_grown = options->segment_size && options->segment_size < size;
	options->segment_size = size;
	options->compressor = compressor_of(options, size);
	return 0;
}

/* --- several interfaces --- */

static uint64_t at_least(uint64_t size, uint64_t least)
{
	return size < least ? least : size;
}

uint64_t plan_segment_share(const struct options *options, unsigned interfaces, uint64_t *largest)
{
	uint64_t share = at_least(round_down(PLAN_SEGMENTS_OPEN / interfaces, PAGE), PLAN_SEGMENT_SHARE);
	uint64_t two_each = round_down(options->memory / (2 * (uint64_t)interfaces), PAGE);

	*largest = options->segment_size;
	if (!options->segment_by_default || interfaces == 1)
		return options->segment_size;
	share = at_least(share < two_each ? share : two_each, PLAN_SEGMENT_SHARE_MIN);
	share = at_least(share, round_up(options->memory / PLAN_POOL_SEGMENTS_MAX, PAGE));
	if (share >= options->segment_size)
		return options->segment_size;
	*largest = at_least(smallest_segment(options), share);
	return share;
}

int plan_ring_share(const struct options *options, unsigned interfaces, uint64_t *share, struct err *err)
{
	char needed[NUMBER_TEXT_SIZE], ceiling[NUMBER_TEXT_SIZE];
	uint64_t total;

	*share = options->buffer_kib * KIB / interfaces;
	if (interfaces == 1)
		return 0;
	*share = round_down(*share, PLAN_RING_BLOCK);
	if (*share >= PLAN_RING_MIN)
		return 0;
	*share = PLAN_RING_MIN;
	total = interfaces * *share + options->memory + options->compressor + options->first_table + options->record;
	if (total <= options->memory_ceiling)
		return 0;
	return err_set(
		err, STATUS_USAGE,
		"-i: %u interfaces need %s of ring and pool, above the ceiling TARCAP_MAX_MEMORY, %s: name fewer, or "
		"-i any, which has one ring",
		interfaces, number_format(NUMBER_SIZE, total, needed),
		number_format(NUMBER_SIZE, options->memory_ceiling, ceiling));
}
