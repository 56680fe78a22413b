#include "run/until.h"

#include "record/look.h"
#include "run/losses.h"
#include "run/report.h"
#include "run/run.h"

void until_begin(struct run *run)
{
	run->waiting = (struct waiting){.silence = look_silence(run->options)};
}

/* All that have come and passed the filter, as far as that is known: those that were dropped are no silence. */
static uint64_t packets_so_far(const struct run *run)
{
	const struct capture_set_sum sum = capture_set_sum(run->captures);
	uint64_t rejected = 0;

	for (unsigned i = 0; i < run->captures->count; i++)
		rejected += run->captures->list[i].capture.rejected;
	return sum.read + sum.dropped + sum.in_ring - rejected;
}

/* What lies in the rings has come, too: the kernel is asked before it is called silence. */
static void look_for_silence(struct run *run)
{
	struct waiting *waiting = &run->waiting;
	uint64_t duration = run->options->until[waiting->silence].duration, packets;

	if (waiting->silent_at && run->now >= waiting->silent_at)
		losses_count(run->captures);
	packets = packets_so_far(run);
	if (packets != waiting->packets) {
		waiting->packets = packets;
		waiting->silent_at = run->now + duration;
	} else if (waiting->silent_at && run->now >= waiting->silent_at) {
		waiting->silent_at = 0;
		look_note(&run->captures->event, run->options, (unsigned)waiting->silence, clock_real());
	}
}

void until_look(struct run *run)
{
	const struct capture_event *event = &run->captures->event;
	struct waiting *waiting = &run->waiting;
	bool capturing = run->ending.stage == STAGE_CAPTURE;

	if (waiting->silence >= 0 && capturing && !run_reads_file(run))
		look_for_silence(run);
	if (!event->count || waiting->said)
		return;
	waiting->said = true;
	if (capturing && !run_reads_file(run))
		ending_after_event(&run->ending, event->what, run->options->after, run->now);
	report_event(event, run->options, capturing);
}

uint64_t until_due(const struct run *run)
{
	return run->ending.stage == STAGE_CAPTURE ? run->waiting.silent_at : 0;
}
