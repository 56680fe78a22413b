#include "run/channel_words.h"

#include "record/channel.h"

static bool may_resume(const struct channel_words *words, uint64_t account)
{
	const struct channel_message nothing = {.kind = CHANNEL_NOTHING, .account = words->account};

	if (words->frozen && account == words->account)
		return true;
	(void)channel_send(words->fd, &nothing);
	return false;
}

enum channel_word channel_words_next(struct channel_words *words)
{
	struct channel_message message;
	enum channel_result result;

	while ((result = channel_receive(words->fd, &message)) == CHANNEL_MESSAGE) {
		words->told |= message.kind == CHANNEL_END;
		if (words->told)
			return WORD_END;
		words->asker = message.asker;
		if (message.kind == CHANNEL_SEAL)
			return WORD_SEAL;
		if (message.kind == CHANNEL_RESUME && may_resume(words, message.account))
			return WORD_RESUME;
	}
	if (result == CHANNEL_EMPTY)
		return WORD_NONE;
	words->fd = -1;
	return WORD_END;
}
