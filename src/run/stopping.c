#include "run/stopping.h"

#include <inttypes.h>

#include "run/idle.h"
#include "run/losses.h"
#include "run/run.h"
#include "run/say.h"

/* The counters of each interface at the end of a raw stream. */
static void put_trailer(struct run *run)
{
	struct delivery *delivery = run->delivery;

	for (unsigned i = 0; i < run->captures->count; i++) {
		struct pcapng_statistics statistics;

		ledger_statistics(&run->captures->list[i].ledger, &statistics);
		delivery->trailer_size +=
			pcapng_put_statistics(delivery->trailer + delivery->trailer_size, i, &statistics);
	}
}

static void close_account(struct run *run)
{
	const struct ending *ending = &run->ending;

	idle_end(run->parts->idle, run->captures);
	segments_seal(run->segments);
	losses_all_sealed(run->captures, run->now);
	for (unsigned i = 0; i < run->captures->count; i++) {
		struct ledger *ledger = &run->captures->list[i].ledger;

		(void)ledger_hold(ledger, false);
		ledger_close(ledger, ending->cause);
	}
	if (run->recorder)
		recorder_close(run->recorder);
	if (run->options->raw && run->options->format == FORMAT_PCAPNG)
		put_trailer(run);
	deliver_finish(run->delivery, ending->cause, ending->detail[0] ? ending->detail : NULL);
}

static void forgive(struct run *run)
{
	for (unsigned i = 0; i < run->captures->count; i++)
		run->captures->list[i].account.dropped_at_stop = 0;
}

static void say_cut(const struct run *run)
{
	const struct encrypt_members complete = deliver_complete(run->delivery);
	const char *why = run->ending.why;

	if (!why)
		return;
	if (run->options->raw)
		say("%s: %" PRIu64 " packets were delivered", why, complete.packets);
	else
		say("%s: the archive is cut; %" PRIu64 " packets in %" PRIu64 " complete files were delivered", why,
		    complete.packets, complete.files);
}

void stopping_do(struct run *run, unsigned actions)
{
	if (actions & ENDING_DISARM)
		capture_set_disarm(run->captures);
	if (actions & ENDING_CLOSE)
		close_account(run);
	if (actions & ENDING_DROP) {
		deliver_drop(run->delivery);
		losses_take_back(run->captures, CAUSE_NONE);
	}
	if (actions & ENDING_FORGIVE)
		forgive(run);
	if (actions & ENDING_CUT)
		say_cut(run);
}

void stop(struct run *run, enum cause cause)
{
	stopping_do(run, ending_by_cause(&run->ending, cause, NULL, run->now));
}

void stop_by(struct run *run, enum ending_event event)
{
	stopping_do(run, ending_by_event(&run->ending, event, run->now));
}
