#include "run/recorder_said.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "request/number.h"
#include "run/say.h"

#define HELD_SIZE 160

/* "120 packets (64000 bytes, 62 s: from 2026-11-22T08:45:00.1Z to 2026-11-22T08:46:02.2Z)" */
static char *held(const struct channel_message *message, char text[HELD_SIZE])
{
	char from[CLOCK_TEXT_SIZE], to[CLOCK_TEXT_SIZE];

	snprintf(text, HELD_SIZE, "no packets");
	if (message->packets == 0)
		return text;
	snprintf(text, HELD_SIZE, "%" PRIu64 " packet%s (%" PRIu64 " bytes, %" PRIu64 " s: from %s to %s)",
		 message->packets, number_plural(message->packets), message->bytes,
		 (message->to - message->from) / CLOCK_SECOND, clock_rfc3339(message->from, from),
		 clock_rfc3339(message->to, to));
	return text;
}

static void say_frozen(const struct channel_message *message, uint64_t kept_until)
{
	char text[HELD_SIZE], until[CLOCK_TEXT_SIZE], event[CLOCK_TEXT_SIZE];
	uint64_t now = clock_boot(), left = kept_until > now ? kept_until - now : 0;

	say("event: %.200s, at %s; %s kept until %s, and nothing more is recorded", message->text,
	    clock_rfc3339(message->event_at, event), held(message, text),
	    kept_until == UINT64_MAX ? "this hold ends" : clock_rfc3339(clock_real() + left, until));
	say("now type: docker exec CONTAINER tarcap snapshot > snapshot.tar, or: kubectl exec POD -c CONTAINER -- "
	    "tarcap "
	    "snapshot > snapshot.tar, or: kubectl cp POD:/snapshot ./snapshot -c CONTAINER; with --resume behind "
	    "snapshot it records again");
}

void recorder_say(const struct channel_message *message, uint64_t kept_until)
{
	char text[HELD_SIZE];

	if (message->kind == CHANNEL_FROZEN)
		say_frozen(message, kept_until);
	else if (message->kind == CHANNEL_RESUMED)
		say("recording again: what was kept was taken");
	else if (message->kind == CHANNEL_NOTHING)
		say("--resume: nothing is kept that could be let go; the recorder goes on as it was");
	else if (message->kind == CHANNEL_FAILED)
		say("the recorder: %s", message->text);
	else if (message->kind == CHANNEL_ENDED)
		say("discarded: %s", held(message, text));
}
