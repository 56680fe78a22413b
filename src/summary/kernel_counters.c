#include "summary/kernel_counters.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

struct kernel_counters {
	bool known[KERNEL_MOMENTS]; /* a counters.json of it came */
	bool has[KERNEL_MOMENTS][KERNEL_COUNTERS];
	uint64_t values[KERNEL_MOMENTS][KERNEL_COUNTERS];
	size_t address_count;
	unsigned char addresses[KERNEL_ADDRESSES][17]; /* the IP version, and the address with zeros behind */
	uint64_t seen;				       /* segments that these sent again */
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

static void take_counters(struct kernel_counters *counters, enum kernel_moment moment, const json_t *root)
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

void kernel_counters_take(struct kernel_counters *counters, const char *name, const char *text, size_t size)
{
	const char *slash = strrchr(name, '/'), *file = slash ? slash + 1 : name;
	bool is_counters = strcmp(file, "counters.json") == 0;
	json_t *root = is_counters || strcmp(file, "interfaces.json") == 0 ? json_loadb(text, size, 0, NULL) : NULL;

	if (root && is_counters)
		take_counters(counters, kernel_moment_of(name), root);
	else if (root)
		take_interfaces(counters, root);
	json_decref(root);
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

void kernel_counters_finish(struct kernel_counters *counters, const struct kernel_sockets *sockets,
			    const struct conversations *conversations, const struct circumstances *circumstances,
			    struct findings *findings)
{
	if (!kernel_counters_known(counters))
		return;
	count_seen(counters, conversations);
	kernel_find(counters, sockets, circumstances, findings);
}

const char *kernel_counters_name(enum kernel_counter counter)
{
	return names[counter].text;
}

uint64_t kernel_counters_moved(const struct kernel_counters *counters, enum kernel_counter counter)
{
	uint64_t start = counters->values[KERNEL_START][counter], end = counters->values[KERNEL_END][counter];

	return counters->has[KERNEL_START][counter] && counters->has[KERNEL_END][counter] && end > start ? end - start
													 : 0;
}

bool kernel_counters_known(const struct kernel_counters *counters)
{
	return counters->known[KERNEL_START] && counters->known[KERNEL_END];
}

bool kernel_counters_seen(const struct kernel_counters *counters, uint64_t *segments)
{
	*segments = counters->seen;
	return counters->address_count > 0;
}
