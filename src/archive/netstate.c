#include "archive/netstate.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/clock.h"
#include "base/json.h"
#include "system/rtnetlink.h"

#define TAIL_SIZE 64 /* bytes that the text's end takes at most */
#define NAME_SIZE 32

struct word {
	unsigned number;
	const char *name;
};

/* As ip(8) names them, each list in its order. */
/* clang-format off */
static const struct word link_flags[] = {
	{IFF_LOOPBACK, "LOOPBACK"}, {IFF_BROADCAST, "BROADCAST"}, {IFF_POINTOPOINT, "POINTOPOINT"},
	{IFF_MULTICAST, "MULTICAST"}, {IFF_NOARP, "NOARP"}, {IFF_ALLMULTI, "ALLMULTI"}, {IFF_PROMISC, "PROMISC"},
	{IFF_MASTER, "MASTER"}, {IFF_SLAVE, "SLAVE"}, {IFF_DYNAMIC, "DYNAMIC"}, {IFF_UP, "UP"},
	{1 << 16, "LOWER_UP"}, {1 << 17, "DORMANT"}, {1 << 18, "ECHO"}, {0}};
static const struct word link_types[] = {
	{ARPHRD_ETHER, "ether"}, {ARPHRD_LOOPBACK, "loopback"}, {ARPHRD_NONE, "none"}, {ARPHRD_PPP, "ppp"},
	{ARPHRD_TUNNEL, "ipip"}, {ARPHRD_TUNNEL6, "tunnel6"}, {ARPHRD_SIT, "sit"}, {ARPHRD_IPGRE, "gre"},
	{ARPHRD_INFINIBAND, "infiniband"}, {ARPHRD_RAWIP, "rawip"}, {0}};
static const struct word operstates[] = {
	{0, "UNKNOWN"}, {1, "NOTPRESENT"}, {2, "DOWN"}, {3, "LOWERLAYERDOWN"}, {4, "TESTING"}, {5, "DORMANT"}, {6, "UP"},
	{0}};
static const struct word scopes[] = {
	{RT_SCOPE_UNIVERSE, "global"}, {RT_SCOPE_SITE, "site"}, {RT_SCOPE_LINK, "link"}, {RT_SCOPE_HOST, "host"},
	{RT_SCOPE_NOWHERE, "nowhere"}, {0}};
static const struct word route_types[] = {
	{RTN_UNICAST, "unicast"}, {RTN_LOCAL, "local"}, {RTN_BROADCAST, "broadcast"}, {RTN_ANYCAST, "anycast"},
	{RTN_MULTICAST, "multicast"}, {RTN_BLACKHOLE, "blackhole"}, {RTN_UNREACHABLE, "unreachable"},
	{RTN_PROHIBIT, "prohibit"}, {RTN_THROW, "throw"}, {0}};
static const struct word route_flags[] = {
	{RTNH_F_DEAD, "dead"}, {RTNH_F_PERVASIVE, "pervasive"}, {RTNH_F_ONLINK, "onlink"}, {RTNH_F_OFFLOAD, "offload"},
	{RTNH_F_LINKDOWN, "linkdown"}, {0}};
static const struct word protocols[] = {
	{RTPROT_UNSPEC, "unspec"}, {RTPROT_REDIRECT, "redirect"}, {RTPROT_KERNEL, "kernel"}, {RTPROT_BOOT, "boot"},
	{RTPROT_STATIC, "static"}, {RTPROT_RA, "ra"}, {RTPROT_ZEBRA, "zebra"}, {RTPROT_BIRD, "bird"},
	{RTPROT_DHCP, "dhcp"}, {186, "bgp"}, {0}};
static const struct word neighbour_states[] = {
	{NUD_INCOMPLETE, "INCOMPLETE"}, {NUD_REACHABLE, "REACHABLE"}, {NUD_STALE, "STALE"}, {NUD_DELAY, "DELAY"},
	{NUD_PROBE, "PROBE"}, {NUD_FAILED, "FAILED"}, {NUD_PERMANENT, "PERMANENT"}, {0}};
/* clang-format on */

/* The number's name; where it has none, the number. */
static json_t *json_word(const struct word *words, unsigned number)
{
	for (; words->name; words++) {
		if (words->number == number)
			return json_string(words->name);
	}
	return json_sprintf("%u", number);
}

static json_t *json_words(const struct word *words, unsigned bits)
{
	json_t *list = json_array();

	for (; words->name; words++) {
		if (bits & words->number)
			json_append(&list, json_string(words->name));
	}
	return list;
}

