#include "run/sealing.h"

#include "capture/capture.h"
#include "run/losses.h"
#include "run/run.h"
#include "run/stopping.h"

#define BLOCK_TIME (CAPTURE_BLOCK_TIMEOUT * 3 / 2 * (CLOCK_SECOND / 1000)) /* until the kernel hands it over */

void sealing_now(struct run *run, pid_t asker)
{
	if (run->recorder)
		recorder_ask(run->recorder, asker);
	if (run->ending.stage != STAGE_CAPTURE)
		return;
	losses_count(run->captures);
	segments_seal(run->segments);
	losses_all_sealed(run->captures, run->now);
	if (segments_complete(run->segments))
		stop(run, CAUSE_SEGMENTS);
}

/* One that comes while another waits has it wait longer, as packets may have come between them; but not for ever. */
static void ask(struct run *run)
{
	struct channel_words *words = run->parts->words;

	if (words->asked == AREA_ASKERS)
		return;
	losses_count(run->captures);
	if (words->asked == 0)
		words->seal_by = run->now + 3 * BLOCK_TIME;
	words->askers[words->asked++] = words->asker;
	words->seal_at = run->now + BLOCK_TIME < words->seal_by ? run->now + BLOCK_TIME : words->seal_by;
}

void sealing_hear(struct run *run)
{
	enum channel_word word;

	while ((word = channel_words_next(run->parts->words)) == WORD_SEAL)
		ask(run);
	if (word == WORD_END)
		stop(run, CAUSE_SIGNAL);
}

void sealing_look(struct run *run)
{
	struct channel_words *words = run->parts->words;

	if (!words || !words->asked || (run->now < words->seal_at && capture_set_sum(run->captures).in_ring > 0))
		return;
	for (unsigned i = 0; i < words->asked; i++)
		sealing_now(run, words->askers[i]);
	words->asked = 0;
}

uint64_t sealing_due(const struct run *run)
{
	const struct channel_words *words = run->parts->words;

	return words && words->asked ? words->seal_at : 0;
}
