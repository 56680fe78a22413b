#include "summary/kernel_sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "request/number.h"
#include "summary/ends.h"
#include "summary/tcp_telling.h"

/* What is not told is 0. */
struct kernel_socket {
	struct dissect_end local, remote;
	uint8_t version;
	uint64_t retransmitted;	      /* segments, since it was opened */
	uint64_t round_trip, window;  /* us: smoothed; spent waiting for the other's window */
	uint64_t not_read, not_acked; /* bytes in its queues */
};

struct kernel_sockets {
	size_t count[KERNEL_MOMENTS];
	struct kernel_socket list[KERNEL_MOMENTS][KERNEL_SOCKETS_MAX];
	size_t full_count; /* at the end */
	char full[KERNEL_FULL][ENDS_TEXT_SIZE];
};

struct kernel_sockets *kernel_sockets_open(struct err *err)
{
	struct kernel_sockets *sockets = calloc(1, sizeof(*sockets));

	if (!sockets)
		err_sys(err, ENOMEM, "memory for sockets");
	return sockets;
}

void kernel_sockets_close(struct kernel_sockets *sockets)
{
	free(sockets);
}

/* --- the members --- */

/* The version of IP, or 0. A socket for both has IPv4 addresses within IPv6's (RFC 4291, section 2.5.5.2). */
static uint8_t take_end(struct dissect_end *end, const json_t *entry, const char *address, const char *port)
{
	static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
	uint64_t number;
	const char *text;

	*end = (struct dissect_end){0};
	if (!json_get_text(entry, address, &text) || !json_get_number(entry, port, &number) || number > UINT16_MAX)
		return 0;
	end->port = (uint16_t)number;
	if (!strchr(text, ':'))
		return inet_pton(AF_INET, text, end->address) == 1 ? 4 : 0;
	if (inet_pton(AF_INET6, text, end->address) != 1)
		return 0;
	if (memcmp(end->address, mapped, sizeof(mapped)) != 0)
		return 6;
	memcpy(end->address, end->address + sizeof(mapped), 4);
	memset(end->address + 4, 0, sizeof(mapped));
	return 4;
}

static void take_entry(struct kernel_socket *list, size_t *count, const json_t *entry)
{
	struct kernel_socket *one = &list[*count];
	uint8_t version;

	*one = (struct kernel_socket){0};
	one->version = take_end(&one->local, entry, "local", "local_port");
	version = take_end(&one->remote, entry, "remote", "remote_port");
	if (!one->version || version != one->version || !one->remote.port)
		return;
	json_get_number(entry, "retransmitted", &one->retransmitted);
	json_get_number(entry, "rtt_us", &one->round_trip);
	json_get_number(entry, "rwnd_limited_us", &one->window);
	json_get_number(entry, "recv_q", &one->not_read);
	json_get_number(entry, "send_q", &one->not_acked);
	(*count)++;
}

/* Linux takes one connection more than may wait. */
static void take_listener(struct kernel_sockets *sockets, const json_t *entry)
{
	struct dissect_end end;
	const char *state;
	uint64_t waiting, most;
	uint8_t version;

	if (!json_get_text(entry, "state", &state) || strcmp(state, "LISTEN") != 0 ||
	    !json_get_number(entry, "recv_q", &waiting) || !json_get_number(entry, "send_q", &most))
		return;
	version = take_end(&end, entry, "local", "local_port");
	if (version && waiting > most && sockets->full_count < KERNEL_FULL)
		ends_text(version, true, &end, sockets->full[sockets->full_count++]);
}

enum kernel_moment kernel_moment_of(const char *name)
{
	return strncmp(name, "context/end/", 12) == 0 ? KERNEL_END : KERNEL_START;
}

void kernel_sockets_take(struct kernel_sockets *sockets, const char *name, const char *text, size_t size)
{
	const char *slash = strrchr(name, '/');
	enum kernel_moment moment = kernel_moment_of(name);
	json_t *root = slash && strcmp(slash, "/sockets.json") == 0 ? json_loadb(text, size, 0, NULL) : NULL;
	const json_t *entries = json_object_get(root, "sockets");

	if (root)
		sockets->count[moment] = 0;
	if (root && moment == KERNEL_END)
		sockets->full_count = 0;
	for (size_t i = 0; i < json_array_size(entries) && sockets->count[moment] < KERNEL_SOCKETS_MAX; i++) {
		take_entry(sockets->list[moment], &sockets->count[moment], json_array_get(entries, i));
		if (moment == KERNEL_END)
			take_listener(sockets, json_array_get(entries, i));
	}
	json_decref(root);
}

/* --- what they say --- */

static bool is_between(const struct kernel_socket *socket, uint8_t version, const struct dissect_end *local,
		       const struct dissect_end *remote)
{
	return socket->version == version && ends_same(&socket->local, local) && ends_same(&socket->remote, remote);
}