/* A name from the kernel, which may be any bytes. */
static json_t *json_name(const void *data, size_t size)
{
	char name[NAME_SIZE];

	snprintf(name, sizeof(name), "%.*s", (int)size, (const char *)data);
	for (char *p = name; *p; p++) {
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	}
	return json_string(name);
}

/* Which is not asked for again while it is of the same interface. Works on a socket of any kind. */
struct names {
	int fd;
	struct ifreq last;
};

static json_t *json_interface(struct names *names, uint32_t index)
{
	if (names->last.ifr_ifindex != (int)index) {
		names->last = (struct ifreq){.ifr_ifindex = (int)index};
		if (ioctl(names->fd, SIOCGIFNAME, &names->last) < 0)
			snprintf(names->last.ifr_name, sizeof(names->last.ifr_name), "if%u", index);
		names->last.ifr_ifindex = (int)index;
	}
	return json_name(names->last.ifr_name, sizeof(names->last.ifr_name));
}

static const char *family_name(int family)
{
	return family == AF_INET ? "inet" : "inet6";
}

static size_t address_size(int family)
{
	return family == AF_INET ? 4 : family == AF_INET6 ? 16 : 0;
}

/* NULL where the bytes are no address of the family. */
static json_t *json_address(int family, const void *data, size_t size)
{
	char text[INET6_ADDRSTRLEN];

	if (!data || !address_size(family) || size < address_size(family))
		return NULL;
	return json_string(inet_ntop(family, data, text, sizeof(text)));
}

static json_t *json_link_address(const unsigned char *data, size_t size)
{
	char text[3 * 32 + 1] = "";

	for (size_t i = 0; i < size && i < 32; i++)
		snprintf(text + (i ? 3 * i - 1 : 0), 4, i ? ":%02x" : "%02x", data[i]);
	return json_string(text);
}

/* --- the text --- */

static void begin_text(struct netstate_text *text, const char *name, uint64_t time)
{
	char when[CLOCK_TEXT_SIZE];

	text->used = (size_t)snprintf(text->text, text->size, "{\"time\": \"%s\",\n\"%s\": [",
				      clock_rfc3339(time, when), name);
}

/* One more entry, which ends here. False when that was one too many. */
static bool add_entry(struct netstate_text *text, json_t *entry)
{
	const char *front = text->text[text->used - 1] == '[' ? "\n" : ",\n";
	size_t taken = text->used + strlen(front) + TAIL_SIZE, room = taken < text->size ? text->size - taken : 0;
	size_t size;

	size = json_dumpb(entry, text->text + text->used + strlen(front), room, JSON_COMPACT | JSON_ENSURE_ASCII);
	json_decref(entry);
	if (size == 0) {
		text->errnum = ENOMEM;
		return false;
	}
	if (size > room) {
		text->cut = true;
		return false;
	}
	memcpy(text->text + text->used, front, strlen(front));
	text->used += strlen(front) + size;
	return true;
}

static void end_text(struct netstate_text *text)
{
	text->used += (size_t)snprintf(text->text + text->used, text->size - text->used,
				       "\n],\n\"cut\": %s, \"changed\": %s}\n", text->cut ? "true" : "false",
				       text->changed ? "true" : "false");
}

static void ask(struct netstate_text *text, int fd, uint16_t request, rtnetlink_entry *entry, void *context)
{
	enum rtnetlink_result result = text->errnum ? RTNETLINK_WHOLE : rtnetlink_list(fd, request, entry, context);

	if (result == RTNETLINK_FAILED)
		text->errnum = errno;
	text->changed |= result == RTNETLINK_CHANGED;
}

/* --- interfaces --- */

struct address {
	uint32_t interface;
	unsigned char family, prefix, scope;
	unsigned char local[16], peer[16];
};

struct interfaces {
	struct netstate_text *text;
	struct names names;
	size_t count;
	struct address addresses[NETSTATE_ADDRESSES];
};

static void copy_address(unsigned char to[16], int family, const void *data, size_t size)
{
	if (data && size >= address_size(family))
		memcpy(to, data, address_size(family));
}

