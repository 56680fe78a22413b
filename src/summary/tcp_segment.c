#include "summary/tcp_step.h"

#define LATE UINT64_C(3000000)	  /* ns: what fills a gap later was sent again, where the round trip is not known */
#define COPIED UINT64_C(50000000) /* ns: a copy comes sooner; later it is a sender that does not count */
#define SEGMENT 1448		  /* bytes, about: frames of segments that the card was to cut count as those */

static void add_hole(struct step *step)
{
	const struct tcp_side *me = step->me;
	struct hole hole = {
		.from = me->next,
		.to = step->headers->sequence,
		.time = step->now,
		.before = me->id,
		.after = step->headers->id,
		.owner = step->number * 2 + (uint32_t)step->side + 1,
	};

	step->verdict |= TCP_GAP;
	/* What the other has acknowledged was lost to the capture alone. */
	if (step->together && (step->peer->marks & TCP_ACKED) && !tcp_behind(hole.to, step->peer->acknowledged)) {
		servers_note(servers_of(step->tcp->servers, step->conversation), TROUBLE_UNSEEN, step->number,
			     &step->sighting->place, hole.to - hole.from, 0);
		return;
	}
	holes_add(step->tcp->holes, &hole);
	step->me->marks |= TCP_HOLES;
}

/* IP's numbers tell it where they count up; else how late it came does. */
static bool passed_on_the_way(const struct step *step, const struct hole *hole)
{
	uint16_t gap = (uint16_t)(hole->after - hole->before), id = (uint16_t)(step->headers->id - hole->before);
	uint64_t late = tcp_since(step->now, hole->time);
	uint32_t round_trip = step->conversation->connection.round_trip;

	if (step->together && step->peer->repeats >= 2 && step->peer->acknowledged == step->headers->sequence)
		return false;
	if (gap >= 2 && gap < 4096 && hole->before && id > 0 && id < 8192)
		return id < gap;
	return late < (round_trip ? round_trip * UINT64_C(1000) : LATE);
}

/* It was the first that is not acknowledged: how often in a row? */
static void count_stuck(struct step *step)
{
	struct tcp_connection *connection = &step->conversation->connection;
	const struct dissected *headers = step->headers;
	uint32_t size = headers->payload_length, packet = headers->upper_length + (headers->version == 4 ? 20 : 40);
	int side = step->side;

	if (connection->stuck_times[side] == 0 || connection->stuck[side] != headers->sequence) {
		connection->stuck[side] = headers->sequence;
		connection->stuck_times[side] = 1;
		connection->stuck_size[side] = 0;
	}
	connection->stuck_times[side] =
		(uint16_t)(connection->stuck_times[side] + (connection->stuck_times[side] < UINT16_MAX));
	connection->stuck_size[side] = (uint16_t)(size < UINT16_MAX ? size : UINT16_MAX);
	connection->stuck_packet[side] = (uint16_t)(packet < UINT16_MAX ? packet : UINT16_MAX);
}

/* The very packet in which next moved, once more: what is sent again has another number of IP's. */
static bool is_copy(const struct step *step)
{
	return step->headers->id && step->headers->id == step->me->id && !(step->me->marks & TCP_ID_STANDS) &&
	       step->end == step->me->next && step->headers->payload_length &&
	       tcp_since(step->now, step->me->moved) < COPIED;
}

/* The other has said that it has all of it. */
static bool has_arrived(const struct step *step)
{
	const struct tcp_connection *connection = &step->conversation->connection;
	bool ours = (connection->marks & CONNECTION_SACKED ? 1 : 0) == step->side;

	if (!step->together || !(step->peer->marks & TCP_ACKED))
		return false;
	if (!tcp_behind(step->end, step->peer->acknowledged))
		return true;
	return ours && connection->sacked_from != connection->sacked_to &&
	       !tcp_behind(connection->sacked_from, step->headers->sequence) &&
	       !tcp_behind(step->end, connection->sacked_to);
}

