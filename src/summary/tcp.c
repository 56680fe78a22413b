
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "summary/tcp_step.h"

#define AGAIN (CLOCK_SECOND / 2)   /* a SYN that is sent again comes later: what comes sooner is a copy */
#define SLOW CLOCK_SECOND	   /* an answer that begins later is slow */
#define WINDOW (UINT32_C(1) << 30) /* bytes: no window is larger (RFC 7323, section 2.3) */

struct tcp *tcp_open(const struct siphash_key *key, struct err *err)
{
	struct tcp *tcp = calloc(1, sizeof(*tcp));

	if (!tcp) {
		err_sys(err, ENOMEM, "memory for TCP");
		return NULL;
	}
	if ((tcp->servers = servers_open(key, err)) && (tcp->holes = holes_open(err)))
		return tcp;
	tcp_close(tcp);
	return NULL;
}

void tcp_close(struct tcp *tcp)
{
	if (!tcp)
		return;
	servers_close(tcp->servers);
	holes_close(tcp->holes);
	free(tcp);
}

const struct servers *tcp_servers(const struct tcp *tcp)
{
	return tcp->servers;
}

uint64_t tcp_cut(const struct tcp *tcp)
{
	return tcp->cut;
}

/* --- connections --- */

/* What the conversation counts stays, and where its holes are is forgotten by their numbers. */
static void begin(struct step *step, int opener)
{
	struct conversation *conversation = step->conversation;
	struct tcp_connection *connection = &conversation->connection;
	size_t lasting = offsetof(struct tcp_connection, connections);

	memset(connection, 0, lasting);
	memset(conversation->tcp, 0, sizeof(conversation->tcp));
	conversation->asked = 0;
	conversation->member = step->sighting->place.member;
	conversation->packet = (uint32_t)step->sighting->place.packet;
	conversation->joined_packet = step->sighting->place.joined_packet;
	connection->opener = (uint8_t)opener;
	connection->opened = step->now;
	connection->marks = CONNECTION_BEGUN;
	connection->connections++;
}

/* Is it the SYN that began the connection of now, once more? */
static bool begun_by(const struct step *step, int opener)
{
	const struct tcp_connection *connection = &step->conversation->connection;
	uint32_t first = step->headers->flags & DISSECT_ACK && opener != step->side ? step->headers->acknowledged - 1
										    : step->headers->sequence;

	if (!(connection->marks & CONNECTION_BEGUN) || connection->opener != opener)
		return false;
	return connection->first_sequence[opener] == first;
}

/* The first SYN of a connection; an older one that comes late, of another interface, is none. */
static void take_syn(struct step *step)
{
	int opener = step->headers->flags & DISSECT_ACK ? !step->side : step->side;
	struct tcp_connection *connection = &step->conversation->connection;
	bool known = begun_by(step, opener);

	if (!known && (connection->marks & CONNECTION_BEGUN) && step->now < connection->opened)
		return;
	if (!known) {
		tcp_judge(step->tcp->servers, step->conversation, step->number, step->now);
		begin(step, opener);
		connection->first_sequence[opener] =
			opener == step->side ? step->headers->sequence : step->headers->acknowledged - 1;
	}
	connection->first_sequence[step->side] = step->headers->sequence;
}

static void note_answer_to_syn(struct step *step)
{
	struct tcp_connection *connection = &step->conversation->connection;
	uint64_t took = tcp_since(step->now, connection->opened);

	if (connection->marks & CONNECTION_ANSWERED)
		return;
	connection->marks |= CONNECTION_ANSWERED;
	if (!step->together)
		return;
	if (connection->tries == 1) {
		connection->round_trip = (uint32_t)(took / 1000 < UINT32_MAX ? took / 1000 : UINT32_MAX);
	} else if (connection->tries > 1 && took >= AGAIN) {
		servers_note(servers_of(step->tcp->servers, step->conversation), TROUBLE_TRIED_AGAIN, step->number,
			     &step->sighting->place, took, connection->tries);
	}
}

/* SYN and SYN+ACK, of the connection that has begun. */
static void count_syn(struct step *step)
{
	struct tcp_connection *connection = &step->conversation->connection;
	struct dissect_options options;

	if (step->me->marks & TCP_SYN_SENT)
		connection->marks |= step->side != connection->opener ? CONNECTION_ANSWERED_AGAIN : 0;
	if (step->side == connection->opener)
		connection->tries = (uint8_t)(connection->tries + (connection->tries < UINT8_MAX));
	else
		note_answer_to_syn(step);
	step->me->marks |= TCP_SYN_SENT;
	dissect_options(&options, step->headers);
	if (options.scale_known) {
		step->me->scale = options.scale;
		step->me->marks |= TCP_SCALED;
	}
}