/* ifa_local is the interface's own, ifa_address the other end's; IPv6 has only one of them: linux/if_addr.h. */
static bool note_address(void *context, const struct nlmsghdr *message)
{
	struct interfaces *interfaces = context;
	const struct ifaddrmsg *header = rtnetlink_header(message, sizeof(*header));
	struct address *address = &interfaces->addresses[interfaces->count];
	const void *local, *peer;
	size_t local_size, peer_size;

	if (!header || message->nlmsg_type != RTM_NEWADDR || !address_size(header->ifa_family))
		return true;
	if (interfaces->count == NETSTATE_ADDRESSES) {
		interfaces->text->cut = true;
		return false;
	}
	local = rtnetlink_attribute(message, sizeof(*header), IFA_LOCAL, &local_size);
	peer = rtnetlink_attribute(message, sizeof(*header), IFA_ADDRESS, &peer_size);
	*address = (struct address){header->ifa_index, header->ifa_family, header->ifa_prefixlen, header->ifa_scope};
	copy_address(address->local, header->ifa_family, local ? local : peer, local ? local_size : peer_size);
	copy_address(address->peer, header->ifa_family, peer, peer_size);
	interfaces->count++;
	return true;
}

static json_t *json_addresses(const struct interfaces *interfaces, uint32_t interface)
{
	json_t *found = json_array();

	for (size_t i = 0; i < interfaces->count; i++) {
		const struct address *address = &interfaces->addresses[i];
		json_t *entry;

		if (address->interface != interface)
			continue;
		entry = json_object();
		json_put_text(&entry, "family", family_name(address->family));
		json_put(&entry, "local", json_address(address->family, address->local, sizeof(address->local)));
		if (memcmp(address->local, address->peer, sizeof(address->local)) != 0)
			json_put_known(&entry, "address",
				       json_address(address->family, address->peer, sizeof(address->peer)));
		json_put_known(&entry, "prefixlen", json_integer(address->prefix));
		json_put_known(&entry, "scope", json_word(scopes, address->scope));
		json_append(&found, entry);
	}
	return found;
}

#define STATISTIC(name, field) \
	{ \
		name, offsetof(struct rtnl_link_stats64, field) \
	}

static const struct json_field received[] = {
	STATISTIC("bytes", rx_bytes),
	STATISTIC("packets", rx_packets),
	STATISTIC("errors", rx_errors),
	STATISTIC("dropped", rx_dropped),
	STATISTIC("over_errors", rx_over_errors),
	STATISTIC("multicast", multicast),
	{0},
};
static const struct json_field sent[] = {
	STATISTIC("bytes", tx_bytes),
	STATISTIC("packets", tx_packets),
	STATISTIC("errors", tx_errors),
	STATISTIC("dropped", tx_dropped),
	STATISTIC("carrier_errors", tx_carrier_errors),
	STATISTIC("collisions", collisions),
	{0},
};

static json_t *json_statistics(const struct nlmsghdr *message)
{
	struct rtnl_link_stats64 statistics = {0};
	size_t size;
	const void *data = rtnetlink_attribute(message, sizeof(struct ifinfomsg), IFLA_STATS64, &size);
	json_t *object;

	if (!data)
		return NULL;
	/* newer kernels have more of them */
	memcpy(&statistics, data, size < sizeof(statistics) ? size : sizeof(statistics));
	object = json_object();
	json_put(&object, "rx", json_numbers(received, &statistics));
	json_put(&object, "tx", json_numbers(sent, &statistics));
	return object;
}

/* "veth", "bridge"; a plain device has none. */
static json_t *json_kind(const struct nlmsghdr *message)
{
	size_t size, kind_size;
	const void *info = rtnetlink_attribute(message, sizeof(struct ifinfomsg), IFLA_LINKINFO, &size);
	const void *kind = info ? rtnetlink_nested(info, size, IFLA_INFO_KIND, &kind_size) : NULL;

	return kind ? json_name(kind, kind_size) : NULL;
}

static json_t *json_text_attribute(const struct nlmsghdr *message, unsigned type)
{
	size_t size;
	const void *data = rtnetlink_attribute(message, sizeof(struct ifinfomsg), type, &size);

	return data ? json_name(data, size) : NULL;
}

static json_t *json_bytes_attribute(const struct nlmsghdr *message, unsigned type)
{
	size_t size;
	const void *data = rtnetlink_attribute(message, sizeof(struct ifinfomsg), type, &size);

	return data ? json_link_address(data, size) : NULL;
}

static json_t *json_operstate(const struct nlmsghdr *message)
{
	size_t size;
	const unsigned char *state = rtnetlink_attribute(message, sizeof(struct ifinfomsg), IFLA_OPERSTATE, &size);

	return state && size > 0 ? json_word(operstates, *state) : NULL;
}

static json_t *json_number_attribute(const struct nlmsghdr *message, unsigned type)
{
	uint32_t number = rtnetlink_number(message, sizeof(struct ifinfomsg), type, UINT32_MAX);

	return number == UINT32_MAX ? NULL : json_integer(number);
}

