#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "request/number.h"
#include "summary/ends.h"
#include "summary/page_text.h"

/* Rows at most, of each kind; those with trouble first. */
#define SERVERS 2
#define NAMES 4
#define ERRORS 3
#define STATUSES 2

#define NAME_COLUMNS 44

/* --- the ones that are shown: a list of numbers, the heaviest first --- */

struct heaviest {
	size_t list[NAMES];
	uint64_t weights[NAMES];
	size_t count, max;
	uint64_t total; /* of those that have a weight */
};

static void weigh(struct heaviest *heaviest, size_t number, uint64_t weight)
{
	size_t at = heaviest->count;

	heaviest->total += weight > 0;
	while (at > 0 && heaviest->weights[at - 1] < weight)
		at--;
	if (weight == 0 || at == heaviest->max)
		return;
	heaviest->count += heaviest->count < heaviest->max;
	for (size_t i = heaviest->count - 1; i > at; i--) {
		heaviest->list[i] = heaviest->list[i - 1];
		heaviest->weights[i] = heaviest->weights[i - 1];
	}
	heaviest->list[at] = number;
	heaviest->weights[at] = weight;
}

static void write_more(struct page *page, const struct heaviest *heaviest, const char *what)
{
	uint64_t more = heaviest->total > heaviest->count ? heaviest->total - heaviest->count : 0;

	if (more)
		page_fact(page, "", "and %" PRIu64 " more %s%s: see --json", more, what, number_plural(more));
}

/* --- DNS --- */

static uint64_t trouble_of(const struct dns_counts *counts)
{
	return counts->asked - counts->codes[DNS_NO_ERROR] + (uint64_t)counts->slow;
}

/* Any trouble is before any number of queries. */
static uint64_t weight_of(const struct dns_counts *counts)
{
	return trouble_of(counts) << 32 | counts->asked;
}

static const char *milliseconds(uint64_t time, char text[PAGE_NUMBER_SIZE])
{
	snprintf(text, PAGE_NUMBER_SIZE, "%" PRIu64 ".%" PRIu64 " ms", time / 1000000, time / 100000 % 10);
	return text;
}

/* ", 3 SERVFAIL": what there is of each code but NOERROR, into text. */
static void codes_text(const struct dns_counts *counts, char *text, size_t size)
{
	char spare[16];

	text[0] = '\0';
	for (uint8_t code = 1; code < DNS_CODES; code++) {
		if (counts->codes[code])
			snprintf(text + strlen(text), size - strlen(text), ", %" PRIu32 " %s", counts->codes[code],
				 dns_code_name(code, spare));
	}
	if (counts->unanswered)
		snprintf(text + strlen(text), size - strlen(text), ", %" PRIu32 " unanswered", counts->unanswered);
	if (counts->refused)
		snprintf(text + strlen(text), size - strlen(text), ", %" PRIu32 " refused", counts->refused);
}

static void write_dns_server(struct page *page, const struct dns_server *server)
{
	char address[ENDS_TEXT_SIZE], codes[160], p50[PAGE_NUMBER_SIZE], p99[PAGE_NUMBER_SIZE];

	codes_text(&server->counts, codes, sizeof(codes));
	page_fact(page, "DNS", "%s: %" PRIu32 " quer%s, %" PRIu32 " answered (p50 %s, p99 %s)%s",
		  ends_address(server->key.version, &server->key.end, address), server->counts.asked,
		  server->counts.asked == 1 ? "y" : "ies", server->counts.answered,
		  milliseconds(durations_percentile(&server->times, 50), p50),
		  milliseconds(durations_percentile(&server->times, 99), p99), codes);
}

