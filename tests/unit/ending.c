/* ending.c: the table by itself, cell by cell, and what a signal, a limit and a reader come to by the clock. */
#include "unit.h"

#include <signal.h>
#include <string.h>

#include "run/ending.h"

#define START (100 * CLOCK_SECOND)
#define MS (CLOCK_SECOND / 1000)

/*
 * What each event does in each stage, as somebody would draw it: the next stage by its letter, and behind it D disarm,
 * C close, d drop, f forgive, ! cut, = the cause is this. A dot: nothing.
 */
static const char letters[STAGES + 1] = "?CDFLO";
static const char *const drawn[EVENTS][STAGES - 1] = {
	/*                       capture  drain    flush  linger over */
	[EVENT_CAUSE] = {"D=D", ".", ".", ".", "."},
	[EVENT_LIMIT] = {"F=DC", "F=C", ".", ".", "."},
	[EVENT_SIGNAL] = {"D=D", ".", ".", "O", "."},
	[EVENT_SIGNAL_AGAIN] = {"ODCf!", "OCf!", "O!", "O", "."},
	[EVENT_SIGNAL_DROP] = {"D=D", "FCd", "Fd", "O", "."},
	[EVENT_DRAINED] = {".", "FC", ".", ".", "."},
	[EVENT_LATE] = {".", "FCd", "Fd", ".", "."},
	[EVENT_TOO_LATE] = {".", "OCf!", "O!", ".", "."},
	[EVENT_STALLED] = {"ODCf!", "OCf!", "O!", ".", "."},
	[EVENT_NO_READER] = {"ODCf!", "OCf!", "O!", ".", "."},
	[EVENT_READER_GONE] = {"ODCf!", "OCf!", "O!", "O", "."},
	[EVENT_FAILED] = {"ODCf!", "OCf!", "O!", ".", "."},
	[EVENT_CUT_BACK] = {".", ".", "F=", ".", "."},
	[EVENT_DELIVERED] = {".", ".", "O", ".", "."},
	[EVENT_TAKEN_BEHIND] = {".", ".", "L", ".", "."},
	[EVENT_LINGERED] = {".", ".", ".", "O", "."},
};

static unsigned actions_of(const char *cell)
{
	static const struct {
		char letter;
		unsigned action;
	} actions[] = {
		{'D', ENDING_DISARM},  {'C', ENDING_CLOSE}, {'d', ENDING_DROP},
		{'f', ENDING_FORGIVE}, {'!', ENDING_CUT},   {'=', ENDING_CAUSE},
	};
	unsigned sum = 0;

	for (size_t i = 0; i < sizeof(actions) / sizeof(*actions); i++)
		sum |= strchr(cell + 1, actions[i].letter) ? actions[i].action : 0;
	return sum;
}

static void every_event_in_every_stage(void **state)
{
	(void)state;
	for (enum ending_stage stage = STAGE_CAPTURE; stage < STAGES; stage++) {
		for (enum ending_event event = 0; event < EVENTS; event++) {
			const char *cell = drawn[event][stage - 1];
			struct ending_transition found = ending_transition(stage, event);
			char next = letters[stage];

			if (*cell != '.')
				next = *cell;
			if (letters[found.next] != next || found.actions != actions_of(cell))
				fail_msg("event %u in stage %c: to %c with %u, and not %c with %u", event,
					 letters[stage], letters[found.next], found.actions, next, actions_of(cell));
		}
	}
}

static struct ending begun(bool ring, uint64_t duration)
{
	struct ending ending;

	ending_init(&ending, ring, duration, START);
	return ending;
}

/* What has been done on a way of events, each of which may come at any time. */
struct way {
	unsigned disarmed, closed, cut;
};

static void step(struct ending *ending, struct way *way, enum ending_event event)
{
	enum ending_stage before = ending->stage;
	unsigned actions = ending_by_event(ending, event, START);

	way->disarmed += !!(actions & ENDING_DISARM);
	way->closed += !!(actions & ENDING_CLOSE);
	way->cut += !!(actions & ENDING_CUT);
	assert_true(ending->stage >= before); /* never back */
	assert_int_equal(way->disarmed, ending->stage > STAGE_CAPTURE);
	assert_int_equal(way->closed, ending->stage > STAGE_DRAIN); /* once, and before anything is over */
	assert_true(way->cut <= 1);
	assert_true(!way->cut || (ending->stage == STAGE_OVER && ending->status != STATUS_OK));
	assert_true(!(actions & ENDING_DROP) || ending->stage == STAGE_FLUSH); /* what is counted, and will not leave */
}

