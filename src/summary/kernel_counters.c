#include "summary/kernel_counters.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "summary/ends.h"

enum moment { START, END, MOMENTS };

struct kernel_counters {
	bool known[MOMENTS]; /* a counters.json of it came */
	bool has[MOMENTS][KERNEL_COUNTERS];
	uint64_t values[MOMENTS][KERNEL_COUNTERS];
	size_t address_count;
	unsigned char addresses[KERNEL_ADDRESSES][17]; /* the IP version, and the address with zeros behind */
	uint64_t seen;				       /* segments that these sent again */
	size_t full_count;
	char full[KERNEL_FULL][ENDS_TEXT_SIZE];
};

/* The kernel's names: net/ipv4/proc.c, net/ipv6/proc.c. Tcp counts both families. */
static const struct {
	const char *group, *name, *text;
} names[KERNEL_COUNTERS] = {
#define NAME(group, name) \
	{ \
		group, name, group "." name \
	}
	[KERNEL_RETRANSMITTED] = NAME("Tcp", "RetransSegs"),
	[KERNEL_PASSIVE_OPENS] = NAME("Tcp", "PassiveOpens"),
	[KERNEL_LISTEN_OVERFLOWS] = NAME("TcpExt", "ListenOverflows"),
	[KERNEL_LISTEN_DROPS] = NAME("TcpExt", "ListenDrops"),
	[KERNEL_CHECKSUM_IP] = NAME("IpExt", "InCsumErrors"),
	[KERNEL_CHECKSUM_TCP] = NAME("Tcp", "InCsumErrors"),
	[KERNEL_CHECKSUM_UDP] = NAME("Udp", "InCsumErrors"),
	[KERNEL_CHECKSUM_UDP6] = NAME("Udp6", "InCsumErrors"),
	[KERNEL_CHECKSUM_ICMP] = NAME("Icmp", "InCsumErrors"),
	[KERNEL_CHECKSUM_ICMP6] = NAME("Icmp6", "InCsumErrors"),
	[KERNEL_BUFFER_UDP] = NAME("Udp", "RcvbufErrors"),
	[KERNEL_BUFFER_UDP6] = NAME("Udp6", "RcvbufErrors"),
	[KERNEL_BACKLOG_TCP] = NAME("TcpExt", "TCPBacklogDrop"),
	[KERNEL_QUEUE_TCP] = NAME("TcpExt", "TCPRcvQDrop"),
	[KERNEL_PRUNED_TCP] = NAME("TcpExt", "RcvPruned"),
	[KERNEL_NO_ROUTE_OUT] = NAME("Ip", "OutNoRoutes"),
	[KERNEL_NO_ROUTE_OUT6] = NAME("Ip6", "OutNoRoutes"),
	[KERNEL_NO_ROUTE_IN] = NAME("IpExt", "InNoRoutes"),
	[KERNEL_NO_ROUTE_IN6] = NAME("Ip6", "InNoRoutes"),
#undef NAME
};

struct kernel_counters *kernel_counters_open(struct err *err)
{
	struct kernel_counters *counters = calloc(1, sizeof(*counters));

	if (!counters)
		err_sys(err, ENOMEM, "memory for counters");
	return counters;
}

void kernel_counters_close(struct kernel_counters *counters)
{
	free(counters);
}

/* --- the members --- */

static void take_counters(struct kernel_counters *counters, enum moment moment, const json_t *root)
{
	counters->known[moment] = true;
	for (size_t i = 0; i < KERNEL_COUNTERS; i++)
		counters->has[moment][i] = json_get_number(json_object_get(root, names[i].group), names[i].name,
							   &counters->values[moment][i]);
}

static bool is_own(const struct kernel_counters *counters, const unsigned char address[17])
{
	for (size_t i = 0; i < counters->address_count; i++) {
		if (memcmp(counters->addresses[i], address, sizeof(counters->addresses[i])) == 0)
			return true;
	}
	return false;
}

static void take_address(struct kernel_counters *counters, const char *text)
{
	unsigned char address[17] = {strchr(text, ':') ? 6 : 4};

	if (inet_pton(address[0] == 6 ? AF_INET6 : AF_INET, text, address + 1) == 1 &&
	    counters->address_count < KERNEL_ADDRESSES && !is_own(counters, address))
		memcpy(counters->addresses[counters->address_count++], address, sizeof(address));
}

