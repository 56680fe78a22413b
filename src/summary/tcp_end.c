#include "base/clock.h"
#include "summary/tcp.h"

#define IDLE 5000		      /* ms: who waited longer was idle */
#define CLOSED_IDLE 1000	      /* the same of one that closes */
#define WAITED CLOCK_SECOND	      /* who ends it after that gave up */
#define STUCK 4			      /* times a segment was sent, at least */
#define LARGE 1000		      /* bytes of a segment, at least */
#define MILLISECOND UINT64_C(1000000) /* ns */

/* Where the connection begins here. */
static struct place beginning(const struct conversation *conversation)
{
	const struct tcp_connection *connection = &conversation->connection;

	return (struct place){
		.member = conversation->member,
		.packet = conversation->packet,
		.joined_packet = conversation->joined_packet,
		.time = connection->marks & CONNECTION_BEGUN ? connection->opened : conversation->first,
	};
}

/* --- RST --- */

static void note_reset(struct servers *servers, struct conversation *conversation, uint32_t number,
		       enum trouble_kind kind, const struct sighting *sighting, uint64_t amount, uint32_t detail)
{
	conversation->connection.resets += kind != TROUBLE_ABORTED && kind != TROUBLE_GAVE_UP;
	servers_note(servers_of(servers, conversation), kind, number, &sighting->place, amount, detail);
}

static uint64_t bytes_of(const struct conversation *conversation)
{
	return conversation->sent[0].bytes + conversation->sent[1].bytes;
}

/* By the client: its own business, unless it has waited. */
static void take_abort(struct servers *servers, struct conversation *conversation, uint32_t number,
		       const struct sighting *sighting)
{
	uint64_t waited = tcp_since(sighting->place.time, conversation->asked);
	bool data = (conversation->tcp[0].marks | conversation->tcp[1].marks) & TCP_DATA;

	if ((conversation->connection.marks & CONNECTION_ASKED) && waited >= WAITED &&
	    !(conversation->tcp[servers_side(conversation)].marks & TCP_DATA))
		note_reset(servers, conversation, number, TROUBLE_GAVE_UP, sighting, waited, 0);
	else if (data)
		note_reset(servers, conversation, number, TROUBLE_ABORTED, sighting, bytes_of(conversation), 0);
}

static void take_server_reset(struct servers *servers, struct conversation *conversation, uint32_t number,
			      const struct sighting *sighting)
{
	const struct tcp_connection *connection = &conversation->connection;
	uint64_t moved = tcp_moved(conversation);
	uint32_t idle = moved ? tcp_milliseconds(sighting->place.time, moved) : 0;
	bool asked = connection->marks & CONNECTION_ASKED, late = connection->marks & CONNECTION_LATE;

	if (asked && late && connection->idle >= CLOSED_IDLE)
		note_reset(servers, conversation, number, TROUBLE_CLOSED_IDLE, sighting, connection->idle * MILLISECOND,
			   tcp_milliseconds(conversation->asked, connection->ended));
	else if (asked && !late && connection->idle >= IDLE)
		note_reset(servers, conversation, number, TROUBLE_RESET_IDLE, sighting, connection->idle * MILLISECOND,
			   0);
	else if (!asked && idle >= IDLE)
		note_reset(servers, conversation, number, TROUBLE_RESET_IDLE, sighting, idle * MILLISECOND, 0);
	else
		note_reset(servers, conversation, number, TROUBLE_RESET, sighting, bytes_of(conversation), asked);
}

static bool is_injected(const struct tcp_side *me, const struct dissected *headers)
{
	return (me->marks & TCP_HOPS_KNOWN) && !(me->marks & TCP_HOPS_DIFFER) && me->hops != headers->hops;
}

/* One that ends what is over already, or that nothing is known of. */
static bool is_harmless(const struct conversation *conversation, int side)
{
	const struct tcp_connection *connection = &conversation->connection;
	const struct tcp_side *me = &conversation->tcp[side], *peer = &conversation->tcp[!side];

	if (!(me->marks & TCP_SEEN) && !(peer->marks & TCP_SEEN))
		return true;
	if ((connection->marks & CONNECTION_BEGUN) && !(connection->marks & CONNECTION_OPEN))
		return side == connection->opener;
	if (!(me->marks & TCP_FIN_SENT) && !(peer->marks & TCP_FIN_SENT))
		return false;
	return !(connection->marks & CONNECTION_LATE);
}

void tcp_take_reset(struct servers *servers, struct conversation *conversation, uint32_t number, int side,
		    const struct sighting *sighting)
{
	struct tcp_connection *connection = &conversation->connection;
	const struct tcp_side *me = &conversation->tcp[side];
	uint16_t marks = connection->marks;

	connection->marks |= CONNECTION_RESET;
	if (marks & CONNECTION_RESET)
		return;
	if ((marks & CONNECTION_BEGUN) && !(marks & CONNECTION_ANSWERED) && side != connection->opener) {
		connection->marks |= CONNECTION_REFUSED;
		connection->refusals++;
		servers_note(servers_of(servers, conversation), TROUBLE_REFUSED, number, &sighting->place,
			     tcp_since(sighting->place.time, connection->opened), 0);
	} else if (is_injected(me, sighting->headers)) {
		note_reset(servers, conversation, number, TROUBLE_INJECTED, sighting, sighting->headers->hops,
			   me->hops);
	} else if (is_harmless(conversation, side)) {
		return;
	} else if (side != servers_side(conversation)) {
		take_abort(servers, conversation, number, sighting);
	} else {
		take_server_reset(servers, conversation, number, sighting);
	}
}