/* All ways of four events: each is a number of four digits. */
static void the_account_is_closed_once_on_every_way(void **state)
{
	(void)state;
	for (unsigned number = 0; number < 2U * EVENTS * EVENTS * EVENTS * EVENTS; number++) {
		struct ending ending = begun(number % 2, 0);
		struct way way = {0};

		for (unsigned left = number / 2, steps = 0; steps < 4; steps++, left /= EVENTS)
			step(&ending, &way, (enum ending_event)(left % EVENTS));
	}
}

/* A file has no ring that could be emptied. */
static void a_file_never_drains(void **state)
{
	struct ending ending = begun(false, 0);
	(void)state;

	assert_int_equal(ending_by_cause(&ending, CAUSE_END_OF_FILE, NULL, START),
			 ENDING_CAUSE | ENDING_DISARM | ENDING_CLOSE);
	assert_int_equal(ending.stage, STAGE_FLUSH);
	assert_int_equal(ending.cause, CAUSE_END_OF_FILE);
}

static void each_cause_drains_or_closes_at_once(void **state)
{
	(void)state;
	for (enum cause cause = CAUSE_COUNT; cause <= CAUSE_EVENT; cause++) {
		bool at_once = cause == CAUSE_COUNT || cause == CAUSE_BYTES || cause == CAUSE_SEGMENTS ||
			       cause == CAUSE_OUTPUT_FAILED;
		struct ending ending = begun(true, 0);
		unsigned actions = ending_by_cause(&ending, cause, NULL, START);

		assert_int_equal(ending.cause, cause);
		assert_int_equal(ending.stage, at_once ? STAGE_FLUSH : STAGE_DRAIN);
		assert_int_equal(!!(actions & ENDING_CLOSE), at_once);
	}
}

static void after_a_signal_3_s_drop_and_5_s_exit(void **state)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	static const char *const names[] = {"SIGINT", "SIGTERM", "SIGHUP"};
	(void)state;

	for (size_t i = 0; i < 3; i++) {
		struct ending ending = begun(true, 0);

		assert_int_equal(ending_signal_due(&ending, START), 0);
		assert_int_equal(ending_by_signal(&ending, signals[i], START), ENDING_CAUSE | ENDING_DISARM);
		assert_int_equal(ending.cause, CAUSE_SIGNAL);
		assert_string_equal(ending.detail, names[i]);
		assert_int_equal(ending_signal_due(&ending, START), START + 3 * CLOCK_SECOND);
		assert_false(ending_is_late(&ending, START + 3 * CLOCK_SECOND - 1));
		assert_true(ending_is_late(&ending, START + 3 * CLOCK_SECOND));
		assert_int_equal(ending_signal_due(&ending, START + 3 * CLOCK_SECOND), START + 5 * CLOCK_SECOND);
		assert_false(ending_is_too_late(&ending, START + 5 * CLOCK_SECOND - 1));
		assert_true(ending_is_too_late(&ending, START + 5 * CLOCK_SECOND));
		/* Dropped so that the manifest arrives: it is no cut yet. */
		assert_int_equal(ending_by_event(&ending, EVENT_LATE, START), ENDING_CLOSE | ENDING_DROP);
		assert_int_equal(ending.status, STATUS_OK);
		assert_int_equal(ending_by_event(&ending, EVENT_TOO_LATE, START), ENDING_CUT);
		assert_int_equal(ending.status, STATUS_READER);
		assert_string_equal(ending.why, "the reader did not take everything within 5 s of the signal");
	}
}

