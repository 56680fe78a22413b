#include "record/stored.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As it was published, with everything that is stored as overwritten; the rest is in the ring, or in open files. */
static struct account account_of(const struct area_view *view, const struct area_series *series)
{
	struct account account = series->account;

	account.written = 0;
	account.overwritten.files += series->stored.files;
	account.overwritten.packets += series->stored.packets;
	account.overwritten.bytes += series->stored.bytes;
	account.overwritten.dropped += series->stored.dropped;
	if (view->state.phase != AREA_FROZEN)
		account.not_yet_stored = account.received - account.dropped - account.filtered_in_user_space -
					 account.after_limit - account.overwritten.packets;
	return account;
}

/* What --until and --first have to tell. Texts stay the view's. */
static void tell_event(const struct area_view *view, struct capture_set *captures)
{
	const struct area_event *event = &view->state.event;

	captures->until = view->state.asked & AREA_UNTIL;
	captures->first = view->state.asked & AREA_FIRST;
	captures->event = (struct capture_event){
		.until = event->until,
		.what = event->what,
		.time = event->time,
		.series = event->number ? &captures->list[event->place].series : NULL,
		.number = event->number,
		.packet = event->packet,
		.count = event->count,
	};
}

/* The series that the recorder has, with nothing in their files yet. */
static int make_captures(const struct area_view *view, struct capture_set *captures, struct err *err)
{
	captures->list = calloc(view->header.series, sizeof(*captures->list));
	if (!captures->list)
		return err_sys(err, ENOMEM, "memory for %u interfaces", (unsigned)view->header.series);
	captures->count = (unsigned)view->header.series;
	for (unsigned i = 0; i < captures->count; i++) {
		struct interface *interface = &captures->list[i];
		const struct area_series *series = &view->series[i];

		interface->capture.fd = -1;
		interface->capture.interface = interface->series.interface = series->interface;
		snprintf(interface->series.name, sizeof(interface->series.name), "%s", series->name);
		interface->series.format.pcapng = series->pcapng;
		interface->gone = series->gone_at;
		interface->gone_at = series->gone_at;
		interface->account = account_of(view, series);
		ledger_init(&interface->ledger, &interface->capture, &interface->series, &interface->account);
	}
	captures->left_out_count = view->left_out.count;
	captures->left_out_at_least = view->left_out.at_least;
	memcpy(captures->left_out, view->left_out.list, sizeof(captures->left_out));
	tell_event(view, captures);
	return 0;
}

static size_t largest(const struct stored *stored)
{
	struct area_entry entry;
	uint64_t most = 1;

	for (uint64_t n = stored->next; n < stored->end; n++) {
		if (area_find(stored->view, n, &entry) && entry.stored > most)
			most = entry.stored;
	}
	return most;
}

int stored_open(struct stored *stored, struct area_view *view, struct capture_set *captures, uint64_t since,
		struct err *err)
{
	*stored = (struct stored){
		.view = view,
		.captures = captures,
		.next = view->state.first,
		.end = view->state.end,
		.since = since,
	};
	if (make_captures(view, captures, err) < 0)
		return -1;
	stored->room = largest(stored);
	stored->copy = malloc(stored->room);
	return stored->copy ? 0 : err_sys(err, ENOMEM, "memory for a file of %zu bytes", stored->room);
}

void stored_close(struct stored *stored)
{
	free(stored->copy);
	*stored = (struct stored){0};
}

/* It goes into the archive, or will be said to have been given up. */
static void count(struct account *account, const struct area_entry *entry)
{
	account->written += entry->packets;
	account->overwritten.files--;
	account->overwritten.packets -= entry->packets;
	account->overwritten.bytes -= entry->used;
	account->overwritten.dropped -= entry->dropped;
}

/* The next one that is still there and new enough. */
static bool find_next(struct stored *stored, struct area_entry *entry)
{
	while (stored->next < stored->end) {
		bool found = area_find(stored->view, stored->next++, entry);

		if (found && entry->last < stored->since)
			continue;
		if (found && entry->stored <= stored->room && area_copy(stored->view, entry, stored->copy))
			return true;
		stored->missed++;
	}
	return false;
}

static struct segment *next_stored(void *context)
{
	struct stored *stored = context;
	struct area_entry entry;

	if (!find_next(stored, &entry))
		return NULL;
	stored->sending = (struct segment){
		.series = &stored->captures->list[entry.place].series,
		.data = stored->copy,
		.used = entry.used,
		.stored = entry.stored,
		.number = entry.number,
		.packets = entry.packets,
		.first = entry.first,
		.last = entry.last,
		.dropped = entry.dropped,
	};
	count(&stored->captures->list[entry.place].account, &entry);
	if (!stored->from || entry.first < stored->from)
		stored->from = entry.first;
	if (entry.last > stored->to)
		stored->to = entry.last;
	return &stored->sending;
}

static void drop_stored(void *context)
{
	struct stored *stored = context;
	struct area_entry entry;

	for (; stored->next < stored->end; stored->next++) {
		if (!area_find(stored->view, stored->next, &entry) || entry.last < stored->since)
			continue;
		count(&stored->captures->list[entry.place].account, &entry);
		stored->captures->list[entry.place].series.given_up += entry.packets;
	}
}

static uint64_t count_stored(const void *context)
{
	const struct stored *stored = context;

	return stored->end - stored->next;
}

struct deliver_store stored_source(struct stored *stored)
{
	return (struct deliver_store){next_stored, drop_stored, count_stored, stored};
}
