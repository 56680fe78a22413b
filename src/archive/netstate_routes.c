#include <arpa/inet.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "archive/netstate_json.h"

/* clang-format off */
static const struct netstate_word route_types[] = {
	{RTN_UNICAST, "unicast"}, {RTN_LOCAL, "local"}, {RTN_BROADCAST, "broadcast"}, {RTN_ANYCAST, "anycast"},
	{RTN_MULTICAST, "multicast"}, {RTN_BLACKHOLE, "blackhole"}, {RTN_UNREACHABLE, "unreachable"},
	{RTN_PROHIBIT, "prohibit"}, {RTN_THROW, "throw"}, {0}};
static const struct netstate_word route_flags[] = {
	{RTNH_F_DEAD, "dead"}, {RTNH_F_PERVASIVE, "pervasive"}, {RTNH_F_ONLINK, "onlink"}, {RTNH_F_OFFLOAD, "offload"},
	{RTNH_F_LINKDOWN, "linkdown"}, {0}};
static const struct netstate_word protocols[] = {
	{RTPROT_UNSPEC, "unspec"}, {RTPROT_REDIRECT, "redirect"}, {RTPROT_KERNEL, "kernel"}, {RTPROT_BOOT, "boot"},
	{RTPROT_STATIC, "static"}, {RTPROT_RA, "ra"}, {RTPROT_ZEBRA, "zebra"}, {RTPROT_BIRD, "bird"},
	{RTPROT_DHCP, "dhcp"}, {186, "bgp"}, {0}};
static const struct netstate_word neighbour_states[] = {
	{NUD_INCOMPLETE, "INCOMPLETE"}, {NUD_REACHABLE, "REACHABLE"}, {NUD_STALE, "STALE"}, {NUD_DELAY, "DELAY"},
	{NUD_PROBE, "PROBE"}, {NUD_FAILED, "FAILED"}, {NUD_PERMANENT, "PERMANENT"}, {0}};
/* clang-format on */

struct entries {
	struct netstate_text *text;
	struct netstate_names names;
};

static json_t *json_destination(const struct nlmsghdr *message, const struct rtmsg *header)
{
	size_t size;
	const void *data = rtnetlink_attribute(message, sizeof(*header), RTA_DST, &size);
	char text[INET6_ADDRSTRLEN];

	if (!data || size < netstate_address_size(header->rtm_family))
		return json_string("default");
	inet_ntop(header->rtm_family, data, text, sizeof(text));
	if (header->rtm_dst_len == 8 * netstate_address_size(header->rtm_family))
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
	return netstate_json_address(via.rtvia_family, (const unsigned char *)data + sizeof(via), size - sizeof(via));
}

static void put_gateway(json_t **entry, int family, const void *attributes, size_t all)
{
	size_t size;
	const void *gateway = rtnetlink_nested(attributes, all, RTA_GATEWAY, &size);

	json_put_known(entry, "gateway", netstate_json_address(family, gateway, size));
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
		json_put_known(&entry, "dev", netstate_json_interface(&entries->names, (uint32_t)hop.rtnh_ifindex));
		json_put_known(&entry, "weight", json_integer(hop.rtnh_hops + 1));
		json_put_known(&entry, "flags", netstate_json_words(route_flags, hop.rtnh_flags));
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
		json_put_known(entry, "dev", netstate_json_interface(&entries->names, interface));
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

	if (!header || message->nlmsg_type != RTM_NEWROUTE || !netstate_address_size(header->rtm_family))
		return true;
	table = rtnetlink_number(message, sizeof(*header), RTA_TABLE, header->rtm_table);
	if (table == RT_TABLE_LOCAL || (header->rtm_flags & RTM_F_CLONED))
		return true;
	entry = json_object();
	json_put_text(&entry, "family", netstate_family(header->rtm_family));
	json_put_known(&entry, "type", netstate_json_word(route_types, header->rtm_type));
	json_put_known(&entry, "dst", json_destination(message, header));
	put_way(entries, &entry, message, header);
	json_put_known(&entry, "table", json_integer(table));
	json_put_known(&entry, "protocol", netstate_json_word(protocols, header->rtm_protocol));
	json_put_known(&entry, "scope",
		       header->rtm_family == AF_INET ? netstate_json_word(netstate_scopes, header->rtm_scope) : NULL);
	data = rtnetlink_attribute(message, sizeof(*header), RTA_PREFSRC, &size);
	json_put_known(&entry, "prefsrc", netstate_json_address(header->rtm_family, data, size));
	if ((metric = rtnetlink_number(message, sizeof(*header), RTA_PRIORITY, 0)))
		json_put_known(&entry, "metric", json_integer(metric));
	json_put_known(&entry, "flags", netstate_json_words(route_flags, header->rtm_flags));
	return netstate_add(entries->text, entry);
}

void netstate_routes(struct netstate_text *text, int fd, uint64_t time)
{
	struct entries entries = {.text = text, .names = {.fd = fd}};

	netstate_begin(text, "routes", time);
	netstate_ask(text, fd, RTM_GETROUTE, add_route, &entries);
	netstate_end(text);
}

static bool add_neighbour(void *context, const struct nlmsghdr *message)
{
	struct entries *entries = context;
	const struct ndmsg *header = rtnetlink_header(message, sizeof(*header));
	size_t size;
	const void *data;
	json_t *entry;

	/* Multicast and the like have an entry with no state that was ever learned; ip(8) does not show these. */
	if (!header || message->nlmsg_type != RTM_NEWNEIGH || !netstate_address_size(header->ndm_family) ||
	    !(header->ndm_state & ~NUD_NOARP))
		return true;
	data = rtnetlink_attribute(message, sizeof(*header), NDA_DST, &size);
	entry = json_object();
	json_put_text(&entry, "family", netstate_family(header->ndm_family));
	json_put_known(&entry, "dst", netstate_json_address(header->ndm_family, data, size));
	json_put_known(&entry, "dev", netstate_json_interface(&entries->names, (uint32_t)header->ndm_ifindex));
	if ((data = rtnetlink_attribute(message, sizeof(*header), NDA_LLADDR, &size)))
		json_put_known(&entry, "lladdr", netstate_json_link_address(data, size));
	if (header->ndm_flags & NTF_ROUTER)
		json_put_known(&entry, "router", json_true());
	json_put_known(&entry, "state", netstate_json_words(neighbour_states, header->ndm_state));
	return netstate_add(entries->text, entry);
}

void netstate_neighbours(struct netstate_text *text, int fd, uint64_t time)
{
	struct entries entries = {.text = text, .names = {.fd = fd}};

	netstate_begin(text, "neighbours", time);
	netstate_ask(text, fd, RTM_GETNEIGH, add_neighbour, &entries);
	netstate_end(text);
}
