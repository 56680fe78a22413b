/* HTTP's status codes by server, where a segment begins with a status line (RFC 9112, section 4). In fixed memory. */
#ifndef TARCAP_HTTP_H
#define TARCAP_HTTP_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/siphash.h"
#include "base/sizes.h"
#include "summary/sighting.h"

#define HTTP_SERVERS_MAX TABLE_OF(256)
#define HTTP_CODES 500 /* 100 to 599 */

struct http_server_key {
	struct dissect_end end;
	uint8_t version, unused;
};

struct http_server {
	struct http_server_key key;
	uint16_t device;
	uint32_t interface;	    /* where it was seen first, which is where its answers are counted */
	uint32_t answers, failed;   /* all, and those of 500 and above */
	uint32_t codes[HTTP_CODES]; /* from 100 on */
};

struct http;

/* key: as in table_open(). NULL when there is no memory. */
struct http *http_open(const struct siphash_key *key, struct err *err);
void http_close(struct http *http);

/* A packet of TCP. One that is sent again is counted again. */
void http_add(struct http *http, const struct sighting *sighting);

size_t http_count(const struct http *http);
const struct http_server *http_at(const struct http *http, size_t i);

#endif
