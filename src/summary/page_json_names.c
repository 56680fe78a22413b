#include <string.h>

#include "summary/ends.h"
#include "summary/page_json.h"

#define NAMES 1000 /* at most, and ICMP's errors */

/* --- DNS --- */

static json_t *json_codes(const struct dns_counts *counts)
{
	json_t *object = json_object();
	char spare[16];

	for (uint8_t code = 0; code < DNS_CODES; code++) {
		if (counts->codes[code])
			json_put_number(&object, dns_code_name(code, spare), counts->codes[code]);
	}
	return object;
}

static void put_counts(json_t **row, const struct dns_counts *counts)
{
	json_put_number(row, "asked", counts->asked);
	json_put_number(row, "sent_again", counts->resent);
	json_put_number(row, "answered", counts->answered);
	json_put_number(row, "unanswered", counts->unanswered);
	json_put_number(row, "refused", counts->refused);
	json_put_number(row, "slow", counts->slow);
	json_put_number(row, "truncated", counts->truncated);
	json_put(row, "codes", json_codes(counts));
	json_put(row, "longest_seconds", json_seconds(counts->longest));
}

static json_t *json_dns_server(const struct dns_server *server)
{
	char address[ENDS_TEXT_SIZE];
	json_t *row = json_object();

	json_put_text(&row, "address", ends_address(server->key.version, &server->key.end, address));
	put_counts(&row, &server->counts);
	json_put_number(&row, "over_tcp", server->over_tcp);
	json_put(&row, "times", page_json_durations(&server->times));
	return row;
}

static json_t *json_dns_name(const struct dns_name *name)
{
	char address[ENDS_TEXT_SIZE], type[16];
	json_t *row = json_object();

	json_put_text(&row, "name", name->name);
	json_put_text(&row, "type", dns_type_name(name->type, type));
	json_put_text(&row, "server", ends_address(name->server->key.version, &name->server->key.end, address));
	put_counts(&row, &name->counts);
	json_put(&row, "of_a_search_list", json_boolean(name->searched));
	return row;
}

static json_t *json_dns(const struct dns *dns)
{
	json_t *object = json_object(), *servers = json_array(), *names = json_array();

	for (size_t i = 0; i < dns_server_count(dns); i++)
		json_append(&servers, json_dns_server(dns_server_at(dns, i)));
	for (size_t i = 0; i < dns_name_count(dns) && i < NAMES; i++)
		json_append(&names, json_dns_name(dns_name_at(dns, i)));
	json_put(&object, "servers", servers);
	json_put(&object, "names", names);
	json_put_number(&object, "queries_not_attributed", dns_left_out(dns));
	return object;
}

/* --- HTTP --- */

static json_t *json_http_server(const struct http_server *server)
{
	char address[ENDS_TEXT_SIZE];
	json_t *row = json_object(), *codes = json_array();

	for (size_t i = 0; i < HTTP_CODES; i++) {
		if (server->codes[i]) {
			json_t *code = json_object();

			json_put_number(&code, "status", i + 100);
			json_put_number(&code, "answers", server->codes[i]);
			json_append(&codes, code);
		}
	}
	json_put_text(&row, "address", ends_address(server->key.version, &server->key.end, address));
	json_put_number(&row, "port", server->key.end.port);
	json_put(&row, "codes", codes);
	return row;
}

static json_t *json_http(const struct http *http)
{
	json_t *list = json_array();

	for (size_t i = 0; i < http_count(http); i++)
		json_append(&list, json_http_server(http_at(http, i)));
	return list;
}

/* --- ICMP --- */

static json_t *json_port(bool known, uint16_t port)
{
	return known ? json_integer(port) : json_null();
}

static json_t *json_icmp_error(const struct icmp_error *error)
{
	struct dissect_end by = {0};
	char text[ENDS_TEXT_SIZE], says[32], protocol[PROTOCOLS_NAME_SIZE];
	json_t *row = json_object();

	memcpy(by.address, error->key.by, sizeof(by.address));
	json_put_text(&row, "by", ends_address(error->key.version, &by, text));
	json_put_text(&row, "says", icmp_says(error, says));
	json_put_number(&row, "type", error->key.type);
	json_put_number(&row, "code", error->key.code);
	json_put(&row, "mtu", error->mtu ? json_integer(error->mtu) : json_null());
	json_put_number(&row, "count", error->count);
	json_put_text(&row, "protocol", protocols_name(error->key.protocol, protocol));
	json_put_text(&row, "from", ends_address(error->key.version, &error->key.from, text));
	json_put(&row, "from_port", json_port(error->ports, error->from[0]));
	json_put_text(&row, "to", ends_address(error->key.version, &error->key.to, text));
	json_put(&row, "to_port", json_port(error->ports, error->key.to.port));
	return row;
}

static json_t *json_icmp(const struct icmp *icmp)
{
	json_t *object = json_object(), *list = json_array();

	for (size_t i = 0; i < icmp_count(icmp) && i < NAMES; i++)
		json_append(&list, json_icmp_error(icmp_at(icmp, i)));
	json_put(&object, "errors", list);
	json_put_number(&object, "errors_not_attributed", icmp_left_out(icmp));
	return object;
}

void page_json_names(json_t **root, const struct summary *summary)
{
	json_put(root, "dns", json_dns(summary->dns));
	json_put(root, "http", json_http(summary->http));
	json_put(root, "icmp", json_icmp(summary->icmp));
}
