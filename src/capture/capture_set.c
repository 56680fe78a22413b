#include "capture/capture_set.h"

#include <errno.h>
#include <ifaddrs.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture/interfaces.h"
#include "capture/ready.h"
#include "request/plan.h"

static int allocate(struct capture_set *captures, unsigned count, struct err *err)
{
	captures->list = calloc(count, sizeof(*captures->list));
	if (!captures->list)
		return err_sys(err, ENOMEM, "memory for %u interfaces", count);
	return 0;
}

static bool is_left_out(const struct capture_set *captures, int ifindex)
{
	for (unsigned i = 0; ifindex && i < captures->left_out_count; i++) {
		if (captures->left_out_index[i] == ifindex)
			return true;
	}
	return false;
}

bool capture_set_leave_out(struct capture_set *captures, int ifindex, const char *name, const char *why)
{
	struct left_out *left_out;

	if (is_left_out(captures, ifindex))
		return false;
	if (captures->left_out_count == CAPTURE_SET_LEFT_OUT_COUNTED) {
		captures->left_out_at_least = true;
		return false;
	}
	if (captures->left_out_count < MANIFEST_LEFT_OUT) {
		left_out = &captures->left_out[captures->left_out_count];
		snprintf(left_out->name, sizeof(left_out->name), "%s", name);
		snprintf(left_out->why, sizeof(left_out->why), "%s", why);
	}
	captures->left_out_index[captures->left_out_count++] = ifindex;
	return true;
}

static void begin_account(struct interface *interface)
{
	ledger_init(&interface->ledger, &interface->capture, &interface->series, &interface->account);
}

/* Into the list's next place. */
static int open_next(struct capture_set *captures, const char *name, uint64_t ring, const struct options *options,
		     struct err *err)
{
	struct interface *interface = &captures->list[captures->count];

	if (capture_open_live(&interface->capture, name, ring, options, err) < 0) {
		capture_close(&interface->capture);
		return -1;
	}
	begin_account(interface);
	captures->count++;
	captures->ring_asked += ring;
	return 0;
}

static int open_named(struct capture_set *captures, const struct options *options, struct err *err)
{
	unsigned count = (unsigned)options->interface_count;
	uint64_t ring;

	if (plan_ring_share(options, count, &ring, err) < 0 || allocate(captures, count, err) < 0)
		return -1;
	for (unsigned i = 0; i < count; i++) {
		if (open_next(captures, options->interfaces[i], ring, options, err) < 0)
			return -1;
	}
	return 0;
}

/* One that we found: the list keeps its name. */
static int open_found(struct capture_set *captures, const char *name, uint64_t ring, const struct options *options,
		      struct err *err)
{
	char *kept = captures->list[captures->count].found;

	snprintf(kept, INTERFACES_NAME_SIZE, "%.15s", name);
	return open_next(captures, kept, ring, options, err);
}

static int open_default(struct capture_set *captures, const struct options *options, struct err *err)
{
	char *name = interfaces_default(err);
	int result = -1;

	if (name && allocate(captures, 1, err) == 0)
		result = open_found(captures, name, options->buffer_kib * KIB, options, err);
	free(name);
	return result;
}

/* One that fails is left out, unless all do: then the first one's error says why. */
static int open_each(struct capture_set *captures, char (*names)[INTERFACES_NAME_SIZE], unsigned count,
		     const struct options *options, struct err *err)
{
	struct err first = {0};
	uint64_t ring;

	if (plan_ring_share(options, count, &ring, err) < 0 || allocate(captures, count, err) < 0)
		return -1;
	for (unsigned i = 0; i < count; i++) {
		struct err failure = {0};

		if (open_found(captures, names[i], ring, options, &failure) == 0)
			continue;
		(void)capture_set_leave_out(captures, (int)if_nametoindex(names[i]), names[i], failure.text);
		if (!first.status)
			first = failure;
	}
	if (captures->count == 0)
		*err = first;
	return captures->count == 0 ? -1 : 0;
}

static int open_all(struct capture_set *captures, const struct options *options, struct err *err)
{
	char names[INTERFACES_MAX][INTERFACES_NAME_SIZE];
	int count = interfaces_up(names, INTERFACES_MAX, err);

	if (count < 0)
		return -1;
	if (count > INTERFACES_MAX)
		return err_set(err, STATUS_USAGE,
			       "-i all: %d interfaces are up, at most %d are allowed: name them, or -i any", count,
			       INTERFACES_MAX);
	return open_each(captures, names, (unsigned)count, options, err);
}