/* The third packet of the handshake, or any later one. */
static void count_open(struct step *step)
{
	struct tcp_connection *connection = &step->conversation->connection;
	uint64_t round_trip;

	connection->marks |= CONNECTION_OPEN;
	connection->opens++;
	if (!step->together || connection->tries != 1 || (connection->marks & CONNECTION_ANSWERED_AGAIN))
		return;
	round_trip = tcp_since(step->now, connection->opened);
	connection->round_trip = (uint32_t)(round_trip / 1000 < UINT32_MAX ? round_trip / 1000 : UINT32_MAX);
	durations_add(&servers_of(step->tcp->servers, step->conversation)->handshakes, round_trip);
}

/* --- acknowledgments --- */

/* The other side's numbers that it has got, and that have been passed over here: the capture alone lacks them. */
static void take_missing(struct step *step, uint32_t from, uint32_t to)
{
	uint32_t owner = step->number * 2 + (uint32_t)!step->side + 1;
	struct hole hole;

	while (holes_fill(step->tcp->holes, owner, from, to, &hole)) {
		step->verdict |= TCP_UNSEEN;
		servers_note(servers_of(step->tcp->servers, step->conversation), TROUBLE_UNSEEN, step->number,
			     &step->sighting->place, hole.to - hole.from, 0);
	}
}

/*
 * What it acknowledges and is not here: what was passed over, or what comes yet, as a capture's two directions are not
 * always in order; before: the acknowledgment in front of this one.
 */
static void take_unseen(struct step *step, uint32_t before)
{
	uint32_t acknowledged = step->headers->acknowledged;
	struct tcp_side *peer = step->peer;

	if (tcp_behind(acknowledged, peer->next)) {
		peer->marks |= TCP_SIDE_UNSEEN;
		step->verdict |= TCP_UNSEEN;
	}
	if (!(peer->marks & TCP_HOLES))
		return;
	take_missing(step, before, acknowledged);
	if (!tcp_behind(peer->next, acknowledged))
		peer->marks &= (uint16_t)~TCP_HOLES;
}

/* What was stuck moves on. */
static void advance_acknowledged(struct step *step)
{
	struct tcp_connection *connection = &step->conversation->connection;
	uint32_t acknowledged = step->headers->acknowledged;
	struct tcp_side *peer = step->peer;
	int other = !step->side;
	uint32_t before = step->me->marks & TCP_ACKED ? step->me->acknowledged : acknowledged - WINDOW;

	step->me->acknowledged = acknowledged;
	step->me->repeats = 0;
	if (!step->together)
		return;
	if ((peer->marks & TCP_PENDING) && !tcp_behind(connection->pending_end[other], acknowledged)) {
		peer->marks &= (uint16_t)~TCP_PENDING;
		if (peer->largest > connection->passed[other])
			connection->passed[other] = peer->largest;
	}
	if (connection->stuck_times[other] && tcp_behind(acknowledged, connection->stuck[other]))
		connection->stuck_times[other] = 0;
	if (peer->marks & TCP_SEEN)
		take_unseen(step, before);
}

static void open_window(struct step *step)
{
	struct conversation *conversation = step->conversation;
	struct server *server = servers_of(step->tcp->servers, conversation);

	step->me->marks &= (uint16_t)~TCP_ZERO;
	servers_note(server, step->side == servers_side(conversation) ? TROUBLE_ZERO_SERVER : TROUBLE_ZERO_CLIENT,
		     step->number, &step->sighting->place,
		     tcp_since(step->now, conversation->connection.zero_since[step->side]), 0);
}

static void take_window(struct step *step)
{
	struct tcp_connection *connection = &step->conversation->connection;
	const struct dissected *headers = step->headers;
	struct tcp_side *me = step->me;

	me->marks &= (uint16_t)~TCP_SYN_WINDOW;
	me->marks |= headers->flags & DISSECT_SYN ? TCP_SYN_WINDOW : 0;
	if (headers->flags & (DISSECT_SYN | DISSECT_FIN)) {
		me->window = headers->window;
		return;
	}
	if (headers->window == 0) {
		step->verdict |= TCP_ZERO_WINDOW;
		connection->zeros[step->side]++;
		if (!(me->marks & TCP_ZERO))
			connection->zero_since[step->side] = step->now;
		me->marks |= TCP_ZERO;
	} else if (me->marks & TCP_ZERO) {
		open_window(step);
	}
	me->window = headers->window;
}

