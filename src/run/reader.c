#include "run/reader.h"

#include <errno.h>
#include <unistd.h>

#include "base/clock.h"

#define DOUBT CLOCK_SECOND		/* a pipe from /dev/null ends at once; through an engine a little later */
#define DOUBT_ATTACH (3 * CLOCK_SECOND) /* attaching takes up to 1.2 s */
#define PROMPT_EVERY (2 * CLOCK_SECOND)
#define ON_ITS_WAY (UINT64_C(1) << 20)

void reader_init(struct reader *reader, int fd, bool awaited, bool tells_end, uint64_t now)
{
	*reader = (struct reader){
		.fd = fd,
		.awaited = awaited,
		.tells_end = tells_end,
		.doubtful = now + (awaited ? DOUBT_ATTACH : DOUBT),
		.prompt_at = now,
		.second_at = now,
	};
}

static unsigned came(struct reader *reader)
{
	unsigned events = reader->awaited ? READER_CAME : 0;

	reader->awaited = false;
	return events;
}

static unsigned ended(struct reader *reader, uint64_t now)
{
	unsigned events = came(reader);

	reader->fd = -1;
	if (!reader->tells_end)
		return events;
	return events | (reader->seen || now >= reader->doubtful ? READER_LEFT : READER_UNKNOWN);
}

unsigned reader_look(struct reader *reader, uint64_t now)
{
	char nothing[4096];
	ssize_t n = read(reader->fd, nothing, sizeof(nothing));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0)
		return ended(reader, now);
	if (!reader->awaited)
		return 0;
	reader->seen = true;
	if (!reader->tells_end)
		reader->fd = -1;
	return came(reader);
}

bool reader_prompts(struct reader *reader, uint64_t now)
{
	if (!reader->awaited || now < reader->prompt_at)
		return false;
	reader->prompt_at = now + PROMPT_EVERY;
	return true;
}

void reader_sent(struct reader *reader, uint64_t sent, uint64_t now)
{
	uint64_t since = now - reader->second_at;

	if (since < CLOCK_SECOND)
		return;
	reader->sent_before = since < 2 * CLOCK_SECOND ? reader->sent : sent;
	reader->sent = sent;
	reader->second_at = now;
}

bool reader_is_behind(const struct reader *reader, uint64_t sent)
{
	return sent - reader->sent_before > ON_ITS_WAY;
}
