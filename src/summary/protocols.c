#include "summary/protocols.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct name {
	uint16_t number;
	const char *name;
};

/* IANA's protocol numbers, by the names that people use. */
static const struct name ip_names[] = {
	{1, "ICMP"},  {2, "IGMP"},	  {4, "IPv4 in IP"},	 {6, "TCP"},	       {17, "UDP"},
	{33, "DCCP"}, {41, "IPv6 in IP"}, {44, "IPv6 fragment"}, {46, "RSVP"},	       {47, "GRE"},
	{50, "ESP"},  {51, "AH"},	  {58, "ICMPv6"},	 {59, "IPv6 no next"}, {89, "OSPF"},
	{103, "PIM"}, {112, "VRRP"},	  {132, "SCTP"},	 {136, "UDP-Lite"},
};

/* IEEE's ethertypes; DISSECT_IPV4 and DISSECT_IPV6 are here only when nothing of the header could be read. */
static const struct name type_names[] = {
	{DISSECT_LLC, "LLC (802.3)"},
	{DISSECT_UNKNOWN, "unknown"},
	{DISSECT_IPV4, "IPv4, cut or malformed"},
	{DISSECT_IPV6, "IPv6, cut or malformed"},
	{DISSECT_ARP, "ARP"},
	{0x8035, "RARP"},
	{0x8847, "MPLS"},
	{0x8848, "MPLS multicast"},
	{0x8863, "PPPoE discovery"},
	{0x8864, "PPPoE session"},
	{0x888e, "EAPOL"},
	{0x88cc, "LLDP"},
	{0x88e5, "MACsec"},
	{0x88f7, "PTP"},
	{0x8100, "VLAN, cut or malformed"},
};

static const char *known_name(const struct name *names, size_t count, uint16_t number)
{
	for (size_t i = 0; i < count; i++) {
		if (names[i].number == number)
			return names[i].name;
	}
	return NULL;
}

char *protocols_name(uint8_t protocol, char name[PROTOCOLS_NAME_SIZE])
{
	const char *known = known_name(ip_names, sizeof(ip_names) / sizeof(ip_names[0]), protocol);

	if (known)
		snprintf(name, PROTOCOLS_NAME_SIZE, "%s", known);
	else
		snprintf(name, PROTOCOLS_NAME_SIZE, "IP protocol %d", protocol);
	return name;
}

static void name_type(uint16_t type, char name[PROTOCOLS_NAME_SIZE])
{
	const char *known = known_name(type_names, sizeof(type_names) / sizeof(type_names[0]), type);

	if (known)
		snprintf(name, PROTOCOLS_NAME_SIZE, "%s", known);
	else
		snprintf(name, PROTOCOLS_NAME_SIZE, "ethertype 0x%04x", type);
}

static void count_packet(struct protocols_count *to, uint64_t bytes)
{
	to->packets++;
	to->bytes += bytes;
}

static struct protocols_count *type_of(struct protocols *protocols, uint16_t type)
{
	for (size_t i = 0; i < protocols->type_count; i++) {
		if (protocols->type[i] == type)
			return &protocols->types[i];
	}
	if (protocols->type_count == PROTOCOLS_TYPES)
		return &protocols->other;
	protocols->type[protocols->type_count] = type;
	return &protocols->types[protocols->type_count++];
}

void protocols_add(struct protocols *protocols, const struct dissected *dissected, uint64_t bytes)
{
	if (dissected->vlan)
		count_packet(&protocols->tagged, bytes);
	if (dissected->fragment)
		count_packet(&protocols->fragments, bytes);
	if (!dissected->version) {
		count_packet(type_of(protocols, dissected->ethertype), bytes);
		return;
	}
	count_packet(dissected->version == 4 ? &protocols->version4 : &protocols->version6, bytes);
	count_packet(&protocols->ip[dissected->protocol], bytes);
}

static int by_bytes(const void *left, const void *right)
{
	const struct protocols_count *a = &((const struct protocols_row *)left)->count;
	const struct protocols_count *b = &((const struct protocols_row *)right)->count;

	if (a->bytes != b->bytes)
		return a->bytes > b->bytes ? -1 : 1;
	if (a->packets != b->packets)
		return a->packets > b->packets ? -1 : 1;
	return strcmp(((const struct protocols_row *)left)->name, ((const struct protocols_row *)right)->name);
}

size_t protocols_rows(const struct protocols *protocols, struct protocols_row rows[PROTOCOLS_MAX])
{
	size_t used = 0;

	for (unsigned i = 0; i < 256; i++) {
		if (protocols->ip[i].packets == 0)
			continue;
		protocols_name((uint8_t)i, rows[used].name);
		rows[used++].count = protocols->ip[i];
	}
	for (size_t i = 0; i < protocols->type_count; i++) {
		name_type(protocols->type[i], rows[used].name);
		rows[used++].count = protocols->types[i];
	}
	if (protocols->other.packets) {
		snprintf(rows[used].name, PROTOCOLS_NAME_SIZE, "other ethertypes");
		rows[used++].count = protocols->other;
	}
	qsort(rows, used, sizeof(*rows), by_bytes);
	return used;
}
