#include "archive/outbox.h"

#include <string.h>

void outbox_init(struct outbox *outbox)
{
	outbox->body = NULL;
	outbox->body_size = 0;
	outbox_discard(outbox);
}

void outbox_set_body(struct outbox *outbox, const void *body, size_t size)
{
	outbox->body = body;
	outbox->body_size = size;
}

static const unsigned char *keep(struct outbox *outbox, const unsigned char *data, size_t size)
{
	unsigned char *kept = outbox->small + outbox->small_used;

	if (outbox->body && data >= outbox->body && data + size <= outbox->body + outbox->body_size)
		return data;
	if (size > OUTBOX_SMALL - outbox->small_used)
		return NULL;
	memcpy(kept, data, size);
	outbox->small_used += size;
	return kept;
}

/* Behind what it follows in memory, or as a part of its own; false when there is none. */
static bool add_part(struct outbox *outbox, const unsigned char *kept, size_t size)
{
	struct iovec *last = outbox->count > 0 ? &outbox->parts[outbox->count - 1] : NULL;

	if (last && (unsigned char *)last->iov_base + last->iov_len == kept) {
		last->iov_len += size;
		return true;
	}
	if (outbox->count == OUTBOX_PARTS)
		return false;
	outbox->parts[outbox->count++] = (struct iovec){(void *)kept, size};
	return true;
}

/* kept is NULL where there was no room for a copy. */
static int put_on_its_way(struct outbox *outbox, const unsigned char *kept, size_t size, struct err *err)
{
	if (!kept || !add_part(outbox, kept, size))
		return err_set(err, STATUS_FAILED,
			       "the outbox has no room for %zu bytes more: %zu of %d are used, and %d of %d parts",
			       size, outbox->small_used, OUTBOX_SMALL, outbox->count, OUTBOX_PARTS);
	outbox->pending += size;
	return 0;
}

int outbox_put(struct outbox *outbox, const void *data, size_t size, struct err *err)
{
	return put_on_its_way(outbox, keep(outbox, data, size), size, err);
}

int outbox_put_body(struct outbox *outbox, const void *body, size_t size, struct err *err)
{
	outbox_set_body(outbox, body, size);
	return put_on_its_way(outbox, body, size, err);
}

bool outbox_empty(const struct outbox *outbox)
{
	return outbox->pending == 0;
}

/* The next parts, up to OUTBOX_CHUNK bytes of them. */
static int chunk(const struct outbox *outbox, struct iovec parts[OUTBOX_PARTS])
{
	size_t room = OUTBOX_CHUNK;
	int count = 0;

	for (int i = outbox->first; i < outbox->count && room > 0; i++) {
		parts[count] = outbox->parts[i];
		if (parts[count].iov_len > room)
			parts[count].iov_len = room;
		room -= parts[count++].iov_len;
	}
	return count;
}

static void advance(struct outbox *outbox, size_t sent)
{
	outbox->started = true;
	outbox->pending -= sent;
	while (sent > 0) {
		struct iovec *part = &outbox->parts[outbox->first];
		size_t n = sent < part->iov_len ? sent : part->iov_len;

		part->iov_base = (unsigned char *)part->iov_base + n;
		part->iov_len -= n;
		sent -= n;
		if (part->iov_len == 0)
			outbox->first++;
	}
	if (outbox->pending == 0)
		outbox_discard(outbox);
}

ssize_t outbox_send(struct outbox *outbox, struct sink *sink)
{
	struct iovec parts[OUTBOX_PARTS];
	ssize_t total = 0;

	while (outbox->pending > 0) {
		ssize_t n = sink_write(sink, parts, chunk(outbox, parts));

		if (n < 0)
			return total ? total : n; /* an error comes again */
		if (n == 0)
			break;
		advance(outbox, (size_t)n);
		total += n;
	}
	return total;
}

size_t outbox_take(struct outbox *outbox, unsigned char *to, size_t size)
{
	size_t taken = 0;

	while (taken < size && outbox->pending > 0) {
		const struct iovec *part = &outbox->parts[outbox->first];
		size_t n = part->iov_len < size - taken ? part->iov_len : size - taken;

		memcpy(to + taken, part->iov_base, n);
		advance(outbox, n);
		taken += n;
	}
	return taken;
}

void outbox_discard(struct outbox *outbox)
{
	outbox->first = outbox->count = 0;
	outbox->pending = 0;
	outbox->small_used = 0;
	outbox->started = false;
}
