#include "archive/deliver.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"

enum put {
	PUT_FAILED = -1,
	PUT_NOTHING, /* there may be more of this, but not now */
	PUT_DONE,
	PUT_LATER, /* it is being made */
	PUT_OVER,  /* there will be no more of this */
};

static int put_text(struct delivery *delivery, const char *name, const char *text, size_t size, struct err *err)
{
	return tar_member(delivery->tar, name, clock_real() / CLOCK_SECOND, text, size, err);
}

static enum put put_once(struct delivery *delivery, int result)
{
	delivery->step++;
	return result < 0 ? PUT_FAILED : PUT_DONE;
}

static enum put put_capture(struct delivery *delivery, struct err *err)
{
	const char *text;
	size_t size;

	if (manifest_capture_text(delivery->manifest, &text, &size, err) < 0)
		return PUT_FAILED;
	return put_once(delivery, put_text(delivery, "capture.json", text, size, err));
}

static enum put put_context(struct delivery *delivery, enum context_moment moment, struct err *err)
{
	int next = delivery->context ? context_next(delivery->context, moment) : -1;
	struct context_member *member;
	char name[CONTEXT_NAME_SIZE];

	if (next < 0)
		return PUT_OVER;
	member = delivery->telling = &delivery->context->members[moment][next];
	member->sent = true;
	return tar_member(delivery->tar, context_name(delivery->context, moment, (size_t)next, name),
			  member->time / CLOCK_SECOND, member->text, member->size, err) < 0
		       ? PUT_FAILED
		       : PUT_DONE;
}

static enum put put_start(struct delivery *delivery, struct err *err)
{
	return put_context(delivery, CONTEXT_START, err);
}

static enum put put_end(struct delivery *delivery, struct err *err)
{
	return put_context(delivery, CONTEXT_END, err);
}

static int put_segment(struct delivery *delivery, struct segment *segment, const unsigned char *data, struct err *err)
{
	char name[MANIFEST_NAME_SIZE];

	delivery->sending = segment;
	manifest_add(delivery->manifest, segment);
	return tar_member(delivery->tar, manifest_file_name(segment, name), segment->last / CLOCK_SECOND, data,
			  segment->stored, err);
}

static void give_back(struct delivery *delivery, struct segment *segment)
{
	if (segment != &delivery->compressed && !delivery->store.next)
		pool_give(delivery->segments->pool, segment);
}

static struct segment *oldest(struct delivery *delivery)
{
	const struct deliver_store *store = &delivery->store;

	return store->next ? store->next(store->context) : segments_pop(delivery->segments);
}

/* The oldest segment. It has to get smaller by a block of the tar, or it is stored as it is. */
static bool take_next(struct delivery *delivery)
{
	struct segment *next = delivery->next;

	if (!next && (next = delivery->next = oldest(delivery)) && delivery->compress)
		compress_begin(delivery->compress, next->data, next->used, (next->used - 1) / TAR_BLOCK * TAR_BLOCK);
	return next;
}

static enum put put_taken(struct delivery *delivery, struct err *err)
{
	struct segment *segment = delivery->next;
	const unsigned char *data = segment->data;

	if (!segment->stored)
		segment->stored = segment->used;
	if (delivery->compress && !compress_next(delivery->compress, &data, &segment->stored))
		return PUT_LATER;
	delivery->next = NULL;
	if (data != segment->data) {
		delivery->compressed = *segment;
		give_back(delivery, segment);
		segment = &delivery->compressed;
	}
	return put_segment(delivery, segment, data, err) < 0 ? PUT_FAILED : PUT_DONE;
}

static enum put put_part(struct delivery *delivery, struct err *err)
{
	char name[MANIFEST_NAME_SIZE];
	const char *text;
	size_t size;

	if (manifest_part_text(delivery->manifest, name, &text, &size, err) < 0)
		return PUT_FAILED;
	delivery->part_sent = true;
	return put_text(delivery, name, text, size, err) < 0 ? PUT_FAILED : PUT_DONE;
}

