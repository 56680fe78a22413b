/* What a hold says to its recorder, as the recorder takes it: see record/channel.h. */
#ifndef TARCAP_CHANNEL_WORDS_H
#define TARCAP_CHANNEL_WORDS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "record/area.h"

enum channel_word {
	WORD_NONE, /* nothing more now */
	WORD_SEAL, /* seal what is open, and answer in the area */
	WORD_RESUME,
	WORD_END, /* the hold says so, or has ended */
};

struct channel_words {
	int fd;			   /* the recorder's end of the channel, to be polled; -1: the hold has ended */
	uint64_t account;	   /* the present one */
	bool frozen;		   /* at it: else there is nothing to resume, and the hold is told so */
	pid_t asker;		   /* of the last WORD_SEAL */
	pid_t askers[AREA_ASKERS]; /* to seal, and not answered yet */
	unsigned asked;		   /* so many of them */
	uint64_t seal_by;	   /* boot time, at the latest */
	uint64_t seal_at;	   /* boot time, when it is */
	bool told;		   /* it is the hold that wants the end, and would hear what is discarded */
};

/* The next word that has come. WORD_RESUME only for what is frozen at just that account. */
enum channel_word channel_words_next(struct channel_words *words);

#endif