static const struct kernel_socket *find_socket(const struct kernel_sockets *sockets, enum kernel_moment moment,
					       uint8_t version, const struct dissect_end *local,
					       const struct dissect_end *remote)
{
	for (size_t i = 0; i < sockets->count[moment]; i++) {
		if (is_between(&sockets->list[moment][i], version, local, remote))
			return &sockets->list[moment][i];
	}
	return NULL;
}

static uint32_t seen_again(struct conversations *conversations, const struct kernel_socket *socket)
{
	int side = 0;
	const struct conversation *conversation =
		conversations_between(conversations, socket->version, &socket->local, &socket->remote, &side);

	return conversation ? conversation->connection.retransmitted[side] : 0;
}

static void say_again(struct finding *finding, const struct kernel_socket *socket, const struct kernel_socket *start,
		      struct conversations *conversations, const struct circumstances *circumstances)
{
	bool known = start && start->retransmitted <= socket->retransmitted;
	uint64_t again = socket->retransmitted - (known ? start->retransmitted : 0);

	if (!again)
		return;
	finding_say(finding, ", %" PRIu64 " segment%s sent again %s (%" PRIu32 " with data here)", again,
		    number_plural(again),
		    !known		    ? "since it was opened"
		    : circumstances->window ? "since the recorder began"
					    : "meanwhile",
		    seen_again(conversations, socket));
}

static void say_queues(struct finding *finding, const struct kernel_socket *socket)
{
	char text[TELLING_TEXT];

	if (socket->not_read)
		finding_say(finding, ", %" PRIu64 " byte%s not read at the end", socket->not_read,
			    number_plural(socket->not_read));
	if (socket->not_acked)
		finding_say(finding, ", %" PRIu64 " byte%s not acknowledged at the end", socket->not_acked,
			    number_plural(socket->not_acked));
	if (socket->window && socket->window < UINT64_MAX / 1000)
		finding_say(finding, ", %s waited for the other's window",
			    telling_duration(socket->window * 1000, text));
}

/* What the kernel has of one end of a connection. */
static void tell_socket(const struct kernel_sockets *sockets, const struct kernel_socket *socket,
			struct conversations *conversations, const struct circumstances *circumstances,
			struct finding *finding)
{
	const struct kernel_socket *start =
		find_socket(sockets, KERNEL_START, socket->version, &socket->local, &socket->remote);
	char name[ENDS_TEXT_SIZE], text[TELLING_TEXT];

	finding_say(finding, "; the kernel's socket %s", ends_text(socket->version, true, &socket->local, name));
	if (socket->round_trip && socket->round_trip < UINT64_MAX / 1000)
		finding_say(finding, ": round trip %s", telling_duration(socket->round_trip * 1000, text));
	else
		finding_say(finding, ": no round trip yet");
	say_again(finding, socket, start, conversations, circumstances);
	say_queues(finding, socket);
}

/* Of a finding's connections the first that has a socket, or one at each end. */
static void tell_finding(const struct kernel_sockets *sockets, struct conversations *conversations,
			 const struct circumstances *circumstances, struct finding *finding)
{
	bool told = false;

	for (size_t i = 0; i < finding->connection_count && !told; i++) {
		const struct finding_connection *one = &finding->connections[i];
		const struct kernel_socket *ends[2] = {
			find_socket(sockets, KERNEL_END, one->version, &one->a, &one->b),
			find_socket(sockets, KERNEL_END, one->version, &one->b, &one->a)};

		for (int side = 0; side < 2 && one->protocol == PROTOCOL_TCP; side++) {
			if (ends[side])
				tell_socket(sockets, ends[side], conversations, circumstances, finding);
			told |= ends[side] != NULL;
		}
	}
}

void kernel_sockets_finish(const struct kernel_sockets *sockets, struct conversations *conversations,
			   const struct circumstances *circumstances, struct findings *findings)
{
	static const bool about[FINDING_KINDS] = {
		[FINDING_NO_ANSWER] = true,    [FINDING_MTU] = true,	     [FINDING_ZERO_WINDOW] = true,
		[FINDING_LOSS] = true,	       [FINDING_SLOW_SERVER] = true, [FINDING_SLOW_NETWORK] = true,
		[FINDING_IDLE_TIMEOUT] = true,
	};

	for (size_t i = 0; sockets->count[KERNEL_END] && i < findings->count; i++) {
		if (about[findings->list[i].kind])
			tell_finding(sockets, conversations, circumstances, &findings->list[i]);
	}
}

const char *kernel_sockets_full(const struct kernel_sockets *sockets, size_t i)
{
	return i < sockets->full_count ? sockets->full[i] : NULL;
}
