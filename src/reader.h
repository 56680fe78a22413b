/* The reader, as far as stdin tells: that it has come (--wait-reader), and that it has gone. */
#ifndef TARCAP_READER_H
#define TARCAP_READER_H

#include <stdbool.h>
#include <stdint.h>

struct reader {
	int fd;		   /* to be watched, or -1: it tells nothing more */
	bool awaited;	   /* nothing may be sent before it comes */
	bool tells_end;	   /* the end of stdin is the reader's */
	uint64_t ready_at; /* boot time when we said that we are ready; set by whoever says it */
	uint64_t prompt_at;
};

enum reader_event {
	READER_SAME,
	READER_CAME,
	READER_LEFT,
	READER_WAS_NEVER_THERE, /* stdin ended so early that nobody can have held it open */
};

/* fd is stdin, or -1: it means nothing. */
void reader_init(struct reader *reader, int fd, bool awaited, bool tells_end, uint64_t now);

/* Take what is on fd, which is readable. What the bytes are means nothing. */
enum reader_event reader_look(struct reader *reader, uint64_t now);

/* Is it time to ask for the reader (again)? Then the next time is in 2 s. */
bool reader_prompts(struct reader *reader, uint64_t now);

#endif
