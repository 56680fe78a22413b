/* What a DNS message says of a name (RFC 1035, section 4.1): its question and its code. Nothing in it is trusted. */
#ifndef TARCAP_DNS_MESSAGE_H
#define TARCAP_DNS_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DNS_NAME_SIZE 256 /* as text: at most 253 characters (RFC 1035, section 3.1) */

enum dns_code {
	DNS_NO_ERROR = 0,
	DNS_NXDOMAIN = 3,
	DNS_REFUSED = 5, /* the last that says that a query has failed */
};

struct dns_message {
	uint16_t id;
	bool answer, truncated;
	uint8_t code;
	uint16_t type;		  /* what is asked for: 1 is A, 28 AAAA */
	uint16_t answers;	  /* records that it claims to have */
	char name[DNS_NAME_SIZE]; /* that is asked for; a byte that isn't printable ASCII is '?'; "." is the root */
};

/* False: it is no query and no answer to one, or is cut before the end of its question. */
bool dns_message_read(struct dns_message *message, const unsigned char *data, size_t size);

/* "NXDOMAIN", or a number as text in spare (of 16 bytes). */
const char *dns_code_name(uint8_t code, char spare[16]);

/* "AAAA", or "TYPE65" in spare, as RFC 3597 writes it. */
const char *dns_type_name(uint16_t type, char spare[16]);

#endif
