#include "summary/servers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CHAINS 2048
#define OTHERS SERVERS_MAX /* its place */

struct servers {
	struct siphash_key key;
	uint32_t count;
	uint32_t chains[CHAINS]; /* place + 1 */
	struct server table[SERVERS_MAX + 1];
};

struct servers *servers_open(const struct siphash_key *key, struct err *err)
{
	struct servers *servers = calloc(1, sizeof(*servers));

	if (servers)
		servers->key = *key;
	else
		err_sys(err, ENOMEM, "memory for servers");
	return servers;
}

void servers_close(struct servers *servers)
{
	free(servers);
}

int servers_side(const struct conversation *conversation)
{
	const struct dissect_end *ends = conversation->ends;

	if (conversation->settled || !conversation->ports)
		return 1;
	return ends[0].port < ends[1].port ? 0 : 1;
}

static uint32_t place_of(struct servers *servers, const struct conversation *conversation)
{
	const struct dissect_end *end = &conversation->ends[servers_side(conversation)];
	unsigned char text[sizeof(*end) + 3];
	uint32_t *chain;
	struct server *server;

	memcpy(text, end, sizeof(*end));
	text[sizeof(*end)] = conversation->version;
	text[sizeof(*end) + 1] = conversation->protocol;
	text[sizeof(*end) + 2] = conversation->ports;
	chain = &servers->chains[siphash(&servers->key, text, sizeof(text)) % CHAINS];
	for (uint32_t place = *chain; place; place = servers->table[place - 1].next) {
		server = &servers->table[place - 1];
		if (server->version == conversation->version && server->protocol == conversation->protocol &&
		    server->ports == conversation->ports && memcmp(&server->end, end, sizeof(*end)) == 0)
			return place;
	}
	if (servers->count == SERVERS_MAX)
		return OTHERS + 1;
	server = &servers->table[servers->count++];
	server->end = *end;
	server->version = conversation->version;
	server->protocol = conversation->protocol;
	server->ports = conversation->ports;
	server->next = *chain;
	return *chain = servers->count;
}

struct server *servers_of(struct servers *servers, struct conversation *conversation)
{
	if (!conversation->server)
		conversation->server = place_of(servers, conversation);
	return &servers->table[conversation->server - 1];
}

void servers_note(struct server *server, enum trouble_kind kind, uint32_t number, const struct place *place,
		  uint64_t amount, uint32_t detail)
{
	struct trouble *trouble = &server->troubles[kind];

	if (trouble->count == 0 || place->time < trouble->first.time)
		trouble->first = *place;
	if (trouble->count == 0 || amount < trouble->least)
		trouble->least = amount;
	if (amount > trouble->most)
		trouble->most = amount;
	if (detail > trouble->detail)
		trouble->detail = detail;
	trouble->sum += amount;
	trouble->count++;
	for (uint32_t i = 0; i < trouble->connection_count; i++) {
		if (trouble->connections[i] == number)
			return;
	}
	if (trouble->connection_count < FINDING_CONNECTIONS)
		trouble->connections[trouble->connection_count++] = number;
}

static void sum_tcp(struct server *server, const struct conversation *conversation)
{
	const struct tcp_connection *connection = &conversation->connection;
	int to = !servers_side(conversation);

	server->connections += connection->connections;
	server->opened += connection->opens;
	server->refused += connection->refusals;
	server->reset += connection->resets;
	server->unanswered += connection->unanswered;
	for (int i = 0; i < 2; i++) {
		int side = i == 0 ? to : !to;

		server->segments[i] += conversation->segments[side];
		server->retransmitted[i] += connection->retransmitted[side];
		server->lost_before[i] += connection->lost_before[side];
		server->out_of_order[i] += connection->out_of_order[side];
		server->repeats[i] += connection->repeats[side];
		server->zeros[i] += connection->zeros[side];
	}
}

void servers_sum(struct servers *servers, const struct conversations *conversations)
{
	for (size_t i = 0; i < conversations_count(conversations); i++) {
		struct conversation *conversation = conversations_at(conversations, i);
		struct server *server = servers_of(servers, conversation);

		if (server->conversations == 0 || conversation->first < server->first)
			server->first = conversation->first;
		if (conversation->last > server->last)
			server->last = conversation->last;
		server->conversations++;
		server->packets += conversation->sent[0].packets + conversation->sent[1].packets;
		server->bytes += conversation->sent[0].bytes + conversation->sent[1].bytes;
		if (conversation->protocol == PROTOCOL_TCP)
			sum_tcp(server, conversation);
	}
}

const struct server *servers_at(const struct servers *servers, size_t i)
{
	if (i < servers->count)
		return &servers->table[i];
	return i == servers->count && servers->table[OTHERS].conversations ? &servers->table[OTHERS] : NULL;
}

uint64_t servers_trouble(const struct server *server)
{
	uint64_t sum = server->refused + server->unanswered + server->reset;

	for (int kind = 0; kind < TROUBLES; kind++) {
		if (kind == TROUBLE_STOPPED || kind == TROUBLE_LARGE_TO || kind == TROUBLE_LARGE_FROM ||
		    kind == TROUBLE_SILENT_IDLE || kind == TROUBLE_UNHEARD || kind == TROUBLE_UNFINISHED)
			sum += server->troubles[kind].count;
	}
	return sum;
}