/* Whoever asked for packets up to a limit gets them: the reader may take its time, as long as it takes something. */
static void after_a_limit_only_a_stall_ends_it(void **state)
{
	struct ending ending = begun(true, 0);
	struct ending_reader reader = {.waits = true, .progress_at = START + 50 * CLOCK_SECOND};
	(void)state;

	assert_true(ending_by_cause(&ending, CAUSE_COUNT, NULL, START) & ENDING_CLOSE);
	assert_int_equal(ending_signal_due(&ending, START + 60 * CLOCK_SECOND), 0);
	assert_false(ending_is_late(&ending, START + 60 * CLOCK_SECOND));
	assert_false(ending_is_too_late(&ending, START + 60 * CLOCK_SECOND));
	assert_int_equal(ending_stall_at(&ending, &reader, 30 * CLOCK_SECOND), START + 80 * CLOCK_SECOND);
	assert_int_equal(ending_stall_at(&ending, &reader, 0), 0);
	reader.waits = false;
	assert_int_equal(ending_stall_at(&ending, &reader, 30 * CLOCK_SECOND), 0);
	/* But a signal's time begins with the signal, whatever came before it; the cause stays. */
	assert_int_equal(ending_by_signal(&ending, SIGTERM, START + 60 * CLOCK_SECOND), 0);
	assert_int_equal(ending_signal_due(&ending, START + 60 * CLOCK_SECOND), START + 63 * CLOCK_SECOND);
	assert_int_equal(ending.cause, CAUSE_COUNT);
	assert_string_equal(ending.detail, "");
}

static void a_second_signal_ends_it_at_once(void **state)
{
	struct ending ending = begun(true, 0);
	(void)state;

	assert_true(ending_by_signal(&ending, SIGINT, START) & ENDING_DISARM);
	assert_int_equal(ending_by_signal(&ending, SIGTERM, START + 1), ENDING_CLOSE | ENDING_FORGIVE | ENDING_CUT);
	assert_int_equal(ending.stage, STAGE_OVER);
	assert_int_equal(ending.status, STATUS_READER);
	assert_string_equal(ending.why, "ended by a second signal");
	assert_string_equal(ending.detail, "SIGINT");
	assert_int_equal(ending_by_signal(&ending, SIGTERM, START + 2), 0);
}

/* What it has may take long to send. */
static void a_recorders_first_signal_has_no_deadline_and_its_second_has(void **state)
{
	struct ending ending = begun(true, 0);
	(void)state;

	ending.records = true;
	assert_int_equal(ending_by_signal(&ending, SIGTERM, START), ENDING_CAUSE | ENDING_DISARM);
	assert_int_equal(ending_by_event(&ending, EVENT_DRAINED, START), ENDING_CLOSE);
	assert_int_equal(ending_signal_due(&ending, START), 0);
	assert_false(ending_is_too_late(&ending, START + 3600 * CLOCK_SECOND));
	assert_int_equal(ending_by_signal(&ending, SIGTERM, START + 10 * CLOCK_SECOND), ENDING_DROP);
	assert_int_equal(ending.stage, STAGE_FLUSH);
	assert_int_equal(ending_signal_due(&ending, START + 10 * CLOCK_SECOND), START + 13 * CLOCK_SECOND);
	assert_true(ending_is_too_late(&ending, START + 15 * CLOCK_SECOND));
	assert_int_equal(ending_by_signal(&ending, SIGTERM, START + 11 * CLOCK_SECOND), ENDING_CUT);
	assert_int_equal(ending.stage, STAGE_OVER);
	assert_string_equal(ending.why, "ended by a third signal");
}

static void an_event_ends_it_after_a_while_unless_it_ends_before(void **state)
{
	struct ending ending = begun(true, 3600 * CLOCK_SECOND);
	(void)state;

	ending_after_event(&ending, "reset", 10 * CLOCK_SECOND, START + CLOCK_SECOND);
	assert_int_equal(ending_by_duration(&ending, START + 11 * CLOCK_SECOND - 1), 0);
	assert_int_equal(ending_by_duration(&ending, START + 11 * CLOCK_SECOND), ENDING_CAUSE | ENDING_DISARM);
	assert_int_equal(ending.cause, CAUSE_EVENT);
	assert_string_equal(ending.detail, "reset");

	ending = begun(true, 5 * CLOCK_SECOND);
	ending_after_event(&ending, "reset", 10 * CLOCK_SECOND, START);
	assert_true(ending_by_duration(&ending, START + 5 * CLOCK_SECOND));
	assert_int_equal(ending.cause, CAUSE_DURATION);
}

