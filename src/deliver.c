#include "deliver.h"

#include <errno.h>
#include <string.h>

#include "clock.h"

enum put { PUT_FAILED = -1, PUT_NOTHING, PUT_DONE, PUT_LATER };

static int put_text(struct delivery *delivery, const char *name, const char *text, size_t size, struct err *err)
{
	return tar_member(delivery->tar, name, clock_real() / CLOCK_SECOND, text, size, err);
}

int deliver_start(struct delivery *delivery, struct segments *segments, struct sink *sink, struct tar *tar,
		  struct manifest *manifest, uint64_t now, struct err *err)
{
	const char *text;
	size_t size;

	delivery->segments = segments;
	delivery->sink = sink;
	delivery->tar = tar;
	delivery->manifest = manifest;
	delivery->progress_at = now;
	if (delivery->raw)
		return outbox_put(&delivery->outbox, segments->series->file_header, PACKET_FILE_HEADER);
	if (manifest_capture_text(manifest, &text, &size, err) < 0)
		return -1;
	return put_text(delivery, "capture.json", text, size, err);
}

static int put_segment(struct delivery *delivery, struct segment *segment, const unsigned char *data, struct err *err)
{
	char name[MANIFEST_NAME_SIZE];

	delivery->sending = segment;
	if (delivery->raw) {
		outbox_set_body(&delivery->outbox, segment->data, segment->used);
		return outbox_put(&delivery->outbox, segment->data + PACKET_FILE_HEADER,
				  segment->used - PACKET_FILE_HEADER);
	}
	manifest_add(delivery->manifest, segment);
	return tar_member(delivery->tar, manifest_file_name(segment, name), segment->last / CLOCK_SECOND, data,
			  segment->stored, err);
}

static void give_back(struct delivery *delivery, struct segment *segment)
{
	if (segment != &delivery->compressed)
		pool_give(delivery->segments->pool, segment);
}

/* The oldest sealed segment. It has to get smaller by a block of the tar, or it is stored as it is. */
static bool take_next(struct delivery *delivery)
{
	struct segment *next = delivery->next;

	if (!next && (next = delivery->next = segments_pop(delivery->segments)) && delivery->compress)
		compress_begin(delivery->compress, next->data, next->used, (next->used - 1) / TAR_BLOCK * TAR_BLOCK);
	return next;
}

static enum put put_taken(struct delivery *delivery, struct err *err)
{
	struct segment *segment = delivery->next;
	const unsigned char *data = segment->data;

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

static int put_part(struct delivery *delivery, struct err *err)
{
	char name[MANIFEST_NAME_SIZE];
	const char *text;
	size_t size;

	if (manifest_part_text(delivery->manifest, name, &text, &size, err) < 0)
		return -1;
	delivery->part_sent = true;
	return put_text(delivery, name, text, size, err);
}

static int put_manifest(struct delivery *delivery, struct err *err)
{
	const char *text;
	size_t size;

	delivery->manifest_sent = true;
	if (manifest_text(delivery->manifest, delivery->cause, delivery->detail, &text, &size, err) < 0)
		return -1;
	return put_text(delivery, "manifest.json", text, size, err);
}

static int put_end(struct delivery *delivery, struct err *err)
{
	delivery->ended = true;
	return delivery->raw ? 0 : tar_end(delivery->tar, err);
}

/* Put the next thing into the empty outbox. */
static enum put put_next(struct delivery *delivery, struct err *err)
{
	int result;

	if (!delivery->next && delivery->segments->sealed && manifest_full(delivery->manifest))
		result = put_part(delivery, err);
	else if (take_next(delivery))
		return put_taken(delivery, err);
	else if (delivery->finishing && !delivery->manifest_sent && !delivery->raw)
		result = put_manifest(delivery, err);
	else if (delivery->finishing && !delivery->ended)
		result = put_end(delivery, err);
	else
		return PUT_NOTHING;
	return result < 0 ? PUT_FAILED : PUT_DONE;
}

static void release(struct delivery *delivery)
{
	if (!delivery->sending)
		return;
	delivery->files++;
	delivery->packets += delivery->sending->packets;
	give_back(delivery, delivery->sending);
	delivery->sending = NULL;
}

static enum deliver_result refused(struct delivery *delivery, int errnum, struct err *err)
{
	if (errnum == EPIPE || errnum == ECONNRESET)
		return DELIVER_GONE;
	delivery->errnum = errnum;
	if (delivery->raw)
		err_sys(err, errnum, "cannot write after %llu packets", (unsigned long long)delivery->packets);
	else
		err_sys(err, errnum, "cannot write the archive, which now ends after %llu complete files",
			(unsigned long long)delivery->files);
	return DELIVER_FAILED;
}

enum deliver_result deliver_advance(struct delivery *delivery, uint64_t now, struct err *err)
{
	for (;;) {
		ssize_t sent = outbox_send(&delivery->outbox, delivery->sink);
		enum put put;

		if (sent < 0)
			return refused(delivery, (int)-sent, err);
		if (sent > 0)
			delivery->progress_at = now;
		delivery->sent += (uint64_t)sent;
		if (!outbox_empty(&delivery->outbox)) {
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
		if (put == PUT_FAILED)
			return DELIVER_FAILED;
		if (put == PUT_LATER)
			return DELIVER_BUSY;
		if (put == PUT_NOTHING)
			return delivery->ended ? DELIVER_DONE : DELIVER_IDLE;
		delivery->progress_at = now;
	}
}

void deliver_finish(struct delivery *delivery, enum cause cause, const char *detail)
{
	delivery->finishing = true;
	delivery->cause = cause;
	delivery->detail = detail;
}

static void give_up(struct delivery *delivery, struct segment *segment)
{
	segment->series->given_up += segment->packets;
	give_back(delivery, segment);
}

void deliver_drop(struct delivery *delivery)
{
	struct segment *segment;

	if (delivery->sending && !delivery->outbox.started) {
		outbox_discard(&delivery->outbox);
		if (!delivery->raw)
			manifest_take_back(delivery->manifest, delivery->sending);
		give_up(delivery, delivery->sending);
		delivery->sending = NULL;
	}
	while ((segment = delivery->next ? delivery->next : segments_pop(delivery->segments))) {
		give_up(delivery, segment);
		delivery->next = NULL;
	}
}

/* The last files of the archive, to make room for so many bytes of the manifest. */
static bool give_up_files(struct delivery *delivery, uint64_t room)
{
	uint64_t given = 0, packets, stored;

	while (given < room && manifest_cut_last(delivery->manifest, &packets, &stored)) {
		given += TAR_BLOCK + (stored + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
		delivery->files--;
		delivery->packets -= packets;
	}
	delivery->whole -= given;
	return given > 0;
}

bool deliver_cut_back(struct delivery *delivery)
{
	struct err ignored = {0};
	bool possible;

	if (delivery->part_sent)
		manifest_take_back_part(delivery->manifest);
	delivery->part_sent = false;
	possible = delivery->whole > 0 && !delivery->raw && /* what was asked for is there */
		   (!delivery->manifest_sent || give_up_files(delivery, delivery->outbox.pending));
	if (sink_cut_back(delivery->sink, delivery->whole) < 0 || !possible || tar_go_on(delivery->tar, &ignored) < 0)
		return false;
	delivery->sent = delivery->whole;
	delivery->manifest_sent = delivery->ended = false;
	outbox_discard(&delivery->outbox);
	deliver_drop(delivery);
	return true;
}
