#include "run/losses.h"

#include <inttypes.h>

#include "capture/ledger.h"
#include "run/say.h"

void losses_say(struct interface *interface, uint64_t now)
{
	uint64_t dropped = interface->capture.dropped;

	if (dropped == interface->dropped_said || (interface->said_at && now - interface->said_at < LOSSES_EVERY))
		return;
	say("%s: %" PRIu64 " packets dropped by kernel so far%s", interface->capture.interface, dropped,
	    interface->ledger.held ? ", because the reader takes too little" : "");
	interface->dropped_said = dropped;
	interface->said_at = now;
}

void losses_sealed(struct interface *interface, uint64_t now)
{
	if (ledger_seal(&interface->ledger))
		losses_say(interface, now);
}

void losses_all_sealed(struct capture_set *captures, uint64_t now)
{
	for (unsigned i = 0; i < captures->count; i++)
		losses_sealed(&captures->list[i], now);
}

void losses_count(struct capture_set *captures)
{
	for (unsigned i = 0; i < captures->count; i++)
		ledger_count(&captures->list[i].ledger);
}

void losses_take_back(struct capture_set *captures, enum cause cause)
{
	for (unsigned i = 0; i < captures->count; i++)
		ledger_take_back(&captures->list[i].ledger, cause);
}

void losses_hold(struct interface *interface, bool held, uint64_t now)
{
	if (ledger_hold(&interface->ledger, held) && !interface->ledger.held)
		losses_say(interface, now);
}
