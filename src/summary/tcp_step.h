/* A packet on its way through tcp.c and tcp_segment.c. */
#ifndef TARCAP_TCP_STEP_H
#define TARCAP_TCP_STEP_H

#include <stdbool.h>
#include <stdint.h>

#include "summary/holes.h"
#include "summary/tcp.h"

struct tcp {
	struct servers *servers;
	struct holes *holes;
	uint64_t cut; /* acknowledgments, within options that may be SACK */
};

struct step {
	struct tcp *tcp;
	struct conversation *conversation;
	struct tcp_side *me, *peer;
	const struct sighting *sighting;
	const struct dissected *headers;
	uint64_t now;
	uint32_t number, end; /* of the conversation; behind its last sequence number */
	int side;
	bool together; /* both directions are seen at one interface: then what one says of the other holds */
	unsigned verdict;
};

/* Sequence numbers wrap around: a is behind b. */
static inline bool tcp_behind(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) > 0;
}

/* Its sequence numbers against those that its side has sent before. */
void tcp_take_sequence(struct step *step);

#endif