static void take_interfaces(struct kernel_counters *counters, const json_t *root)
{
	const json_t *interfaces = json_object_get(root, "interfaces");

	for (size_t i = 0; i < json_array_size(interfaces); i++) {
		const json_t *addresses = json_object_get(json_array_get(interfaces, i), "addr_info");
		const char *text;

		for (size_t k = 0; k < json_array_size(addresses); k++) {
			if (json_get_text(json_array_get(addresses, k), "local", &text))
				take_address(counters, text);
		}
	}
}

/* Linux takes one connection more than may wait. */
static void take_socket(struct kernel_counters *counters, const json_t *socket)
{
	struct dissect_end end = {0};
	const char *state, *local;
	uint64_t waiting, most, port;
	bool version6;

	if (!json_get_text(socket, "state", &state) || strcmp(state, "LISTEN") != 0 ||
	    !json_get_text(socket, "local", &local) || !json_get_number(socket, "local_port", &port) ||
	    !json_get_number(socket, "recv_q", &waiting) || !json_get_number(socket, "send_q", &most))
		return;
	version6 = strchr(local, ':');
	end.port = (uint16_t)port;
	if (waiting > most && inet_pton(version6 ? AF_INET6 : AF_INET, local, end.address) == 1)
		ends_text(version6 ? 6 : 4, true, &end, counters->full[counters->full_count++]);
}

static void take_sockets(struct kernel_counters *counters, const json_t *root)
{
	const json_t *sockets = json_object_get(root, "sockets");

	counters->full_count = 0;
	for (size_t i = 0; i < json_array_size(sockets) && counters->full_count < KERNEL_FULL; i++)
		take_socket(counters, json_array_get(sockets, i));
}

static void take_member(struct kernel_counters *counters, const char *name, bool end, const json_t *root)
{
	if (strcmp(name, "counters.json") == 0)
		take_counters(counters, end ? END : START, root);
	else if (strcmp(name, "interfaces.json") == 0)
		take_interfaces(counters, root);
	else if (end)
		take_sockets(counters, root);
}

void kernel_counters_take(struct kernel_counters *counters, const char *name, const char *text, size_t size)
{
	static const char *const known[] = {"counters.json", "interfaces.json", "sockets.json"};
	const char *slash = strrchr(name, '/'), *file = slash ? slash + 1 : name;

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		json_t *root = strcmp(file, known[i]) == 0 ? json_loadb(text, size, 0, NULL) : NULL;

		if (root)
			take_member(counters, file, strncmp(name, "context/end/", 12) == 0, root);
		json_decref(root);
	}
}

/* --- what they say --- */

/* Each end's part in the conversation's retransmissions, where it is here. */
static void count_seen(struct kernel_counters *counters, const struct conversations *conversations)
{
	for (size_t i = 0; i < conversations_count(conversations); i++) {
		const struct conversation *one = conversations_at(conversations, i);

		for (int side = 0; side < 2 && one->protocol == PROTOCOL_TCP; side++) {
			unsigned char address[17] = {one->version};

			if (!one->connection.retransmitted[side])
				continue;
			memcpy(address + 1, one->ends[side].address, sizeof(one->ends[side].address));
			if (is_own(counters, address))
				counters->seen += one->connection.retransmitted[side];
		}
	}
}

void kernel_counters_finish(struct kernel_counters *counters, const struct conversations *conversations,
			    const struct circumstances *circumstances, struct findings *findings)
{
	if (!kernel_counters_known(counters))
		return;
	count_seen(counters, conversations);
	kernel_find(counters, circumstances, findings);
}

const char *kernel_counters_name(enum kernel_counter counter)
{
	return names[counter].text;
}

uint64_t kernel_counters_moved(const struct kernel_counters *counters, enum kernel_counter counter)
{
	uint64_t start = counters->values[START][counter], end = counters->values[END][counter];

	return counters->has[START][counter] && counters->has[END][counter] && end > start ? end - start : 0;
}

bool kernel_counters_known(const struct kernel_counters *counters)
{
	return counters->known[START] && counters->known[END];
}

bool kernel_counters_seen(const struct kernel_counters *counters, uint64_t *segments)
{
	*segments = counters->seen;
	return counters->address_count > 0;
}

const char *kernel_counters_full(const struct kernel_counters *counters, size_t i)
{
	return i < counters->full_count ? counters->full[i] : NULL;
}