static void count_again(struct step *step, bool seen)
{
	struct conversation *conversation = step->conversation;
	struct tcp_connection *connection = &conversation->connection;
	struct server *server;

	step->verdict |= TCP_RETRANSMISSION;
	connection->marks |= CONNECTION_REPEATED;
	if (step->headers->payload_length == 0)
		return;
	connection->retransmitted[step->side]++;
	connection->lost_before[step->side] += !seen;
	count_stuck(step);
	server = servers_of(step->tcp->servers, conversation);
	servers_note(server, step->side == servers_side(conversation) ? TROUBLE_LOSS_FROM : TROUBLE_LOSS_TO,
		     step->number, &step->sighting->place, step->headers->payload_length, 0);
	if (has_arrived(step)) {
		server->needless[step->side == servers_side(conversation)]++;
		step->me->foretold = (uint8_t)(step->me->foretold + (step->me->foretold < UINT8_MAX));
	}
}

/* What it begins with is not new. */
static void take_old(struct step *step)
{
	uint32_t owner = step->number * 2 + (uint32_t)step->side + 1;
	struct hole hole;

	if (has_arrived(step) || !(step->me->marks & TCP_HOLES) ||
	    !holes_fill(step->tcp->holes, owner, step->headers->sequence, step->end, &hole)) {
		count_again(step, true);
	} else if (passed_on_the_way(step, &hole)) {
		step->verdict |= TCP_OUT_OF_ORDER;
		step->conversation->connection.out_of_order[step->side]++;
	} else {
		count_again(step, false);
	}
}

static bool fills_window(const struct step *step)
{
	const struct tcp_side *peer = step->peer;
	unsigned scale = peer->marks & TCP_SYN_WINDOW ? 0 : peer->scale;

	if (!step->together || !(step->me->marks & peer->marks & TCP_SCALED) || !(peer->marks & TCP_ACKED))
		return false;
	return step->end == peer->acknowledged + ((uint32_t)peer->window << scale) && peer->window > 0;
}

static void take_data(struct step *step)
{
	struct tcp_connection *connection = &step->conversation->connection;
	uint32_t size = step->headers->payload_length;
	struct tcp_side *me = step->me;

	me->marks |= TCP_DATA;
	step->conversation->segments[step->side] += size <= SEGMENT ? 1 : (size + SEGMENT - 1) / SEGMENT;
	if (size > me->largest) {
		me->largest = (uint16_t)(size < UINT16_MAX ? size : UINT16_MAX);
		me->marks |= TCP_PENDING;
		connection->pending_end[step->side] = step->end;
	}
	if (fills_window(step))
		step->verdict |= TCP_WINDOW_FULL;
}

static bool is_keep_alive(const struct step *step)
{
	const struct dissected *headers = step->headers;

	return headers->payload_length <= 1 && headers->sequence == step->me->next - 1 &&
	       !(headers->flags & (DISSECT_SYN | DISSECT_FIN)) && (step->me->marks & TCP_SEEN);
}

static void advance(struct step *step)
{
	if (step->headers->id && step->headers->id == step->me->id)
		step->me->marks |= TCP_ID_STANDS;
	step->me->next = step->end;
	step->me->moved = step->now;
	step->me->id = step->headers->id;
}

/* One byte to look whether a window of zero has opened. */
static bool is_probe(const struct step *step)
{
	return step->together && step->headers->payload_length == 1 && (step->peer->marks & TCP_ZERO) &&
	       step->headers->sequence == step->me->next;
}

void tcp_take_sequence(struct step *step)
{
	struct tcp_side *me = step->me;
	uint32_t sequence = step->headers->sequence;
	bool takes_room = step->end != sequence;

	me->marks &= (uint16_t) ~(TCP_KEPT_ALIVE | TCP_PROBED);
	if (!(me->marks & TCP_SEEN)) {
		me->marks |= TCP_SEEN;
		advance(step);
	} else if (is_probe(step)) {
		me->marks |= TCP_PROBED;
		step->verdict |= TCP_ZERO_PROBE;
		return;
	} else if (is_keep_alive(step)) {
		me->marks |= TCP_KEPT_ALIVE;
		step->verdict |= TCP_KEEP_ALIVE;
		return;
	} else if (tcp_behind(sequence, me->next)) {
		add_hole(step);
		advance(step);
	} else if (is_copy(step)) {
		step->verdict |= TCP_COPY;
		return;
	} else if (takes_room && tcp_behind(me->next, sequence)) {
		/* One that only begins with the byte of a probe is new. */
		if (step->headers->payload_length < 2 || sequence != me->next - 1)
			take_old(step);
		if (tcp_behind(step->end, me->next))
			advance(step);
	} else if (takes_room) {
		advance(step);
	}
	if (step->headers->payload_length)
		take_data(step);
}