static enum put put_segments(struct delivery *delivery, struct err *err)
{
	if (!take_next(delivery))
		return delivery->finishing ? PUT_OVER : PUT_NOTHING;
	return manifest_full(delivery->manifest) ? put_part(delivery, err) : put_taken(delivery, err);
}

static enum put put_manifest(struct delivery *delivery, struct err *err)
{
	const char *text;
	size_t size;

	delivery->manifest_sent = true;
	if (manifest_text(delivery->manifest, delivery->cause, delivery->detail, &text, &size, err) < 0)
		return PUT_FAILED;
	return put_once(delivery, put_text(delivery, "manifest.json", text, size, err));
}

static enum put put_trailer(struct delivery *delivery, struct err *err)
{
	return put_once(delivery, tar_end(delivery->tar, err));
}

static enum put put_front(struct delivery *delivery, struct err *err)
{
	return put_once(delivery, outbox_put_body(&delivery->outbox, delivery->front, delivery->front_size, err));
}

static enum put put_packets(struct delivery *delivery, struct err *err)
{
	struct segment *segment = segments_pop(delivery->segments);

	if (!segment)
		return delivery->finishing ? PUT_OVER : PUT_NOTHING;
	delivery->sending = segment;
	return outbox_put_body(&delivery->outbox, segment->data, segment->used, err) < 0 ? PUT_FAILED : PUT_DONE;
}

static enum put put_back(struct delivery *delivery, struct err *err)
{
	if (!delivery->trailer_size)
		return PUT_OVER;
	return put_once(delivery, outbox_put_body(&delivery->outbox, delivery->trailer, delivery->trailer_size, err));
}

/* What the output is made of, in this order. */
enum { STEP_CAPTURE, STEP_START, STEP_SEGMENTS, STEP_END, STEP_MANIFEST, STEP_TRAILER, STEPS };

static enum put (*const archive_steps[STEPS + 1])(struct delivery *delivery, struct err *err) = {
	[STEP_CAPTURE] = put_capture, [STEP_START] = put_start,	      [STEP_SEGMENTS] = put_segments,
	[STEP_END] = put_end,	      [STEP_MANIFEST] = put_manifest, [STEP_TRAILER] = put_trailer,
};
static enum put (*const raw_steps[])(struct delivery *delivery, struct err *err) = {put_front, put_packets, put_back,
										    NULL};

/* Put the next thing into the empty outbox. */
static enum put put_next(struct delivery *delivery, struct err *err)
{
	enum put (*const *steps)(struct delivery *, struct err *) = delivery->raw ? raw_steps : archive_steps;
	enum put put = PUT_OVER;

	while (steps[delivery->step] && (put = steps[delivery->step](delivery, err)) == PUT_OVER)
		delivery->step++;
	return put;
}

int deliver_start(struct delivery *delivery, struct segments *segments, struct sink *sink, struct tar *tar,
		  struct manifest *manifest, uint64_t now, struct err *err)
{
	delivery->segments = segments;
	delivery->sink = sink;
	delivery->tar = tar;
	delivery->manifest = manifest;
	delivery->progress_at = now;
	if (put_next(delivery, err) != PUT_FAILED)
		return 0;
	(void)err_status(err);
	return -1;
}

static void release(struct delivery *delivery)
{
	delivery->telling = NULL;
	if (!delivery->sending)
		return;
	delivery->files++;
	delivery->packets += delivery->sending->packets;
	give_back(delivery, delivery->sending);
	delivery->sending = NULL;
}

struct encrypt_members deliver_complete(const struct delivery *delivery)
{
	if (delivery->encrypt)
		return encrypt_delivered(delivery->encrypt);
	return (struct encrypt_members){delivery->files, delivery->packets};
}

static ssize_t send_waiting(struct delivery *delivery)
{
	const struct encrypt_members now = {delivery->files, delivery->packets};

	return delivery->encrypt ? encrypt_send(delivery->encrypt, &delivery->outbox, delivery->sink, &now)
				 : outbox_send(&delivery->outbox, delivery->sink);
}

