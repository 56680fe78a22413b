#include "summary/http.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "summary/table.h"

#define LINE 12 /* "HTTP/1.1 200" */

struct http {
	struct table *servers;
};

struct http *http_open(const struct siphash_key *key, struct err *err)
{
	struct http *http = calloc(1, sizeof(*http));

	if (!http) {
		err_sys(err, ENOMEM, "memory for HTTP");
		return NULL;
	}
	http->servers =
		table_open(key, sizeof(struct http_server_key), sizeof(struct http_server), HTTP_SERVERS_MAX, err);
	if (http->servers)
		return http;
	http_close(http);
	return NULL;
}

void http_close(struct http *http)
{
	if (!http)
		return;
	table_close(http->servers);
	free(http);
}

/* 100 to 599; 0: it is no status line. */
static unsigned read_code(const unsigned char *line)
{
	unsigned code = 0;

	if (memcmp(line, "HTTP/1.", 7) != 0 || line[8] != ' ')
		return 0;
	for (int i = 9; i < LINE; i++) {
		if (line[i] < '0' || line[i] > '9')
			return 0;
		code = code * 10 + (unsigned)(line[i] - '0');
	}
	return code >= 100 && code < 100 + HTTP_CODES ? code : 0;
}

void http_add(struct http *http, const struct sighting *sighting)
{
	const struct dissected *headers = sighting->headers;
	struct http_server_key key = {headers->from, headers->version, 0};
	struct http_server *server;
	unsigned code;

	_Static_assert(sizeof(key) == 20, "no holes, which would be hashed");
	if (headers->payload_size < LINE || headers->payload[0] != 'H' || !(code = read_code(headers->payload)) ||
	    !(server = table_take(http->servers, &key)))
		return;
	if (server->answers == 0) {
		server->interface = sighting->interface;
		server->device = headers->device;
	}
	if (server->interface != sighting->interface || server->device != headers->device)
		return;
	server->answers++;
	server->failed += code >= 500;
	server->codes[code - 100]++;
}

size_t http_count(const struct http *http)
{
	return table_count(http->servers);
}

const struct http_server *http_at(const struct http *http, size_t i)
{
	return table_at(http->servers, i);
}
