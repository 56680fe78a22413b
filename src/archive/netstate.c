#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if_arp.h>
#include <string.h>

#include "archive/netstate_json.h"

/* clang-format off */
static const struct netstate_word link_flags[] = {
	{IFF_LOOPBACK, "LOOPBACK"}, {IFF_BROADCAST, "BROADCAST"}, {IFF_POINTOPOINT, "POINTOPOINT"},
	{IFF_MULTICAST, "MULTICAST"}, {IFF_NOARP, "NOARP"}, {IFF_ALLMULTI, "ALLMULTI"}, {IFF_PROMISC, "PROMISC"},
	{IFF_MASTER, "MASTER"}, {IFF_SLAVE, "SLAVE"}, {IFF_DYNAMIC, "DYNAMIC"}, {IFF_UP, "UP"},
	{1 << 16, "LOWER_UP"}, {1 << 17, "DORMANT"}, {1 << 18, "ECHO"}, {0}};
static const struct netstate_word link_types[] = {
	{ARPHRD_ETHER, "ether"}, {ARPHRD_LOOPBACK, "loopback"}, {ARPHRD_NONE, "none"}, {ARPHRD_PPP, "ppp"},
	{ARPHRD_TUNNEL, "ipip"}, {ARPHRD_TUNNEL6, "tunnel6"}, {ARPHRD_SIT, "sit"}, {ARPHRD_IPGRE, "gre"},
	{ARPHRD_INFINIBAND, "infiniband"}, {ARPHRD_RAWIP, "rawip"}, {0}};
static const struct netstate_word operstates[] = {
	{0, "UNKNOWN"}, {1, "NOTPRESENT"}, {2, "DOWN"}, {3, "LOWERLAYERDOWN"}, {4, "TESTING"}, {5, "DORMANT"}, {6, "UP"},
	{0}};
/* clang-format on */

struct address {
	uint32_t interface;
	unsigned char family, prefix, scope;
	unsigned char local[16], peer[16];
};

struct interfaces {
	struct netstate_text *text;
	struct netstate_names names;
	size_t count;
	struct address addresses[NETSTATE_ADDRESSES];
};

static void copy_address(unsigned char to[16], int family, const void *data, size_t size)
{
	if (data && size >= netstate_address_size(family))
		memcpy(to, data, netstate_address_size(family));
}

/* ifa_local is the interface's own, ifa_address the other end's; IPv6 has only one of them: linux/if_addr.h. */
static bool note_address(void *context, const struct nlmsghdr *message)
{
	struct interfaces *interfaces = context;
	const struct ifaddrmsg *header = rtnetlink_header(message, sizeof(*header));
	struct address *address = &interfaces->addresses[interfaces->count];
	const void *local, *peer;
	size_t local_size, peer_size;

	if (!header || message->nlmsg_type != RTM_NEWADDR || !netstate_address_size(header->ifa_family))
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
		json_put_text(&entry, "family", netstate_family(address->family));
		json_put(&entry, "local",
			 netstate_json_address(address->family, address->local, sizeof(address->local)));
		if (memcmp(address->local, address->peer, sizeof(address->local)) != 0)
			json_put_known(&entry, "address",
				       netstate_json_address(address->family, address->peer, sizeof(address->peer)));
		json_put_known(&entry, "prefixlen", json_integer(address->prefix));
		json_put_known(&entry, "scope", netstate_json_word(netstate_scopes, address->scope));
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

	return kind ? netstate_json_name(kind, kind_size) : NULL;
}

static json_t *json_text_attribute(const struct nlmsghdr *message, unsigned type)
{
	size_t size;
	const void *data = rtnetlink_attribute(message, sizeof(struct ifinfomsg), type, &size);

	return data ? netstate_json_name(data, size) : NULL;
}

static json_t *json_bytes_attribute(const struct nlmsghdr *message, unsigned type)
{
	size_t size;
	const void *data = rtnetlink_attribute(message, sizeof(struct ifinfomsg), type, &size);

	return data ? netstate_json_link_address(data, size) : NULL;
}

static json_t *json_operstate(const struct nlmsghdr *message)
{
	size_t size;
	const unsigned char *state = rtnetlink_attribute(message, sizeof(struct ifinfomsg), IFLA_OPERSTATE, &size);

	return state && size > 0 ? netstate_json_word(operstates, *state) : NULL;
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
	json_put_known(&entry, "flags", netstate_json_words(link_flags, header->ifi_flags));
	json_put_known(&entry, "mtu", json_number_attribute(message, IFLA_MTU));
	json_put_known(&entry, "qdisc", json_text_attribute(message, IFLA_QDISC));
	if ((master = rtnetlink_number(message, sizeof(*header), IFLA_MASTER, 0)))
		json_put_known(&entry, "master", netstate_json_interface(&interfaces->names, master));
	json_put_known(&entry, "operstate", json_operstate(message));
	json_put_known(&entry, "txqlen", json_number_attribute(message, IFLA_TXQLEN));
	json_put_known(&entry, "link_type", netstate_json_word(link_types, header->ifi_type));
	json_put_known(&entry, "kind", json_kind(message));
	json_put_known(&entry, "address", json_bytes_attribute(message, IFLA_ADDRESS));
	json_put_known(&entry, "addr_info", json_addresses(interfaces, (uint32_t)header->ifi_index));
	json_put_known(&entry, "stats64", json_statistics(message));
	return netstate_add(interfaces->text, entry);
}

void netstate_interfaces(struct netstate_text *text, int fd, uint64_t time)
{
	static struct interfaces interfaces;

	memset(&interfaces, 0, sizeof(interfaces));
	interfaces.text = text;
	interfaces.names.fd = fd;
	netstate_begin(text, "interfaces", time);
	netstate_ask(text, fd, RTM_GETADDR, note_address, &interfaces);
	netstate_ask(text, fd, RTM_GETLINK, add_interface, &interfaces);
	netstate_end(text);
}