static bool repeats_itself(const struct step *step, uint32_t next)
{
	const struct dissected *headers = step->headers;

	return headers->payload_length == 0 && headers->window && headers->window == step->me->window &&
	       headers->sequence == next && headers->acknowledged == step->me->acknowledged &&
	       (step->me->marks & TCP_ACKED) && !(step->peer->marks & (TCP_KEPT_ALIVE | TCP_PROBED)) &&
	       !(headers->flags & (DISSECT_SYN | DISSECT_FIN));
}

/* Has it blocks of SACK? Behind no options but that, or the timestamps alone, it would be shorter. */
static bool is_selective(const struct dissected *headers)
{
	return headers->tcp_header > 32 ||
	       (headers->tcp_header == 32 && headers->upper_size > 22 && headers->upper[22] == 5);
}

/* The first block tells of what came twice: what is acknowledged, or within the second (RFC 2883, section 4). */
static bool tells_duplicate(const struct dissect_options *options, uint32_t acknowledged)
{
	const uint32_t(*sack)[2] = options->sack;

	return !tcp_behind(sack[0][1], acknowledged) ||
	       (options->sacks > 1 && !tcp_behind(sack[1][0], sack[0][0]) && !tcp_behind(sack[0][1], sack[1][1]));
}

/* One that was known to have arrived when it was sent again is counted already. */
static void take_duplicate(struct step *step)
{
	if (step->peer->foretold)
		step->peer->foretold--;
	else
		servers_of(step->tcp->servers, step->conversation)
			->needless[step->side != servers_side(step->conversation)]++;
}

/* A block that adjoins what is known makes that larger; else it is all that is known. */
static void remember_sacked(struct step *step, const uint32_t block[2])
{
	struct tcp_connection *connection = &step->conversation->connection;
	uint16_t mark = step->side ? 0 : CONNECTION_SACKED;
	uint32_t *from = &connection->sacked_from, *to = &connection->sacked_to;

	if ((connection->marks & CONNECTION_SACKED) != mark || *from == *to || tcp_behind(block[0], *to) ||
	    tcp_behind(*from, block[1])) {
		connection->marks = (uint16_t)((connection->marks & ~CONNECTION_SACKED) | mark);
		*from = block[0];
		*to = block[1];
		return;
	}
	if (tcp_behind(*from, block[0]))
		*from = block[0];
	if (tcp_behind(block[1], *to))
		*to = block[1];
}

/* What it has got of the other side, beyond what it acknowledges: it need not have been sent again, or is not here. */
static void take_selective(struct step *step)
{
	struct dissect_options options;

	if (!step->together || !is_selective(step->headers))
		return;
	if (step->headers->upper_size < step->headers->tcp_header && !(step->headers->flags & DISSECT_SYN))
		step->tcp->cut++;
	dissect_options(&options, step->headers);
	if (!options.sacks || !(step->peer->marks & TCP_SEEN))
		return;
	if (tells_duplicate(&options, step->headers->acknowledged)) {
		take_duplicate(step);
		return;
	}
	remember_sacked(step, options.sack[0]);
	if (step->peer->marks & TCP_HOLES)
		take_missing(step, options.sack[0][0], options.sack[0][1]);
}

/* next: of what this side had sent before. */
static void take_acknowledgment(struct step *step, uint32_t next)
{
	struct tcp_side *me = step->me;

	take_selective(step);
	if (!(me->marks & TCP_ACKED) || tcp_behind(step->headers->acknowledged, me->acknowledged)) {
		advance_acknowledged(step);
		me->marks |= TCP_ACKED;
	} else if (repeats_itself(step, next)) {
		step->verdict |= TCP_DUPLICATE_ACK;
		me->repeats = (uint8_t)(me->repeats + (me->repeats < UINT8_MAX));
		step->conversation->connection.repeats[step->side]++;
	}
}

/* --- requests and answers --- */

static void take_request(struct step *step, uint64_t moved)
{
	struct conversation *conversation = step->conversation;
	struct tcp_connection *connection = &conversation->connection;

	if (step->peer->marks & TCP_FIN_SENT) {
		connection->marks |= CONNECTION_LATE;
	} else if (!(connection->marks & CONNECTION_ASKED)) {
		connection->idle = tcp_milliseconds(step->now, moved);
		connection->marks &= (uint16_t)~CONNECTION_REPEATED;
	}
	connection->marks |= CONNECTION_ASKED;
	conversation->asked = step->now;
}

static void end_wait(struct step *step)
{
	struct conversation *conversation = step->conversation;
	struct tcp_connection *connection = &conversation->connection;
	struct server *server;
	uint64_t took = tcp_since(step->now, conversation->asked);

	if (!(connection->marks & CONNECTION_ASKED))
		return;
	connection->marks = (uint16_t)((connection->marks & ~CONNECTION_ASKED) | CONNECTION_ANSWERING);
	if (connection->marks & CONNECTION_REPEATED)
		return;
	server = servers_of(step->tcp->servers, conversation);
	server->waits = true;
	durations_add(&server->answers, took);
	if (took >= SLOW)
		servers_note(server, TROUBLE_SLOW, step->number, &step->sighting->place, took, 0);
}