static bool add_interface(void *context, const struct nlmsghdr *message)
{
	struct interfaces *interfaces = context;
	const struct ifinfomsg *header = rtnetlink_header(message, sizeof(*header));
	uint32_t master;
	json_t *entry;

	if (!header || message->nlmsg_type != RTM_NEWLINK)
		return true;
	entry = json_object();
	json_put_number(&entry, "ifindex", (uint64_t)header->ifi_index);
	json_put_known(&entry, "ifname", json_text_attribute(message, IFLA_IFNAME));
	json_put_known(&entry, "link_index", json_number_attribute(message, IFLA_LINK));
	json_put_known(&entry, "flags", json_words(link_flags, header->ifi_flags));
	json_put_known(&entry, "mtu", json_number_attribute(message, IFLA_MTU));
	json_put_known(&entry, "qdisc", json_text_attribute(message, IFLA_QDISC));
	if ((master = rtnetlink_number(message, sizeof(*header), IFLA_MASTER, 0)))
		json_put_known(&entry, "master", json_interface(&interfaces->names, master));
	json_put_known(&entry, "operstate", json_operstate(message));
	json_put_known(&entry, "txqlen", json_number_attribute(message, IFLA_TXQLEN));
	json_put_known(&entry, "link_type", json_word(link_types, header->ifi_type));
	json_put_known(&entry, "kind", json_kind(message));
	json_put_known(&entry, "address", json_bytes_attribute(message, IFLA_ADDRESS));
	json_put_known(&entry, "addr_info", json_addresses(interfaces, (uint32_t)header->ifi_index));
	json_put_known(&entry, "stats64", json_statistics(message));
	return add_entry(interfaces->text, entry);
}

void netstate_interfaces(struct netstate_text *text, int fd, uint64_t time)
{
	static struct interfaces interfaces;

	memset(&interfaces, 0, sizeof(interfaces));
	interfaces.text = text;
	interfaces.names.fd = fd;
	begin_text(text, "interfaces", time);
	ask(text, fd, RTM_GETADDR, note_address, &interfaces);
	ask(text, fd, RTM_GETLINK, add_interface, &interfaces);
	end_text(text);
}

/* --- routes and neighbours --- */

struct entries {
	struct netstate_text *text;
	struct names names;
};

static json_t *json_destination(const struct nlmsghdr *message, const struct rtmsg *header)
{
	size_t size;
	const void *data = rtnetlink_attribute(message, sizeof(*header), RTA_DST, &size);
	char text[INET6_ADDRSTRLEN];

	if (!data || size < address_size(header->rtm_family))
		return json_string("default");
	inet_ntop(header->rtm_family, data, text, sizeof(text));
	if (header->rtm_dst_len == 8 * address_size(header->rtm_family))
		return json_string(text);
	return json_sprintf("%s/%d", text, header->rtm_dst_len);
}

/* Of another family than the route's: linux/rtnetlink.h. */
static json_t *json_via(const void *data, size_t size)
{
	struct rtvia via;

	if (!data || size < sizeof(via))
		return NULL;
	memcpy(&via, data, sizeof(via));
	return json_address(via.rtvia_family, (const unsigned char *)data + sizeof(via), size - sizeof(via));
}

static void put_gateway(json_t **entry, int family, const void *attributes, size_t all)
{
	size_t size;
	const void *gateway = rtnetlink_nested(attributes, all, RTA_GATEWAY, &size);

	json_put_known(entry, "gateway", json_address(family, gateway, size));
	gateway = rtnetlink_nested(attributes, all, RTA_VIA, &size);
	json_put_known(entry, "via", json_via(gateway, size));
}

/* One route over several ways, as a list of struct rtnexthop, each with its attributes. */
static json_t *json_nexthops(struct entries *entries, int family, const unsigned char *data, size_t size)
{
	json_t *hops = data ? json_array() : NULL;
	size_t at = 0;

	while (data && size - at >= sizeof(struct rtnexthop)) {
		struct rtnexthop hop;
		json_t *entry;

		memcpy(&hop, data + at, sizeof(hop));
		if (hop.rtnh_len < sizeof(hop) || hop.rtnh_len > size - at)
			break;
		entry = json_object();
		put_gateway(&entry, family, data + at + sizeof(hop), hop.rtnh_len - sizeof(hop));
		json_put_known(&entry, "dev", json_interface(&entries->names, (uint32_t)hop.rtnh_ifindex));
		json_put_known(&entry, "weight", json_integer(hop.rtnh_hops + 1));
		json_put_known(&entry, "flags", json_words(route_flags, hop.rtnh_flags));
		json_append(&hops, entry);
		if (RTA_ALIGN((size_t)hop.rtnh_len) > size - at)
			break;
		at += RTA_ALIGN((size_t)hop.rtnh_len);
	}
	return hops;
}

