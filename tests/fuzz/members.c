/* A stream through the tar reader of join: the same files whatever the pieces it comes in. */
#include "fuzz.h"

#include <errno.h>

#include "../support/stream.h"
#include "read/members.h"

struct digest {
	uint64_t hash, files, done, cut, bytes;
	enum members_event last;
};

static void add(struct digest *digest, const void *data, size_t size)
{
	const unsigned char *p = data;

	for (size_t i = 0; i < size; i++)
		digest->hash = (digest->hash ^ p[i]) * UINT64_C(1099511628211);
}

static struct digest read_all(const uint8_t *data, size_t size, size_t piece, bool breaks)
{
	static struct members members;
	struct stream source = {data, size, 0, piece, breaks ? EIO : 0};
	struct digest digest = {.hash = UINT64_C(14695981039346656037)};
	enum members_event event;
	uint64_t left = 0;
	bool inside = false;

	members_init(&members, stream_read, &source);
	while ((event = members_next(&members)) != MEMBERS_END && event != MEMBERS_ERROR) {
		switch (event) {
		case MEMBERS_FILE:
			PROMISE(!inside && memchr(members.name, '\0', sizeof(members.name)));
			add(&digest, members.name, strlen(members.name) + 1);
			add(&digest, &members.size, sizeof(members.size));
			left = members.size;
			inside = true;
			PROMISE(++digest.files <= size); /* a header may be looked at again, but it ends */
			break;
		case MEMBERS_DATA:
			PROMISE(inside && members.length > 0 && members.length <= left);
			PROMISE(members.data >= members.buffer &&
				members.data + members.length <= members.buffer + MEMBERS_BUFFER);
			add(&digest, members.data, members.length);
			left -= members.length;
			digest.bytes += members.length;
			break;
		case MEMBERS_DONE:
			PROMISE(inside && left == 0);
			inside = false;
			digest.done++;
			break;
		case MEMBERS_CUT:
			PROMISE(inside);
			inside = false;
			digest.cut++;
			break;
		default:
			PROMISE(!"an event there is");
		}
	}
	PROMISE(event == (breaks ? MEMBERS_ERROR : MEMBERS_END));
	PROMISE(members_next(&members) == event); /* once more each time it is asked */
	PROMISE(members.found == (digest.files > 0) || !digest.files);
	PROMISE(members.junk <= size && members.trailing <= size);
	return digest;
}

/* piece, flags, stream */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct digest whole, pieces;
	uint8_t *stream;
	bool breaks;

	if (size < 2)
		return 0;
	stream = fuzz_stream(data + 2, size -= 2, data[1] & 2);
	breaks = data[1] & 1;
	whole = read_all(stream, size, SIZE_MAX, breaks);
	pieces = read_all(stream, size, data[0] + 1U, breaks);
	free(stream);
	PROMISE(whole.hash == pieces.hash && whole.files == pieces.files && whole.done == pieces.done &&
		whole.cut == pieces.cut && whole.bytes == pieces.bytes);
	return 0;
}