/* All has left: nothing is cut by one, and nothing is failed. */
static void a_signal_while_it_lingers_ends_it_well(void **state)
{
	struct account account = {.written = 1};
	struct ending ending = begun(true, 0);
	(void)state;

	assert_true(ending_by_cause(&ending, CAUSE_COUNT, NULL, START));
	assert_int_equal(ending_by_event(&ending, EVENT_TAKEN_BEHIND, START + 1), 0);
	assert_int_equal(ending.linger_until, START + 1 + CLOCK_SECOND);
	assert_int_equal(ending_by_signal(&ending, SIGTERM, START + 2), 0);
	assert_int_equal(ending.stage, STAGE_OVER);
	assert_int_equal(ending_status(&ending, &account), STATUS_OK);
}

static void a_limit_in_the_ring_holds_and_a_second_cause_does_not(void **state)
{
	struct ending ending = begun(true, 0);
	(void)state;

	assert_true(ending_by_signal(&ending, SIGTERM, START));
	assert_int_equal(ending_by_cause(&ending, CAUSE_STDIN_CLOSED, NULL, START), 0);
	assert_int_equal(ending.cause, CAUSE_SIGNAL);
	assert_int_equal(ending_by_cause(&ending, CAUSE_COUNT, NULL, START), ENDING_CAUSE | ENDING_CLOSE);
	assert_int_equal(ending.cause, CAUSE_COUNT);
	assert_string_equal(ending.detail, ""); /* the signal was not what ended it */
	assert_int_equal(ending_by_cause(&ending, CAUSE_BYTES, NULL, START), 0);
	assert_int_equal(ending.cause, CAUSE_COUNT);
}

static void duration_counts_from_the_start_and_60_s_without_stdin(void **state)
{
	struct ending ending = begun(true, 10 * CLOCK_SECOND);
	(void)state;

	ending_without_stdin(&ending, false); /* it ends earlier */
	assert_int_equal(ending.ends_at, START + 10 * CLOCK_SECOND);
	assert_int_equal(ending_by_duration(&ending, START + 10 * CLOCK_SECOND - 1), 0);
	assert_true(ending_by_duration(&ending, START + 10 * CLOCK_SECOND));
	assert_int_equal(ending.cause, CAUSE_DURATION);
	assert_string_equal(ending.detail, "");
	assert_int_equal(ending_by_duration(&ending, START + 11 * CLOCK_SECOND), 0);

	ending = begun(true, 3600 * CLOCK_SECOND);
	ending_without_stdin(&ending, true); /* somebody chose it */
	assert_int_equal(ending.ends_at, START + 3600 * CLOCK_SECOND);
	ending_without_stdin(&ending, false);
	assert_int_equal(ending.ends_at, START + 60 * CLOCK_SECOND);
	assert_true(ending_by_duration(&ending, START + 60 * CLOCK_SECOND));
	assert_string_equal(ending.detail, "60 s without stdin");

	ending = begun(false, 10 * CLOCK_SECOND); /* a file's clock is its packets' */
	ending_without_stdin(&ending, false);
	assert_int_equal(ending.ends_at, 0);
}

static void after_stdin_closed_5_s_of_stall_suffice(void **state)
{
	const struct ending_reader reader = {.waits = true, .progress_at = START};
	struct ending ending = begun(true, 0);
	(void)state;

	assert_true(ending_by_cause(&ending, CAUSE_STDIN_CLOSED, NULL, START));
	assert_int_equal(ending_stall_at(&ending, &reader, 30 * CLOCK_SECOND), START + 5 * CLOCK_SECOND);
	assert_int_equal(ending_stall_at(&ending, &reader, 0), START + 5 * CLOCK_SECOND);
	assert_int_equal(ending_stall_at(&ending, &reader, 2 * CLOCK_SECOND), START + 2 * CLOCK_SECOND);
}

/* A capture waits for its reader until it has ended; a file, which may have no end, from the start. */
static void a_reader_that_never_comes(void **state)
{
	const struct ending_reader reader = {.awaited = true};
	struct ending ending = begun(true, 0), file = begun(false, 0);
	(void)state;

	assert_int_equal(ending_stall_at(&ending, &reader, CLOCK_SECOND), 0);
	assert_true(ending_by_cause(&ending, CAUSE_COUNT, NULL, START + CLOCK_SECOND));
	assert_int_equal(ending_stall_at(&ending, &reader, CLOCK_SECOND), START + 2 * CLOCK_SECOND);
	assert_int_equal(ending_stall_at(&file, &reader, CLOCK_SECOND), START + CLOCK_SECOND);
	assert_int_equal(ending_stall_at(&file, &reader, 0), 0);
}