static void write_dns_name(struct page *page, const struct dns_name *name)
{
	char codes[160], type[16], time[PAGE_NUMBER_SIZE], longest[2 * PAGE_NUMBER_SIZE] = "";
	bool cut = strlen(name->name) > NAME_COLUMNS;

	codes_text(&name->counts, codes, sizeof(codes));
	if (name->counts.answered)
		snprintf(longest, sizeof(longest), ", longest %s", milliseconds(name->counts.longest, time));
	page_fact(page, "", "%.*s%s %s: asked %" PRIu32 "%s%s", cut ? NAME_COLUMNS - 3 : NAME_COLUMNS, name->name,
		  cut ? "..." : "", dns_type_name(name->type, type), name->counts.asked, codes, longest);
}

static void write_dns(struct page *page, const struct dns *dns)
{
	struct heaviest servers = {.max = SERVERS}, names = {.max = NAMES};

	for (size_t i = 0; i < dns_server_count(dns); i++)
		weigh(&servers, i, weight_of(&dns_server_at(dns, i)->counts));
	for (size_t i = 0; i < dns_name_count(dns); i++)
		weigh(&names, i, weight_of(&dns_name_at(dns, i)->counts));
	for (size_t i = 0; i < servers.count; i++)
		write_dns_server(page, dns_server_at(dns, servers.list[i]));
	for (size_t i = 0; i < names.count; i++)
		write_dns_name(page, dns_name_at(dns, names.list[i]));
	write_more(page, &names, "name");
}

/* --- HTTP --- */

static void write_http_server(struct page *page, const struct http_server *server)
{
	char end[ENDS_TEXT_SIZE], codes[80] = "";

	for (size_t i = HTTP_CODES; i-- > 0 && strlen(codes) < sizeof(codes) - 16;) {
		if (server->codes[i])
			snprintf(codes + strlen(codes), sizeof(codes) - strlen(codes), "%s%" PRIu32 " of %zu",
				 codes[0] ? ", " : "", server->codes[i], i + 100);
	}
	page_fact(page, "HTTP", "%s: %" PRIu32 " answer%s: %s",
		  ends_text(server->key.version, true, &server->key.end, end), server->answers,
		  number_plural(server->answers), codes);
}

static void write_http(struct page *page, const struct http *http)
{
	struct heaviest servers = {.max = STATUSES};

	for (size_t i = 0; i < http_count(http); i++)
		weigh(&servers, i, (uint64_t)http_at(http, i)->failed << 32 | http_at(http, i)->answers);
	for (size_t i = 0; i < servers.count; i++)
		write_http_server(page, http_at(http, servers.list[i]));
	write_more(page, &servers, "server");
}

/* --- ICMP --- */

static void write_icmp_error(struct page *page, const struct icmp_error *error)
{
	struct dissect_end by = {0}, from = error->key.from;
	char says[32], by_text[ENDS_TEXT_SIZE], from_text[ENDS_TEXT_SIZE], to[ENDS_TEXT_SIZE],
		protocol[PROTOCOLS_NAME_SIZE];

	memcpy(by.address, error->key.by, sizeof(by.address));
	from.port = error->from[0];
	page_fact(page, "ICMP", "%s (type %u, code %u) from %s, %" PRIu64 " time%s: %s %s > %s", icmp_says(error, says),
		  error->key.type, error->key.code, ends_address(error->key.version, &by, by_text), error->count,
		  number_plural(error->count), protocols_name(error->key.protocol, protocol),
		  ends_text(error->key.version, error->ports, &from, from_text),
		  ends_text(error->key.version, error->ports, &error->key.to, to));
}

static void write_icmp(struct page *page, const struct icmp *icmp)
{
	struct heaviest errors = {.max = ERRORS};

	for (size_t i = 0; i < icmp_count(icmp); i++)
		weigh(&errors, i, icmp_at(icmp, i)->count);
	for (size_t i = 0; i < errors.count; i++)
		write_icmp_error(page, icmp_at(icmp, errors.list[i]));
	write_more(page, &errors, "of ICMP's errors");
}

void page_names(struct page *page)
{
	write_dns(page, page->summary->dns);
	write_http(page, page->summary->http);
	write_icmp(page, page->summary->icmp);
}
