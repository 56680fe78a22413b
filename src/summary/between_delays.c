#include <stdlib.h>

#include "summary/between_parts.h"

#define ROUND_SOME 32 /* delays of each way that are put together */

static int by_size(const void *left, const void *right)
{
	const int64_t *a = left, *b = right;

	return *a < *b ? -1 : *a > *b;
}

static struct between_delay delay_of(int64_t *list, size_t count)
{
	struct between_delay delay = {.count = count};

	if (count == 0)
		return delay;
	qsort(list, count, sizeof(list[0]), by_size);
	delay.p50 = list[(count - 1) / 2];
	delay.p99 = list[(count * 99 + 99) / 100 - 1];
	return delay;
}

/* Of a direction, in ns from where it comes by first to the other. */
static size_t corrected_delays(const struct betweens *betweens, const struct between *between,
			       const struct pairing_link *link, int side, bool at_a, int64_t list[PAIRING_SAMPLES])
{
	size_t count = pairing_delays(betweens->pairing, link, side, list);

	for (size_t i = 0; i < count; i++)
		list[i] = at_a ? list[i] - between->offset : between->offset - list[i];
	return count;
}

/* A part of a sorted list that has its shape. */
static size_t some_of(int64_t *list, size_t count)
{
	if (count)
		qsort(list, count, sizeof(list[0]), by_size);
	if (count <= ROUND_SOME)
		return count;
	for (size_t i = 0; i < ROUND_SOME; i++)
		list[i] = list[i * (count - 1) / (ROUND_SOME - 1)];
	return ROUND_SOME;
}

/* Of each delay there with each back: what one clock has more, the other has less. */
static struct between_delay round_of(struct betweens *betweens, const struct pairing_link *link, int first)
{
	int64_t list[2][PAIRING_SAMPLES], *sums = betweens->scratch;
	size_t counts[2], sum = 0, samples;
	struct between_delay delay;

	for (int side = 0; side < 2; side++)
		counts[side] = pairing_delays(betweens->pairing, link, side, list[side]);
	samples = counts[0] < counts[1] ? counts[0] : counts[1];
	for (int side = 0; side < 2; side++)
		counts[side] = some_of(list[side], counts[side]);
	for (size_t i = 0; i < counts[0]; i++) {
		for (size_t k = 0; k < counts[1]; k++)
			sums[sum++] = first ? list[1][k] - list[0][i] : list[0][i] - list[1][k];
	}
	delay = delay_of(sums, sum);
	delay.count = samples;
	return delay;
}

void between_measure(struct betweens *betweens, struct between *between, uint32_t number, int first)
{
	const struct pairing_link *link = pairing_link_at(betweens->pairing, number);
	struct between_connection connection = {.link = number};
	int64_t list[PAIRING_SAMPLES];

	for (int side = 0; side < 2 && first >= 0 && between->offset_known; side++)
		connection.way[side] =
			delay_of(list, corrected_delays(betweens, between, link, side, side == first, list));
	if (first >= 0)
		connection.round = round_of(betweens, link, first);
	if (betweens->connection_count == BETWEEN_CONNECTIONS)
		return;
	betweens->connections[betweens->connection_count++] = connection;
	between->connection_count++;
}

/* Of connections' medians: one that sends much is as good as any. */
static size_t medians_of(struct betweens *betweens, const struct between *between, int way)
{
	size_t count = 0;

	for (size_t i = 0; i < between->connection_count; i++) {
		const struct between_connection *connection = &betweens->connections[between->connection + i];
		int first = between_first_at_a(betweens, pairing_link_at(betweens->pairing, connection->link));

		if (first >= 0 && connection->way[way ? !first : first].count)
			betweens->scratch[count++] = connection->way[way ? !first : first].p50;
	}
	return count;
}

void between_delays(struct betweens *betweens, struct between *between)
{
	_Static_assert(BETWEEN_CONNECTIONS <= BETWEEN_SCRATCH && ROUND_SOME * ROUND_SOME <= BETWEEN_SCRATCH, "room");
	for (int way = 0; way < 2; way++)
		between->way[way] = delay_of(betweens->scratch, medians_of(betweens, between, way));
}