static bool all_has_left(const struct delivery *delivery)
{
	return outbox_empty(&delivery->outbox) && !(delivery->encrypt && encrypt_waits(delivery->encrypt));
}

/* True if there is more to send: what closes the encrypted output. */
static bool finish_encryption(struct delivery *delivery)
{
	const struct encrypt_members now = {delivery->files, delivery->packets};

	if (!delivery->encrypt || encrypt_finished(delivery->encrypt))
		return false;
	encrypt_finish(delivery->encrypt, &now);
	return true;
}

static enum deliver_result refused(struct delivery *delivery, int errnum)
{
	if (errnum == EPIPE || errnum == ECONNRESET)
		return DELIVER_GONE;
	delivery->errnum = errnum;
	return DELIVER_FAILED;
}

void deliver_explain(const struct delivery *delivery, struct err *err)
{
	const struct encrypt_members complete = deliver_complete(delivery);
	unsigned long long packets = complete.packets, files = complete.files;
	bool torn = delivery->torn, chunks = !torn && delivery->encrypt;

	if (delivery->raw)
		err_sys(err, delivery->errnum, "cannot write after %llu packets%s", packets,
			torn	 ? ", behind which a part of the next remains"
			: chunks ? "; what is written ends with a whole chunk"
				 : "");
	else
		err_sys(err, delivery->errnum, "cannot write the archive, which now ends %safter %llu complete %s",
			torn	 ? "within a file, "
			: chunks ? "with a whole chunk, "
				 : "",
			files, torn ? "ones" : "files");
}

enum deliver_result deliver_advance(struct delivery *delivery, uint64_t now, struct err *err)
{
	for (;;) {
		ssize_t sent = send_waiting(delivery);
		enum put put;

		if (sent < 0)
			return refused(delivery, (int)-sent);
		if (sent > 0)
			delivery->progress_at = now;
		delivery->sent += (uint64_t)sent;
		if (!all_has_left(delivery)) {
			/* A file takes all, or says why not: nothing would wake us to hear it. */
			if (sent > 0 && delivery->sink->kind == SINK_BLOCKING)
				continue;
			return DELIVER_WAITING;
		}
		if (!delivery->manifest_sent)
			delivery->whole = delivery->sent;
		delivery->part_sent = false;
		release(delivery);
		put = put_next(delivery, err);
		if (put == PUT_FAILED) {
			(void)err_status(err);
			return DELIVER_FAILED;
		}
		if (put == PUT_LATER)
			return DELIVER_BUSY;
		if (put == PUT_NOTHING)
			return DELIVER_IDLE;
		if (put == PUT_OVER && !finish_encryption(delivery))
			return DELIVER_DONE;
		delivery->progress_at = now;
	}
}

void deliver_finish(struct delivery *delivery, enum cause cause, const char *detail)
{
	delivery->finishing = true;
	delivery->cause = cause;
	delivery->detail = detail;
	if (delivery->context)
		context_read(delivery->context, CONTEXT_END);
}

uint64_t deliver_waiting(const struct delivery *delivery)
{
	const struct deliver_store *store = &delivery->store;
	uint64_t waiting = 0;

	if (delivery->next)
		waiting++;
	if (delivery->sending)
		waiting++;
	if (store->next)
		return waiting + store->waiting(store->context);
	for (const struct segment *segment = delivery->segments->sealed; segment; segment = segment->next)
		waiting++;
	return waiting;
}

static void drop_context(struct delivery *delivery)
{
	if (delivery->telling && !delivery->outbox.started) {
		outbox_discard(&delivery->outbox);
		delivery->telling->sent = false;
		delivery->telling = NULL;
	}
	if (delivery->context)
		context_drop(delivery->context,
			     delivery->errnum ? "the output failed" : "the reader did not take it in time");
}

static void give_up(struct delivery *delivery, struct segment *segment)
{
	segment->series->given_up += segment->packets;
	give_back(delivery, segment);
}

