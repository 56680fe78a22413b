/* The parts of netstate.h's texts: what the kernel's lists have, as JSON in the words of ip(8). */
#ifndef TARCAP_NETSTATE_JSON_H
#define TARCAP_NETSTATE_JSON_H

#include <net/if.h>

#include "archive/netstate.h"
#include "base/json.h"
#include "system/rtnetlink.h"

/* As ip(8) names them, each list in its order, to a row without a name. */
struct netstate_word {
	unsigned number;
	const char *name;
};

extern const struct netstate_word netstate_scopes[];

/* The number's name, or the number where it has none; and the names of all bits that are set. */
json_t *netstate_json_word(const struct netstate_word *words, unsigned number);
json_t *netstate_json_words(const struct netstate_word *words, unsigned bits);

/* A name from the kernel, which may be any bytes, and need not end in a NUL. */
json_t *netstate_json_name(const void *data, size_t size);

/* Asks for interfaces' names, on a socket of any kind in the namespace, and keeps the latest. */
struct netstate_names {
	int fd;
	struct ifreq last;
};

/* An interface's name, by its number; "if7" where there is none. It is not asked for again while it is the same. */
json_t *netstate_json_interface(struct netstate_names *names, uint32_t index);

const char *netstate_family(int family);
size_t netstate_address_size(int family); /* in bytes; 0: none that we know */

/* NULL where the bytes are no address of the family. */
json_t *netstate_json_address(int family, const void *data, size_t size);
json_t *netstate_json_link_address(const unsigned char *data, size_t size);

void netstate_begin(struct netstate_text *text, const char *name, uint64_t time);

/* One more entry, which ends here. False when that was one too many. */
bool netstate_add(struct netstate_text *text, json_t *entry);

void netstate_end(struct netstate_text *text);

/* All that the kernel answers, entry by entry, unless the text has failed already. */
void netstate_ask(struct netstate_text *text, int fd, uint16_t request, rtnetlink_entry *entry, void *context);

#endif