/* moved: when something new came last, before this. */
static void take_turn(struct step *step, uint64_t moved)
{
	bool client = step->side != servers_side(step->conversation);

	if (!step->together || step->headers->payload_length == 0 || step->me->moved != step->now ||
	    (step->verdict & (TCP_RETRANSMISSION | TCP_OUT_OF_ORDER)))
		return;
	if (client)
		take_request(step, moved);
	else
		end_wait(step);
}

static void take_fin(struct step *step, uint64_t moved)
{
	struct tcp_connection *connection = &step->conversation->connection;
	uint64_t waited = tcp_since(step->now, step->conversation->asked);
	bool client = step->side != servers_side(step->conversation);

	if (step->me->marks & TCP_FIN_SENT)
		return;
	step->me->marks |= TCP_FIN_SENT;
	if (!connection->ended) {
		connection->ended = step->now;
		if (!client)
			connection->idle = tcp_milliseconds(step->now, moved);
	}
	if (client && step->together && (connection->marks & CONNECTION_ASKED) && waited >= SLOW &&
	    !(step->peer->marks & (TCP_FIN_SENT | TCP_DATA)))
		servers_note(servers_of(step->tcp->servers, step->conversation), TROUBLE_GAVE_UP, step->number,
			     &step->sighting->place, waited, 0);
}

/* --- all of it --- */

static void count_hops(struct step *step)
{
	struct tcp_side *me = step->me;

	if (!(me->marks & TCP_SEEN))
		me->hops = step->headers->hops;
	else if (me->hops != step->headers->hops)
		me->marks |= TCP_HOPS_DIFFER;
	else
		me->marks |= TCP_HOPS_KNOWN;
}

static void take_segment(struct step *step)
{
	const struct dissected *headers = step->headers;
	struct tcp_connection *connection = &step->conversation->connection;
	uint64_t before = tcp_moved(step->conversation), moved = before ? before : step->now;
	uint32_t next = step->me->next;

	if (headers->flags & DISSECT_SYN)
		count_syn(step);
	else if ((connection->marks & (CONNECTION_ANSWERED | CONNECTION_OPEN)) == CONNECTION_ANSWERED &&
		 step->side == connection->opener)
		count_open(step);
	count_hops(step);
	tcp_take_sequence(step);
	if (headers->flags & DISSECT_ACK)
		take_acknowledgment(step, next);
	take_window(step);
	take_turn(step, moved);
	if (headers->flags & DISSECT_FIN)
		take_fin(step, moved);
}

/* Each direction is looked at where it was seen first. */
static bool elsewhere(struct step *step)
{
	struct tcp_side *me = step->me;

	if (!(me->marks & TCP_SEEN))
		me->interface = step->sighting->interface;
	step->together = !(step->peer->marks & TCP_SEEN) || step->peer->interface == me->interface;
	return me->interface != step->sighting->interface;
}

unsigned tcp_add(struct tcp *tcp, struct conversation *conversation, uint32_t number, int side,
		 const struct sighting *sighting)
{
	const struct dissected *headers = sighting->headers;
	struct step step = {
		.tcp = tcp,
		.conversation = conversation,
		.me = &conversation->tcp[side],
		.peer = &conversation->tcp[!side],
		.sighting = sighting,
		.headers = headers,
		.now = sighting->place.time,
		.number = number,
		.end = headers->sequence + headers->payload_length,
		.side = side,
	};

	if (!headers->tcp_header || headers->fragment)
		return 0;
	step.end += (headers->flags & DISSECT_SYN ? 1 : 0) + (headers->flags & DISSECT_FIN ? 1u : 0u);
	if (headers->flags & DISSECT_SYN)
		take_syn(&step);
	if (elsewhere(&step))
		return TCP_ELSEWHERE;
	if (headers->flags & DISSECT_RST)
		tcp_take_reset(tcp->servers, conversation, number, side, sighting);
	else
		take_segment(&step);
	return step.verdict;
}

void tcp_finish(struct tcp *tcp, struct conversations *conversations, const struct circumstances *circumstances,
		struct findings *findings)
{
	for (size_t i = 0; i < conversations_count(conversations); i++) {
		struct conversation *conversation = conversations_at(conversations, i);

		if (conversation->protocol == PROTOCOL_TCP)
			tcp_judge(tcp->servers, conversation, (uint32_t)i, circumstances->last);
	}
	servers_sum(tcp->servers, conversations);
	tcp_find(tcp->servers, conversations, circumstances, findings);
}
