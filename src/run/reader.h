/* The reader, as far as stdin tells: that it has come (--wait-reader), and that it has gone. */
#ifndef TARCAP_READER_H
#define TARCAP_READER_H

#include <stdbool.h>
#include <stdint.h>

struct reader {
	int fd;		/* to be watched, or -1: it tells nothing more */
	bool awaited;	/* nothing may be sent before it comes */
	bool seen;	/* it has sent its byte: an end is its own */
	bool tells_end; /* the end of stdin is the reader's */
	uint64_t
		doubtful; /* boot time until which an end of stdin may be that of a /dev/null that was handed through */
	uint64_t prompt_at;
	uint64_t second_at, sent, sent_before; /* see reader_sent() */
};

/* What stdin told: none or more of it. */
enum reader_event {
	READER_CAME = 1, /* what is captured may be sent */
	READER_LEFT = 2,
	READER_UNKNOWN = 4, /* stdin ended so early that maybe nobody ever held it open: no reader shows here */
};

/*
 * fd is stdin, or -1: it means nothing. awaited: until its first byte. now is the boot time of the (first) readiness
 * line, from which a doubtful end is counted.
 */
void reader_init(struct reader *reader, int fd, bool awaited, bool tells_end, uint64_t now);

/* Take what is on fd, which is readable. What the bytes are means nothing. The events since, or 0. */
unsigned reader_look(struct reader *reader, uint64_t now);

/* Is it time to ask for the reader (again)? Then the next time is in 2 s. */
bool reader_prompts(struct reader *reader, uint64_t now);

/* So many bytes have been sent by now; to be told in each turn of the loop. */
void reader_sent(struct reader *reader, uint64_t sent, uint64_t now);

/*
 * Has so much left in the last one to two seconds that some of it may still be on its way through an engine? That of
 * containerd and kubelet holds 1.0 to 1.2 MB (measured), and a stream may be cut when the process ends at once.
 */
bool reader_is_behind(const struct reader *reader, uint64_t sent);

#endif
