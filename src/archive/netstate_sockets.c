#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "archive/netstate.h"
#include "archive/netstate_json.h"
#include "archive/socket_rows.h"
#include "base/clock.h"
#include "system/sock_diag.h"

#define LISTED 256 /* sockets that are kept: more than find room in a member */

struct sockets {
	uint64_t count, states[SOCK_DIAG_STATES];
	size_t listed, weakest; /* weakest: valid once all places are taken */
	struct sock_diag_socket list[LISTED];
};

/* Of the latest list, until they are taken. */
static struct {
	struct socket_rows tcp, tcp6;
	bool has_tcp, has_tcp6;
	uint64_t time;
} rows;

/* Linux takes one more than was said: sk_acceptq_is_full(). */
static bool is_full(const struct sock_diag_socket *socket)
{
	return strcmp(sock_diag_state(socket->state), "LISTEN") == 0 && socket->receive_queue > socket->send_queue;
}

/* Below 0: the left one has more to say. */
static int by_trouble(const void *left, const void *right)
{
	const struct sock_diag_socket *a = left, *b = right;
	const uint64_t pairs[][2] = {{is_full(a), is_full(b)},
				     {a->retransmitted, b->retransmitted},
				     {a->receiver_limited, b->receiver_limited},
				     {a->unacked, b->unacked}};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		if (pairs[i][0] != pairs[i][1])
			return pairs[i][0] > pairs[i][1] ? -1 : 1;
	}
	return 0;
}

static size_t weakest_of(const struct sockets *sockets)
{
	size_t weakest = 0;

	for (size_t i = 1; i < LISTED; i++) {
		if (by_trouble(&sockets->list[i], &sockets->list[weakest]) > 0)
			weakest = i;
	}
	return weakest;
}

static void note_socket(void *context, const struct sock_diag_socket *socket)
{
	struct sockets *sockets = context;

	socket_rows_add(socket->family == AF_INET ? &rows.tcp : &rows.tcp6, socket);
	sockets->count++;
	sockets->states[socket->state < SOCK_DIAG_STATES ? socket->state : 0]++;
	if (sockets->listed < LISTED)
		sockets->list[sockets->listed++] = *socket;
	else if (by_trouble(socket, &sockets->list[sockets->weakest]) < 0)
		sockets->list[sockets->weakest] = *socket;
	else
		return;
	if (sockets->listed == LISTED)
		sockets->weakest = weakest_of(sockets);
}

#define NUMBER(name, field) \
	{ \
		name, offsetof(struct sock_diag_socket, field) \
	}

static const struct json_field numbers[] = {
	NUMBER("retransmits", retransmits),
	NUMBER("retransmitted", retransmitted),
	NUMBER("unacked", unacked),
	NUMBER("lost", lost),
	NUMBER("rtt_us", round_trip),
	NUMBER("minrtt_us", round_trip_least),
	NUMBER("rto_us", timeout),
	NUMBER("cwnd", window),
	NUMBER("mss", mss),
	NUMBER("pmtu", pmtu),
	NUMBER("busy_us", busy),
	NUMBER("rwnd_limited_us", receiver_limited),
	NUMBER("sndbuf_limited_us", buffer_limited),
	{0},
};

static json_t *json_socket(const struct sock_diag_socket *socket)
{
	json_t *entry = json_object();

	json_put_text(&entry, "family", netstate_family(socket->family));
	json_put_text(&entry, "state", sock_diag_state(socket->state));
	json_put(&entry, "local", netstate_json_address(socket->family, socket->local, sizeof(socket->local)));
	json_put_number(&entry, "local_port", socket->local_port);
	json_put(&entry, "remote", netstate_json_address(socket->family, socket->remote, sizeof(socket->remote)));
	json_put_number(&entry, "remote_port", socket->remote_port);
	json_put_number(&entry, "recv_q", socket->receive_queue);
	json_put_number(&entry, "send_q", socket->send_queue);
	if (socket->mss) /* the kernel told */
		json_put_numbers(&entry, numbers, socket);
	return entry;
}

static void begin_sockets(struct netstate_text *text, const struct sockets *sockets, uint64_t time)
{
	char when[CLOCK_TEXT_SIZE];
	const char *front = "";

	text->used = (size_t)snprintf(text->text, text->size, "{\"time\": \"%s\",\n\"count\": %llu,\n\"states\": {",
				      clock_rfc3339(time, when), (unsigned long long)sockets->count);
	for (unsigned i = 0; i < SOCK_DIAG_STATES; i++) {
		if (!sockets->states[i])
			continue;
		text->used += (size_t)snprintf(text->text + text->used, text->size - text->used, "%s\"%s\": %llu",
					       front, sock_diag_state(i), (unsigned long long)sockets->states[i]);
		front = ", ";
	}
	text->used += (size_t)snprintf(text->text + text->used, text->size - text->used, "},\n\"sockets\": [");
}

void netstate_sockets(struct netstate_text *text, int fd, uint64_t time)
{
	static struct sockets sockets;
	enum rtnetlink_result result;

	memset(&sockets, 0, offsetof(struct sockets, list));
	socket_rows_begin(&rows.tcp, AF_INET);
	socket_rows_begin(&rows.tcp6, AF_INET6);
	result = sock_diag_list(fd, SOCK_DIAG_ALL, note_socket, &sockets);
	rows.time = time;
	rows.has_tcp = rows.has_tcp6 = result != RTNETLINK_FAILED;
	if (result == RTNETLINK_FAILED) {
		text->errnum = errno;
		return;
	}
	text->changed = result == RTNETLINK_CHANGED;
	qsort(sockets.list, sockets.listed, sizeof(sockets.list[0]), by_trouble);
	begin_sockets(text, &sockets, time);
	for (size_t i = 0; i < sockets.listed && netstate_add(text, json_socket(&sockets.list[i])); i++)
		;
	text->cut |= sockets.count > sockets.listed;
	netstate_end(text);
}

static void take_rows(struct netstate_text *text, const struct socket_rows *from, bool *has)
{
	text->errnum = *has ? 0 : ENODATA;
	*has = false;
	text->time = rows.time;
	text->used = from->used < text->size ? from->used : text->size;
	text->cut = from->full || from->used > text->size;
	memcpy(text->text, from->text, text->used);
}

void netstate_tcp(struct netstate_text *text, int fd, uint64_t time)
{
	(void)fd;
	(void)time;
	take_rows(text, &rows.tcp, &rows.has_tcp);
}

void netstate_tcp6(struct netstate_text *text, int fd, uint64_t time)
{
	(void)fd;
	(void)time;
	take_rows(text, &rows.tcp6, &rows.has_tcp6);
}
