#include "capture/interfaces.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <pcap/pcap.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* libpcap also lists "any", nflog and the like, which are no network interfaces. */
static bool is_interface(const pcap_if_t *interface)
{
	return if_nametoindex(interface->name) != 0;
}

static pcap_if_t *find_all(struct err *err)
{
	char text[PCAP_ERRBUF_SIZE];
	pcap_if_t *all;

	if (pcap_findalldevs(&all, text) < 0) {
		err_set(err, STATUS_FAILED, "cannot list the interfaces: %s", text);
		return NULL;
	}
	if (!all)
		err_set(err, STATUS_FAILED, "there are no interfaces here");
	return all;
}

static const char *connection(const pcap_if_t *interface)
{
	switch (interface->flags & PCAP_IF_CONNECTION_STATUS) {
	case PCAP_IF_CONNECTION_STATUS_CONNECTED:
		return ", Connected";
	case PCAP_IF_CONNECTION_STATUS_DISCONNECTED:
		return ", Disconnected";
	default:
		return "";
	}
}

static void print_interface(int number, const pcap_if_t *interface)
{
	unsigned flags = interface->flags;
	const char *state = flags & PCAP_IF_UP ? (flags & PCAP_IF_RUNNING ? "Up, Running" : "Up") : "none";

	printf("%d.%s%s%s%s [%s%s%s]\n", number, interface->name, interface->description ? " (" : "",
	       interface->description ? interface->description : "", interface->description ? ")" : "", state,
	       flags & PCAP_IF_LOOPBACK ? ", Loopback" : "", connection(interface));
}

int interfaces_list(struct err *err)
{
	pcap_if_t *all = find_all(err);
	int number = 0;

	if (!all)
		return -1;
	for (const pcap_if_t *interface = all; interface; interface = interface->next) {
		if (is_interface(interface))
			print_interface(++number, interface);
	}
	pcap_freealldevs(all);
	return 0;
}

char *interfaces_default(struct err *err)
{
	pcap_if_t *all = find_all(err);
	const pcap_if_t *found = NULL;
	char *name = NULL;

	for (const pcap_if_t *interface = all; interface; interface = interface->next) {
		bool loopback = interface->flags & PCAP_IF_LOOPBACK;

		if (!is_interface(interface) || !(interface->flags & PCAP_IF_UP))
			continue;
		if (!found || (!loopback && (found->flags & PCAP_IF_LOOPBACK)))
			found = interface;
	}
	if (found)
		name = strdup(found->name);
	if (all)
		pcap_freealldevs(all);
	if (!name)
		err_set(err, STATUS_FAILED, "no interface is up here (see tarcap -D)");
	return name;
}

int interfaces_up(char (*names)[INTERFACES_NAME_SIZE], int max, struct err *err)
{
	pcap_if_t *all = find_all(err);
	int count = 0;

	if (!all)
		return -1;
	for (const pcap_if_t *interface = all; interface; interface = interface->next) {
		if (!is_interface(interface) || !(interface->flags & PCAP_IF_UP))
			continue;
		if (count < max)
			snprintf(names[count], INTERFACES_NAME_SIZE, "%.15s", interface->name);
		count++;
	}
	pcap_freealldevs(all);
	if (count == 0)
		return err_set(err, STATUS_FAILED, "no interface is up here (see tarcap -D)");
	return count;
}

enum address_kind { ADDRESS_NONE, ADDRESS_IPV4, ADDRESS_IPV6, ADDRESS_LINK_LOCAL };

static enum address_kind address_text(const struct sockaddr *address, char text[INET6_ADDRSTRLEN])
{
	const struct sockaddr_in *ipv4 = (const struct sockaddr_in *)(const void *)address;
	const struct sockaddr_in6 *ipv6 = (const struct sockaddr_in6 *)(const void *)address;

	if (address && address->sa_family == AF_INET)
		return inet_ntop(AF_INET, &ipv4->sin_addr, text, INET6_ADDRSTRLEN) ? ADDRESS_IPV4 : ADDRESS_NONE;
	if (!address || address->sa_family != AF_INET6 ||
	    !inet_ntop(AF_INET6, &ipv6->sin6_addr, text, INET6_ADDRSTRLEN))
		return ADDRESS_NONE;
	return IN6_IS_ADDR_LINKLOCAL(&ipv6->sin6_addr) ? ADDRESS_LINK_LOCAL : ADDRESS_IPV6;
}

/* Append those of this kind: how long the text is then. */
static size_t add_addresses(const struct ifaddrs *all, const char *name, enum address_kind kind, char *text,
			    size_t used)
{
	char address[INET6_ADDRSTRLEN];

	for (; all; all = all->ifa_next) {
		/* A label such as eth0:1 is of eth0. */
		bool own = strncmp(all->ifa_name, name, strlen(name)) == 0 &&
			   (!all->ifa_name[strlen(name)] || all->ifa_name[strlen(name)] == ':');

		if (own && address_text(all->ifa_addr, address) == kind &&
		    used + strlen(address) + sizeof(", ") <= INTERFACES_ADDRESSES_SIZE)
			used += (size_t)snprintf(text + used, INTERFACES_ADDRESSES_SIZE - used, "%s%s",
						 used ? ", " : "", address);
	}
	return used;
}

void interfaces_addresses(const struct ifaddrs *all, const char *name, char text[INTERFACES_ADDRESSES_SIZE])
{
	size_t used = add_addresses(all, name, ADDRESS_IPV4, text, 0);

	used = add_addresses(all, name, ADDRESS_IPV6, text, used);
	if (used == 0)
		used = add_addresses(all, name, ADDRESS_LINK_LOCAL, text, used);
	if (used == 0)
		snprintf(text, INTERFACES_ADDRESSES_SIZE, "%s", INTERFACES_NO_ADDRESS);
}

char *interfaces_names(char *names, size_t size)
{
	struct err ignored = {0};
	pcap_if_t *all = find_all(&ignored);
	size_t used = 0;

	names[0] = '\0';
	for (const pcap_if_t *interface = all; interface && used < size; interface = interface->next) {
		if (is_interface(interface))
			used += (size_t)snprintf(names + used, size - used, "%s%s", used ? ", " : "", interface->name);
	}
	if (all)
		pcap_freealldevs(all);
	return names;
}

int interfaces_list_link_types(struct pcap *pcap, const char *name, struct err *err)
{
	int *numbers, count = pcap_list_datalinks(pcap, &numbers);

	if (count < 0)
		return err_set(err, STATUS_FAILED, "%s: cannot list the link types: %s", name, pcap_geterr(pcap));
	printf("Data link types for %s (use option -y to set):\n", name);
	for (int i = 0; i < count; i++) {
		const char *link_type = pcap_datalink_val_to_name(numbers[i]);

		if (link_type)
			printf("  %s (%s)\n", link_type, pcap_datalink_val_to_description(numbers[i]));
		else
			printf("  DLT %d\n", numbers[i]);
	}
	pcap_free_datalinks(numbers);
	return 0;
}

char *interfaces_link_types(struct pcap *pcap, char *names, size_t size)
{
	int *numbers, count = pcap_list_datalinks(pcap, &numbers);
	size_t used = 0;

	names[0] = '\0';
	for (int i = 0; i < count && used < size; i++) {
		const char *link_type = pcap_datalink_val_to_name(numbers[i]);

		if (link_type)
			used += (size_t)snprintf(names + used, size - used, "%s%s", used ? ", " : "", link_type);
	}
	if (count >= 0)
		pcap_free_datalinks(numbers);
	return names;
}
