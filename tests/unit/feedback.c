/* feedback.c against a wire that is computed, millisecond by millisecond. Its packets have one byte each. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "run/feedback.h"

#define MS (CLOCK_SECOND / 1000)
#define MB UINT64_C(1000000)
#define DELAY_MAX 1000

/* When it starts: what it takes for chance comes from that. */
static uint64_t start = CLOCK_SECOND;

/* What one millisecond brings by itself, in bytes; and how much of what is sent comes back, how late, how fast. */
struct wire {
	uint64_t (*load)(uint64_t ms, unsigned kind);
	unsigned kind;
	double returns;
	unsigned delay;	     /* ms */
	uint64_t way_out;    /* bytes a millisecond */
	uint64_t seed_bytes; /* that go round from the start */
};

struct outcome {
	uint64_t proven_at; /* ms; 0: never */
	uint64_t held;	    /* ms */
	uint64_t most_held; /* bytes in the ring at the end of a hold */
};

static struct outcome watch(const struct wire *wire, unsigned milliseconds, uint64_t ring)
{
	static uint64_t way_back[DELAY_MAX];
	struct outcome outcome = {0};
	struct feedback feedback;
	struct feedback_counters counters = {0};
	uint64_t waiting = wire->seed_bytes, in_ring = 0;
	enum feedback_verdict verdict = FEEDBACK_GO;

	for (unsigned i = 0; i < DELAY_MAX; i++)
		way_back[i] = 0;
	feedback_init(&feedback, ring, start);
	for (uint64_t ms = 1; ms <= milliseconds; ms++) {
		uint64_t now = start + ms * MS;
		uint64_t came = wire->load(ms, wire->kind) + way_back[ms % DELAY_MAX];
		uint64_t sent = 0;

		way_back[ms % DELAY_MAX] = 0;
		in_ring += came;
		if (verdict == FEEDBACK_KEEP) {
			outcome.held++;
			outcome.most_held = in_ring > outcome.most_held ? in_ring : outcome.most_held;
		} else {
			waiting += in_ring;
			while (in_ring > 0) {
				uint64_t most = feedback_read_at_most(&feedback, counters.read);
				uint64_t n = most && most < in_ring ? most : in_ring;

				counters.captured += n;
				counters.read += n;
				in_ring -= n;
				feedback_weigh(&feedback, counters.read, counters.captured);
			}
			sent = waiting < wire->way_out ? waiting : wire->way_out;
			waiting -= sent;
			counters.sent += sent;
		}
		way_back[(ms + wire->delay) % DELAY_MAX] += (uint64_t)((double)sent * wire->returns);
		if (now < feedback_due(&feedback))
			continue;
		counters.accepted = counters.captured + in_ring;
		counters.filled = in_ring;
		/* What is weighed may be judged at once; after that it has to wait for something. */
		for (unsigned looks = 0; verdict != FEEDBACK_PROVEN && now >= feedback_due(&feedback); looks++) {
			assert_true(looks < 3);
			verdict = feedback_look(&feedback, now, &counters);
		}
		if (verdict == FEEDBACK_PROVEN) {
			outcome.proven_at = ms;
			return outcome;
		}
	}
	return outcome;
}

static uint64_t silence(uint64_t ms, unsigned kind)
{
	(void)ms, (void)kind;
	return 0;
}

static uint64_t steady(uint64_t ms, unsigned kind)
{
	(void)ms;
	return kind * MB / 1000;
}

/* From nothing to 500 MB/s within kind milliseconds. */
static uint64_t ramp(uint64_t ms, unsigned kind)
{
	return ms < kind ? 500 * MB / 1000 * ms / kind : 500 * MB / 1000;
}

/* 100 MB/s: kind/2 ms on, kind/2 ms off */
static uint64_t blocks(uint64_t ms, unsigned kind)
{
	return ms % kind < kind / 2 ? 100 * MB / 1000 : 0;
}

/* 200 MB/s for kind / 10000 ms, then nothing for kind % 10000 ms. */
static uint64_t bursts(uint64_t ms, unsigned kind)
{
	unsigned on = kind / 10000, off = kind % 10000;

	return ms % (on + off) < on ? 200 * MB / 1000 : 0;
}

/* 100 MB/s or nothing, for kind to 9 * kind ms each */
static uint64_t random_blocks(uint64_t ms, unsigned kind)
{
	static uint64_t until;
	static bool on;

	if (ms == 1)
		until = 0;
	if (ms >= until) {
		on = !on;
		until = ms + kind * (1 + (uint64_t)random() % 9);
	}
	return on ? 100 * MB / 1000 : 0;
}

#define RING (UINT64_C(32) << 20)

static void test_feedback_is_found(void **state)
{
	static const uint64_t speeds[] = {20, 100, 500, 1000};
	static const double returns[] = {1.0, 1.02, 1.05, 2.0};
	static const unsigned delays[] = {1, 5, 20};
	(void)state;

	for (size_t s = 0; s < 4; s++) {
		for (size_t r = 0; r < 4; r++) {
			for (size_t d = 0; d < 3; d++) {
				struct wire wire = {silence, 0, returns[r], delays[d], speeds[s] * MB / 1000, 40 * MB};
				struct outcome outcome;

				/* More on its way than the ring may take: left to the limits. */
				if (speeds[s] * MB / 1000 * delays[d] > RING / 8)
					continue;
				outcome = watch(&wire, 10000, RING);
				if (outcome.proven_at == 0 || outcome.proven_at > (speeds[s] < 500 ? 5000 : 800))
					fail_msg("%d MB/s, %f back after %u ms: proven after %d ms", (int)speeds[s],
						 returns[r], delays[d], (int)outcome.proven_at);
			}
		}
	}
}

