/*
 * What the beginning of a TCP segment's payload says of TLS (RFC 8446, section 4.1.2 and 6; RFC 6066, section 3).
 * Nothing in it is trusted. A hello that goes on in the next segment is no claim: TLS_PART.
 */
#ifndef TARCAP_TLS_RECORD_H
#define TARCAP_TLS_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TLS_NAME_SIZE 256

enum tls_content {
	TLS_NONE, /* no record of TLS that is looked into */
	TLS_CLIENT_HELLO,
	TLS_PART, /* a ClientHello that isn't there as a whole; its name may be */
	TLS_SERVER_HELLO,
	TLS_ALERT, /* in clear */
};

struct tls_record {
	enum tls_content content;
	bool fatal;		  /* of an alert */
	uint8_t alert;		  /* its description */
	char name[TLS_NAME_SIZE]; /* the server that a ClientHello asks for; "": it says none. Printable ASCII, else '?'
				   */
};

enum tls_content tls_record_read(struct tls_record *record, const unsigned char *data, size_t size);

/* "unknown_ca", as RFC 8446 has it, or a number as text in spare (of 16 bytes). */
const char *tls_alert_name(uint8_t alert, char spare[16]);

#endif