/* 2.5 times what the kernel may keep a block for. */
static void the_ring_is_quiet_after_250_ms(void **state)
{
	struct ending ending = begun(true, 0);
	(void)state;

	assert_true(ending_by_cause(&ending, CAUSE_DURATION, NULL, START));
	assert_false(ending_is_quiet(&ending, START + 250 * MS - 1));
	assert_true(ending_is_quiet(&ending, START + 250 * MS));
	ending_not_quiet(&ending, START + 200 * MS);
	assert_false(ending_is_quiet(&ending, START + 450 * MS - 1));
	assert_true(ending_is_quiet(&ending, START + 450 * MS));
}

static void an_output_that_failed_and_was_cut_back(void **state)
{
	struct ending ending = begun(true, 0);
	(void)state;

	assert_true(ending_by_signal(&ending, SIGINT, START));
	assert_true(ending_by_event(&ending, EVENT_DRAINED, START) & ENDING_CLOSE);
	assert_int_equal(ending_by_cause(&ending, CAUSE_OUTPUT_FAILED, NULL, START), 0);
	assert_int_equal(ending_cut_back(&ending, "No space left on device", START), ENDING_CAUSE);
	assert_int_equal(ending.cause, CAUSE_OUTPUT_FAILED);
	assert_string_equal(ending.detail, "No space left on device");
	assert_int_equal(ending_by_event(&ending, EVENT_FAILED, START), ENDING_CUT);
	assert_int_equal(ending.status, STATUS_FAILED);
	assert_null(ending.why); /* the error says it */
}

static void what_it_was_as_a_status(void **state)
{
	const struct account nothing = {0}, some = {.written = 1}, dropped = {.written = 1, .dropped_at_stop = 1};
	struct ending ending = {.stage = STAGE_OVER};
	(void)state;

	assert_int_equal(ending_status(&ending, &some), STATUS_OK);
	assert_int_equal(ending_status(&ending, &nothing), STATUS_OK);
	assert_int_equal(ending_status(&ending, &dropped), STATUS_READER);
	ending.cause = CAUSE_INTERFACE_GONE;
	assert_int_equal(ending_status(&ending, &some), STATUS_OK);
	assert_int_equal(ending_status(&ending, &nothing), STATUS_SURROUNDINGS);
	ending.cause = CAUSE_FEEDBACK;
	assert_int_equal(ending_status(&ending, &dropped), STATUS_SURROUNDINGS);
	ending.status = STATUS_READER;
	assert_int_equal(ending_status(&ending, &some), STATUS_READER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_event_in_every_stage),
		cmocka_unit_test(the_account_is_closed_once_on_every_way),
		cmocka_unit_test(a_file_never_drains),
		cmocka_unit_test(each_cause_drains_or_closes_at_once),
		cmocka_unit_test(after_a_signal_3_s_drop_and_5_s_exit),
		cmocka_unit_test(after_a_limit_only_a_stall_ends_it),
		cmocka_unit_test(a_second_signal_ends_it_at_once),
		cmocka_unit_test(a_recorders_first_signal_has_no_deadline_and_its_second_has),
		cmocka_unit_test(an_event_ends_it_after_a_while_unless_it_ends_before),
		cmocka_unit_test(a_signal_while_it_lingers_ends_it_well),
		cmocka_unit_test(a_limit_in_the_ring_holds_and_a_second_cause_does_not),
		cmocka_unit_test(duration_counts_from_the_start_and_60_s_without_stdin),
		cmocka_unit_test(after_stdin_closed_5_s_of_stall_suffice),
		cmocka_unit_test(a_reader_that_never_comes),
		cmocka_unit_test(the_ring_is_quiet_after_250_ms),
		cmocka_unit_test(an_output_that_failed_and_was_cut_back),
		cmocka_unit_test(what_it_was_as_a_status),
	};

	return cmocka_run_group_tests_name("ending", tests, NULL, NULL);
}
