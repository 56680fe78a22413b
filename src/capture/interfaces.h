/* The interfaces there are. */
#ifndef TARCAP_INTERFACES_H
#define TARCAP_INTERFACES_H

#include <stddef.h>

#include "base/err.h"

#define INTERFACES_ADDRESSES_SIZE 120 /* of addresses as text: three of IPv6 at least */
#define INTERFACES_NO_ADDRESS "no address"
#define INTERFACES_NAME_SIZE 16 /* IFNAMSIZ */

struct ifaddrs;
struct pcap;

/* Print them to stdout as tcpdump -D does: "1.eth0 [Up, Running, Connected]". */
int interfaces_list(struct err *err);

/* The first that is up and not loopback, else the loopback. malloc'ed; NULL on failure. */
char *interfaces_default(struct err *err);

/*
 * The names of those that are up, at most max of them, in libpcap's order: loopback last. Returns how many there are,
 * -1 on failure.
 */
int interfaces_up(char (*names)[INTERFACES_NAME_SIZE], int max, struct err *err);

/*
 * The addresses of the interface name in all, which getifaddrs(3) made, as "10.0.0.7, fd00::7": IPv4 first, link-local
 * ones only where there are no others; as many as fit. INTERFACES_NO_ADDRESS where it has none.
 */
void interfaces_addresses(const struct ifaddrs *all, const char *name, char text[INTERFACES_ADDRESSES_SIZE]);

/* The names of all, with commas, cut at size. Returns names. */
char *interfaces_names(char *names, size_t size);

/* Print the link types that the activated pcap can give the packets of the interface name, as tcpdump -L does. */
int interfaces_list_link_types(struct pcap *pcap, const char *name, struct err *err);

/* Their names, with commas, cut at size. Returns names. */
char *interfaces_link_types(struct pcap *pcap, char *names, size_t size);

#endif