/* --- the end --- */

static void judge_opening(struct servers *servers, struct conversation *conversation, uint32_t number, uint64_t now)
{
	struct tcp_connection *connection = &conversation->connection;
	const struct tcp_side *opener = &conversation->tcp[connection->opener];
	const struct tcp_side *peer = &conversation->tcp[!connection->opener];
	uint64_t waited = tcp_since(now, connection->opened);
	struct place place = beginning(conversation);

	if (!(connection->marks & CONNECTION_BEGUN) || (connection->marks & (CONNECTION_RESET | CONNECTION_OPEN)))
		return;
	if (peer->marks & TCP_SEEN) {
		if ((connection->marks & CONNECTION_ANSWERED_AGAIN) && (opener->marks & TCP_SEEN))
			servers_note(servers_of(servers, conversation), TROUBLE_UNFINISHED, number, &place, waited, 0);
		return;
	}
	if (conversation->rejected || (opener->marks & (TCP_ACKED | TCP_DATA)))
		return;
	if (connection->tries < 2 && waited < WAITED)
		return;
	connection->unanswered++;
	servers_note(servers_of(servers, conversation), TROUBLE_UNANSWERED, number, &place, connection->tries, 0);
}

static enum trouble_kind kind_of_silence(const struct conversation *conversation, int side)
{
	const struct tcp_connection *connection = &conversation->connection;
	bool client = side != servers_side(conversation);
	uint32_t size = connection->stuck_size[side];

	if (client && (connection->marks & CONNECTION_ASKED) && connection->idle >= IDLE)
		return TROUBLE_SILENT_IDLE;
	if (size < LARGE || size <= connection->passed[side])
		return TROUBLE_STOPPED;
	return client ? TROUBLE_LARGE_TO : TROUBLE_LARGE_FROM;
}

/* Of a segment, and of its IP packet; and whether an ICMP error came back. */
static uint32_t trouble_sizes(const struct conversation *conversation, int side)
{
	uint32_t size = conversation->connection.stuck_size[side];

	return (conversation->rejected ? TROUBLE_REJECTED : 0) | (size < 0x7fff ? size : 0x7fff) << 16 |
	       conversation->connection.stuck_packet[side];
}

/* The same segment again and again, and the other side has been there. */
static void judge_stuck(struct servers *servers, struct conversation *conversation, uint32_t number, int side)
{
	const struct tcp_connection *connection = &conversation->connection;
	struct place place = beginning(conversation);
	uint16_t times = connection->stuck_times[side];
	struct server *server;
	enum trouble_kind kind;

	if (times < STUCK || !(conversation->tcp[!side].marks & TCP_SEEN) ||
	    (conversation->tcp[!side].marks & TCP_ZERO))
		return;
	server = servers_of(servers, conversation);
	kind = kind_of_silence(conversation, side);
	server->explained[side == servers_side(conversation)] += times - 1u;
	servers_note(server, kind, number, &place, kind == TROUBLE_SILENT_IDLE ? connection->idle * MILLISECOND : times,
		     trouble_sizes(conversation, side));
}

static void judge_window(struct servers *servers, struct conversation *conversation, uint32_t number, int side)
{
	struct place place = beginning(conversation);

	if (conversation->tcp[side].marks & TCP_ZERO)
		servers_note(servers_of(servers, conversation),
			     side == servers_side(conversation) ? TROUBLE_ZERO_SERVER : TROUBLE_ZERO_CLIENT, number,
			     &place, tcp_since(conversation->last, conversation->connection.zero_since[side]), 0);
}

/* Was it acknowledged, and never came here? */
static void judge_unseen(struct servers *servers, struct conversation *conversation, uint32_t number, int side)
{
	const struct tcp_side *me = &conversation->tcp[side], *peer = &conversation->tcp[!side];
	struct place place = beginning(conversation);
	uint32_t missing = peer->acknowledged - me->next;

	if ((me->marks & TCP_SIDE_UNSEEN) && (int32_t)missing > 0)
		servers_note(servers_of(servers, conversation), TROUBLE_UNSEEN, number, &place, missing, 0);
}

/* One direction alone, of at least a few packets. */
static void judge_sides(struct servers *servers, struct conversation *conversation, uint32_t number)
{
	int side = conversation->tcp[0].marks & TCP_SEEN ? 0 : 1;
	const struct tcp_side *me = &conversation->tcp[side];
	uint64_t packets = conversation->sent[side].packets;
	struct place place = beginning(conversation);
	bool unheard = conversation->connection.stuck_times[side] >= STUCK;

	if (conversation->sent[!side].packets > 0 || packets < 3 || !(me->marks & (TCP_ACKED | TCP_DATA)))
		return;
	if (unheard)
		servers_of(servers, conversation)->explained[side == servers_side(conversation)] +=
			conversation->connection.stuck_times[side] - 1u;
	servers_note(servers_of(servers, conversation), unheard ? TROUBLE_UNHEARD : TROUBLE_ONE_SIDED, number, &place,
		     packets, 0);
}

void tcp_judge(struct servers *servers, struct conversation *conversation, uint32_t number, uint64_t now)
{
	struct tcp_connection *connection = &conversation->connection;

	if (connection->marks & CONNECTION_CLOSED)
		return;
	connection->marks |= CONNECTION_CLOSED;
	judge_opening(servers, conversation, number, now);
	for (int side = 0; side < 2; side++) {
		judge_stuck(servers, conversation, number, side);
		judge_window(servers, conversation, number, side);
		judge_unseen(servers, conversation, number, side);
	}
	judge_sides(servers, conversation, number);
}