/* Where packets go. */
static void put_way(struct entries *entries, json_t **entry, const struct nlmsghdr *message, const struct rtmsg *header)
{
	const void *attributes = (const unsigned char *)header + NLMSG_ALIGN(sizeof(*header));
	uint32_t interface = rtnetlink_number(message, sizeof(*header), RTA_OIF, 0);
	size_t size;
	const void *data;

	put_gateway(entry, header->rtm_family, attributes,
		    message->nlmsg_len - NLMSG_HDRLEN - NLMSG_ALIGN(sizeof(*header)));
	if (interface)
		json_put_known(entry, "dev", json_interface(&entries->names, interface));
	data = rtnetlink_attribute(message, sizeof(*header), RTA_MULTIPATH, &size);
	json_put_known(entry, "nexthops", json_nexthops(entries, header->rtm_family, data, size));
}

static bool add_route(void *context, const struct nlmsghdr *message)
{
	struct entries *entries = context;
	const struct rtmsg *header = rtnetlink_header(message, sizeof(*header));
	uint32_t table, metric;
	size_t size;
	const void *data;
	json_t *entry;

	if (!header || message->nlmsg_type != RTM_NEWROUTE || !address_size(header->rtm_family))
		return true;
	table = rtnetlink_number(message, sizeof(*header), RTA_TABLE, header->rtm_table);
	if (table == RT_TABLE_LOCAL || (header->rtm_flags & RTM_F_CLONED))
		return true;
	entry = json_object();
	json_put_text(&entry, "family", family_name(header->rtm_family));
	json_put_known(&entry, "type", json_word(route_types, header->rtm_type));
	json_put_known(&entry, "dst", json_destination(message, header));
	put_way(entries, &entry, message, header);
	json_put_known(&entry, "table", json_integer(table));
	json_put_known(&entry, "protocol", json_word(protocols, header->rtm_protocol));
	json_put_known(&entry, "scope", header->rtm_family == AF_INET ? json_word(scopes, header->rtm_scope) : NULL);
	data = rtnetlink_attribute(message, sizeof(*header), RTA_PREFSRC, &size);
	json_put_known(&entry, "prefsrc", json_address(header->rtm_family, data, size));
	if ((metric = rtnetlink_number(message, sizeof(*header), RTA_PRIORITY, 0)))
		json_put_known(&entry, "metric", json_integer(metric));
	json_put_known(&entry, "flags", json_words(route_flags, header->rtm_flags));
	return add_entry(entries->text, entry);
}

void netstate_routes(struct netstate_text *text, int fd, uint64_t time)
{
	struct entries entries = {.text = text, .names = {.fd = fd}};

	begin_text(text, "routes", time);
	ask(text, fd, RTM_GETROUTE, add_route, &entries);
	end_text(text);
}

static bool add_neighbour(void *context, const struct nlmsghdr *message)
{
	struct entries *entries = context;
	const struct ndmsg *header = rtnetlink_header(message, sizeof(*header));
	size_t size;
	const void *data;
	json_t *entry;

	/* Multicast and the like have an entry with no state that was ever learned; ip(8) does not show these. */
	if (!header || message->nlmsg_type != RTM_NEWNEIGH || !address_size(header->ndm_family) ||
	    !(header->ndm_state & ~NUD_NOARP))
		return true;
	data = rtnetlink_attribute(message, sizeof(*header), NDA_DST, &size);
	entry = json_object();
	json_put_text(&entry, "family", family_name(header->ndm_family));
	json_put_known(&entry, "dst", json_address(header->ndm_family, data, size));
	json_put_known(&entry, "dev", json_interface(&entries->names, (uint32_t)header->ndm_ifindex));
	if ((data = rtnetlink_attribute(message, sizeof(*header), NDA_LLADDR, &size)))
		json_put_known(&entry, "lladdr", json_link_address(data, size));
	if (header->ndm_flags & NTF_ROUTER)
		json_put_known(&entry, "router", json_true());
	json_put_known(&entry, "state", json_words(neighbour_states, header->ndm_state));
	return add_entry(entries->text, entry);
}

void netstate_neighbours(struct netstate_text *text, int fd, uint64_t time)
{
	struct entries entries = {.text = text, .names = {.fd = fd}};

	begin_text(text, "neighbours", time);
	ask(text, fd, RTM_GETNEIGH, add_neighbour, &entries);
	end_text(text);
}