static void test_feedback_beside_a_load_of_its_own(void **state)
{
	struct wire wire = {steady, 20, 1.0, 5, 500 * MB / 1000, 40 * MB};
	(void)state;

	assert_in_range(watch(&wire, 10000, RING).proven_at, 1, 3000);
}

static void test_a_ramp_is_none(void **state)
{
	static const unsigned lengths[] = {1, 100, 1000, 5000, 30000};
	(void)state;

	for (size_t i = 0; i < 5; i++) {
		struct wire wire = {ramp, lengths[i], 0, 1, 1000 * MB / 1000, 0};
		struct outcome outcome = watch(&wire, 60000, RING);

		assert_int_equal(outcome.proven_at, 0);
		/* What is held back is what the ring can take, for at most a thirtieth of the time. */
		assert_true(outcome.most_held <= RING);
		assert_true(outcome.held < 2000);
	}
}

static void test_blocks_are_none(void **state)
{
	(void)state;
	for (unsigned period = 10; period < 4000; period += period / 7 + 1) {
		struct wire wire = {blocks, period, 0, 1, 1000 * MB / 1000, 0};

		if (watch(&wire, 300000, RING).proven_at)
			fail_msg("blocks of %u ms were taken for feedback", period / 2);
	}
}

/* Trials that began with a burst each time took 50 ms of 150 for feedback in nine captures of ten. */
static void test_bursts_with_a_gap_are_none(void **state)
{
	static const unsigned times[] = {5, 10, 20, 50, 100, 200, 300, 1000};
	unsigned mistakes = 0;
	(void)state;

	srandom(unit_seed(20261127));
	for (unsigned pair = 0; pair < 64; pair++) {
		for (unsigned round = 0; round < 20; round++) {
			struct wire wire = {bursts, times[pair / 8] * 10000 + times[pair % 8], 0, 1, MB, 0};

			start = CLOCK_SECOND + (uint64_t)random();
			mistakes += watch(&wire, 60000, RING).proven_at != 0;
		}
	}
	start = CLOCK_SECOND;
	assert_in_range(mistakes, 0, 2);
}

/* It is a matter of chance: one capture in a thousand of five minutes each may be ended by mistake. */
static void test_random_blocks_are_none(void **state)
{
	unsigned seed = unit_seed(20261122), mistakes = 0;
	(void)state;

	printf("seed %u\n", seed);
	srandom(seed);
	for (unsigned round = 0; round < 300; round++) {
		struct wire wire = {random_blocks, 5 + round, 0, 1, 1000 * MB / 1000, 0};

		mistakes += watch(&wire, 300000, RING).proven_at != 0;
	}
	assert_in_range(mistakes, 0, 1);
}

static void test_little_is_left_to_the_limits(void **state)
{
	struct wire wire = {steady, 1, 1.0, 5, 4 * MB / 1000, 0};
	(void)state;

	assert_int_equal(watch(&wire, 60000, RING).held, 0);
}

/* The reader does not keep up: what leaves says nothing about what comes. */
static void test_slow_reader_is_not_tried(void **state)
{
	struct wire wire = {steady, 100, 0, 1, 10 * MB / 1000, 0};
	(void)state;

	assert_int_equal(watch(&wire, 60000, RING).held, 0);
}

/* A feedback that holds, after a load that it has reason to try. */
static struct feedback_counters hold(struct feedback *feedback)
{
	struct feedback_counters counters = {0};
	uint64_t now = CLOCK_SECOND;

	feedback_init(feedback, RING, now);
	for (unsigned ms = 0; ms < 1000 && feedback->stage != FEEDBACK_HOLD; ms++) {
		now += MS;
		counters.captured += 8 * MB / 1000;
		counters.sent = counters.captured;
		counters.accepted = counters.read += 5;
		if (now >= feedback_due(feedback))
			(void)feedback_look(feedback, now, &counters);
	}
	assert_int_equal(feedback->stage, FEEDBACK_HOLD);
	return counters;
}

/* Large packets after small ones: few of them fill the ring, and their number tells nothing. */
static void test_a_ring_that_fills_ends_the_trial(void **state)
{
	struct feedback feedback;
	struct feedback_counters counters = hold(&feedback);
	(void)state;

	counters.accepted += 10;
	counters.filled = RING / 4;
	assert_int_equal(feedback_look(&feedback, feedback_due(&feedback), &counters), FEEDBACK_KEEP);
	counters.accepted += 10;
	counters.filled = RING / 8 * 7;
	assert_int_equal(feedback_look(&feedback, feedback_due(&feedback), &counters), FEEDBACK_GO);
	assert_false(feedback_on_trial(&feedback));
}

static void test_the_first_drop_ends_the_trial(void **state)
{
	struct feedback feedback;
	struct feedback_counters counters = hold(&feedback);
	(void)state;

	counters.accepted += 10;
	assert_int_equal(feedback_look(&feedback, feedback_due(&feedback), &counters), FEEDBACK_KEEP);
	counters.dropped++;
	assert_int_equal(feedback_look(&feedback, feedback_due(&feedback), &counters), FEEDBACK_GO);
	assert_false(feedback_on_trial(&feedback));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_feedback_is_found),
		cmocka_unit_test(test_feedback_beside_a_load_of_its_own),
		cmocka_unit_test(test_a_ramp_is_none),
		cmocka_unit_test(test_blocks_are_none),
		cmocka_unit_test(test_bursts_with_a_gap_are_none),
		cmocka_unit_test(test_random_blocks_are_none),
		cmocka_unit_test(test_little_is_left_to_the_limits),
		cmocka_unit_test(test_slow_reader_is_not_tried),
		cmocka_unit_test(test_a_ring_that_fills_ends_the_trial),
		cmocka_unit_test(test_the_first_drop_ends_the_trial),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