/* For the readiness line; where the kernel does not tell, it goes without. */
static void note_addresses(struct capture_set *captures)
{
	struct ifaddrs *all;

	if (getifaddrs(&all) < 0)
		return;
	for (unsigned i = 0; i < captures->count; i++) {
		struct interface *interface = &captures->list[i];

		if (!interface->capture.any)
			interfaces_addresses(all, interface->capture.interface, interface->addresses);
	}
	freeifaddrs(all);
}

int capture_set_open_live(struct capture_set *captures, const struct options *options, struct err *err)
{
	int result;

	if (options_all_interfaces(options))
		result = open_all(captures, options, err);
	else if (options->interface_count > 0)
		result = open_named(captures, options, err);
	else
		result = open_default(captures, options, err);
	if (result == 0) {
		note_addresses(captures);
		captures->ready_fd = ready_open(captures);
	}
	return result;
}

int capture_set_open_file(struct capture_set *captures, const struct options *options, int interrupt_fd,
			  struct err *err)
{
	if (allocate(captures, 1, err) < 0)
		return -1;
	captures->count = 1;
	begin_account(&captures->list[0]);
	return capture_open_file(&captures->list[0].capture, options, interrupt_fd, err);
}

void capture_set_close(struct capture_set *captures)
{
	for (unsigned i = 0; i < captures->count; i++)
		capture_close(&captures->list[i].capture);
	ready_close(captures->ready_fd);
	free(captures->list);
	*captures = (struct capture_set){0};
}

int capture_set_fire(struct capture_set *captures, struct err *err)
{
	for (unsigned i = 0; i < captures->count; i++) {
		if (capture_fire(&captures->list[i].capture, err) < 0)
			return -1;
	}
	return 0;
}

void capture_set_disarm(struct capture_set *captures)
{
	for (unsigned i = 0; i < captures->count; i++)
		capture_disarm(&captures->list[i].capture);
}

struct capture_set_sum capture_set_sum(const struct capture_set *captures)
{
	struct capture_set_sum sum = {.ring_least = UINT64_MAX};

	for (unsigned i = 0; i < captures->count; i++) {
		const struct interface *interface = &captures->list[i];

		sum.received += interface->capture.received;
		sum.dropped += interface->capture.dropped;
		sum.read += interface->capture.read;
		sum.in_ring += ledger_in_ring(&interface->ledger);
		sum.ring += interface->capture.ring.size;
		sum.ring_unknown |= interface->capture.ring.unknown;
		if (interface->capture.ring.size < sum.ring_least)
			sum.ring_least = interface->capture.ring.size;
	}
	return sum;
}

struct account capture_set_account(const struct capture_set *captures)
{
	struct account sum = {0};

	for (unsigned i = 0; i < captures->count; i++) {
		const struct account *account = &captures->list[i].account;

		sum.received += account->received;
		sum.written += account->written;
		sum.dropped += account->dropped;
		sum.dropped_reader_slow += account->dropped_reader_slow;
		sum.dropped_at_stop += account->dropped_at_stop;
		sum.dropped_output_failed += account->dropped_output_failed;
		sum.after_limit += account->after_limit;
		sum.filtered_in_user_space += account->filtered_in_user_space;
		sum.not_yet_stored += account->not_yet_stored;
		sum.overwritten.files += account->overwritten.files;
		sum.overwritten.packets += account->overwritten.packets;
		sum.overwritten.bytes += account->overwritten.bytes;
		sum.overwritten.dropped += account->overwritten.dropped;
		sum.cut.packets += account->cut.packets;
		sum.cut.bytes += account->cut.bytes;
	}
	return sum;
}

bool capture_set_promiscuous(const struct capture_set *captures)
{
	for (unsigned i = 0; i < captures->count; i++) {
		if (!captures->list[i].capture.promiscuous)
			return false;
	}
	return true;
}

const char *capture_set_excluded(const struct capture_set *captures)
{
	for (unsigned i = 0; i < captures->count; i++) {
		if (captures->list[i].capture.excluded[0])
			return captures->list[i].capture.excluded;
	}
	return "";
}

uint64_t capture_set_ring_filled(const struct capture_set *captures)
{
	uint64_t most = 0;

	for (unsigned i = 0; i < captures->count; i++) {
		uint64_t filled = ring_filled(&captures->list[i].capture.ring);

		most = filled > most ? filled : most;
	}
	return most;
}
