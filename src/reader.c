#include "reader.h"

#include <errno.h>
#include <unistd.h>

#include "clock.h"

#define GRACE CLOCK_SECOND /* a stdin that ends earlier was never held open by anyone */
#define PROMPT_EVERY (2 * CLOCK_SECOND)

void reader_init(struct reader *reader, int fd, bool awaited, bool tells_end, uint64_t now)
{
	*reader = (struct reader){
		.fd = fd,
		.awaited = awaited,
		.tells_end = tells_end,
		.ready_at = now,
		.prompt_at = now,
	};
}

static enum reader_event ended(struct reader *reader, uint64_t now)
{
	reader->fd = -1;
	if (reader->awaited) {
		reader->awaited = false;
		return READER_CAME;
	}
	return now - reader->ready_at >= GRACE ? READER_LEFT : READER_WAS_NEVER_THERE;
}

enum reader_event reader_look(struct reader *reader, uint64_t now)
{
	char nothing[4096];
	ssize_t n = read(reader->fd, nothing, sizeof(nothing));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return READER_SAME;
	if (n <= 0)
		return ended(reader, now);
	if (!reader->awaited)
		return READER_SAME;
	reader->awaited = false;
	if (!reader->tells_end)
		reader->fd = -1;
	return READER_CAME;
}

bool reader_prompts(struct reader *reader, uint64_t now)
{
	if (!reader->awaited || now < reader->prompt_at)
		return false;
	reader->prompt_at = now + PROMPT_EVERY;
	return true;
}
