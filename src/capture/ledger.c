#include "capture/ledger.h"

#include <string.h>

#include "base/clock.h"

void ledger_init(struct ledger *ledger, struct capture *capture, struct series *series, struct account *account)
{
	*ledger = (struct ledger){.capture = capture, .series = series, .account = account, .started = clock_real()};
}

void ledger_count(struct ledger *ledger)
{
	const struct capture *capture = ledger->capture;
	uint64_t dropped;

	capture_count(ledger->capture);
	dropped = capture->dropped - ledger->dropped_seen;
	if (dropped == 0)
		return;
	ledger->dropped_seen = capture->dropped;
	/* When there are too many, two that lie side by side become one. */
	if (ledger->gap_count == LEDGER_GAPS)
		dropped += ledger->gaps[--ledger->gap_count].dropped;
	ledger->gaps[ledger->gap_count++] = (struct ledger_gap){capture->received - capture->dropped, dropped};
}

static uint64_t open_packets(const struct series *series)
{
	return series->open ? series->open->packets : 0;
}

static uint64_t take_gaps(struct ledger *ledger, uint64_t before)
{
	unsigned taken = 0;
	uint64_t dropped = 0;

	while (taken < ledger->gap_count && ledger->gaps[taken].accepted < before)
		dropped += ledger->gaps[taken++].dropped;
	ledger->gap_count -= taken;
	memmove(ledger->gaps, ledger->gaps + taken, ledger->gap_count * sizeof(ledger->gaps[0]));
	return dropped;
}

void ledger_statistics(const struct ledger *ledger, struct pcapng_statistics *statistics)
{
	const struct capture *capture = ledger->capture;
	const struct series *series = ledger->series;
	uint64_t start = series->segments->start;
	bool live = capture->fd >= 0;

	*statistics = (struct pcapng_statistics){
		.start = live ? ledger->started : start,
		.end = live		? clock_real()
		       : series->newest ? series->newest->last
					: start,
		.accepted = capture->received,
		.dropped = capture->dropped,
		.delivered = series->packets - open_packets(series),
	};
}

bool ledger_seal(struct ledger *ledger)
{
	struct series *series = ledger->series;
	struct pcapng_statistics statistics;

	if (series->sealed_count == ledger->sealed_seen)
		return false;
	ledger->sealed_seen = series->sealed_count;
	ledger_count(ledger);
	series->newest->dropped = take_gaps(ledger, ledger->capture->read - open_packets(series));
	ledger_statistics(ledger, &statistics);
	segments_put_statistics(series, &statistics);
	return true;
}

bool ledger_hold(struct ledger *ledger, bool held)
{
	struct capture *capture = ledger->capture;

	if (held == ledger->held || capture->fd < 0)
		return false;
	ledger->held = held;
	ledger_count(ledger);
	if (held)
		ledger->dropped_at_hold = capture->dropped;
	else
		ledger->account->dropped_reader_slow += capture->dropped - ledger->dropped_at_hold;
	return true;
}

uint64_t ledger_in_ring(const struct ledger *ledger)
{
	const struct capture *capture = ledger->capture;
	uint64_t accepted = capture->received - capture->dropped;

	return accepted > capture->read ? accepted - capture->read : 0;
}

/* Where packets go that are neither written nor dropped by the kernel. */
static uint64_t *charged(struct account *account, enum cause cause)
{
	if (cause_is_limit(cause))
		return &account->after_limit;
	return cause == CAUSE_OUTPUT_FAILED ? &account->dropped_output_failed : &account->dropped_at_stop;
}

struct account ledger_account(const struct ledger *ledger)
{
	const struct capture *capture = ledger->capture;
	struct account account = *ledger->account;

	account.received = capture->received;
	account.dropped = capture->dropped;
	account.written = ledger->series->packets - account.overwritten.packets;
	account.filtered_in_user_space = capture->rejected;
	account.cut = capture->cut;
	account.after_limit = capture->read - capture->rejected - ledger->series->packets;
	return account;
}

void ledger_close(struct ledger *ledger, enum cause cause)
{
	struct account *account = ledger->account;

	*account = ledger_account(ledger);
	*charged(account, cause) += ledger_in_ring(ledger);
}

void ledger_take_back(struct ledger *ledger, enum cause cause)
{
	uint64_t packets = ledger->series->given_up;

	ledger->series->given_up = 0;
	ledger->account->written -= packets;
	*charged(ledger->account, cause) += packets;
}