void deliver_drop(struct delivery *delivery)
{
	struct segment *segment;

	drop_context(delivery);
	if (delivery->sending && !delivery->outbox.started) {
		outbox_discard(&delivery->outbox);
		if (!delivery->raw)
			manifest_take_back(delivery->manifest, delivery->sending);
		give_up(delivery, delivery->sending);
		delivery->sending = NULL;
	}
	if (delivery->next)
		give_up(delivery, delivery->next);
	delivery->next = NULL;
	if (delivery->store.next) {
		delivery->store.drop(delivery->store.context);
		return;
	}
	while ((segment = segments_pop(delivery->segments)))
		give_up(delivery, segment);
}

/* Of a member of so many bytes, with its header. */
static uint64_t room_of(uint64_t size)
{
	return TAR_BLOCK + (size + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
}

/* The last members of the context at a moment. */
static uint64_t give_up_context(struct delivery *delivery, enum context_moment moment, uint64_t room)
{
	uint64_t given = 0;

	for (size_t i = delivery->context ? delivery->context->count : 0; i-- > 0 && given < room;) {
		struct context_member *member = &delivery->context->members[moment][i];

		given += member->sent ? room_of(member->size) : 0;
		member->sent = false;
	}
	return given;
}

/* The last members of the archive, to make room for so many bytes of the manifest. */
static bool give_up_members(struct delivery *delivery, uint64_t room)
{
	uint64_t given = give_up_context(delivery, CONTEXT_END, room), packets, stored;

	while (given < room && manifest_cut_last(delivery->manifest, &packets, &stored)) {
		given += room_of(stored);
		delivery->files--;
		delivery->packets -= packets;
	}
	if (given < room && delivery->files == 0)
		given += give_up_context(delivery, CONTEXT_START, room - given);
	delivery->whole -= given;
	return given > 0;
}

/* Everything that is not complete: what is on its way, too, as the output has been cut back before it, or ends in it.
 */
static bool give_up_rest(struct delivery *delivery)
{
	outbox_discard(&delivery->outbox);
	deliver_drop(delivery);
	return false;
}

/* Packets of one stream that were in the chunk that is cut. Nobody has kept whose they were: only the sum is told. */
static void give_up_in_chunk(struct delivery *delivery, uint64_t packets)
{
	for (struct series *series = delivery->segments->series; series && packets; series = series->next) {
		uint64_t left = series->packets - series->given_up, given = left < packets ? left : packets;

		series->given_up += given;
		packets -= given;
	}
}

/* Nothing can follow: the cut chunk would have to be encrypted again, with other bytes and the same nonce. */
static bool cut_back_encrypted(struct delivery *delivery)
{
	const struct encrypt_members complete = encrypt_delivered(delivery->encrypt);
	uint64_t packets, stored;

	delivery->torn = sink_cut_back(delivery->sink, encrypt_whole(delivery->encrypt)) < 0;
	(void)give_up_rest(delivery);
	if (delivery->raw)
		give_up_in_chunk(delivery, delivery->packets - complete.packets);
	while (!delivery->raw && delivery->files > complete.files &&
	       manifest_cut_last(delivery->manifest, &packets, &stored)) {
		delivery->files--;
		delivery->packets -= packets;
	}
	return false;
}

bool deliver_cut_back(struct delivery *delivery)
{
	struct err ignored = {0};

	if (delivery->encrypt)
		return cut_back_encrypted(delivery);
	if (sink_cut_back(delivery->sink, delivery->whole) < 0) {
		delivery->torn = delivery->outbox.started;
		return give_up_rest(delivery);
	}
	if (delivery->part_sent)
		manifest_take_back_part(delivery->manifest);
	delivery->part_sent = false;
	if (delivery->whole == 0 || delivery->raw) /* what was asked for is there */
		return give_up_rest(delivery);
	if (delivery->manifest_sent && !give_up_members(delivery, delivery->outbox.pending))
		return false;
	if (sink_cut_back(delivery->sink, delivery->whole) < 0 || tar_go_on(delivery->tar, &ignored) < 0)
		return false;
	delivery->sent = delivery->whole;
	delivery->manifest_sent = false;
	delivery->step = STEP_SEGMENTS;
	outbox_discard(&delivery->outbox);
	deliver_drop(delivery);
	return true;
}
