#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "request/number.h"
#include "summary/dns.h"
#include "summary/ends.h"

#define NAME_SHOWN 60
#define SEARCHES_MIN 2	    /* elements of a search list that were tried in vain before it is said */
#define SLOW_MIN 3	    /* slow answers, or one that is: */
#define SLOW_ONE 1000000000 /* ns */

static const char *server_text(const struct dns_server *server, char text[ENDS_TEXT_SIZE])
{
	return ends_address(server->key.version, &server->key.end, text);
}

static const char *server_filter(const struct dns_server *server, char text[ENDS_FILTER_SIZE])
{
	return ends_filter(server->key.version, &server->key.end, text);
}

/* As text of a display filter; '?' stands for what isn't printable, so that such a name would not be found. */
static bool can_be_found(const char *name)
{
	return !strpbrk(name, "?\"\\");
}

/* A query is asked from any of a client's ports: the connection is the server's. */
static void say_server(struct finding *finding, const struct dns_server *server)
{
	struct finding_connection connection = {
		.b = server->key.end, .version = server->key.version, .protocol = PROTOCOL_UDP, .ports = true};

	connection.a = server->client;
	finding_connection(finding, &connection);
}

/* Answers with a code that says so, but NXDOMAIN. */
static uint32_t failed(const struct dns_counts *counts)
{
	uint32_t count = 0;

	for (unsigned code = 1; code <= DNS_REFUSED; code++)
		count += code == DNS_NXDOMAIN ? 0 : counts->codes[code];
	return count;
}

/* --- unanswered --- */

static uint32_t unanswered_of(const struct dns_name *name)
{
	return name->counts.unanswered;
}

/* Of a server's names the one with most of what is counted; others: how many more have some. NULL: none has any. */
static const struct dns_name *most(const struct dns *dns, const struct dns_server *server,
				   uint32_t (*count)(const struct dns_name *), size_t *others)
{
	const struct dns_name *found = NULL;

	*others = 0;
	for (size_t i = 0; i < dns_name_count(dns); i++) {
		const struct dns_name *name = dns_name_at(dns, i);

		if (name->server != server || count(name) == 0)
			continue;
		*others += found != NULL;
		if (!found || count(name) > count(found))
			found = name;
	}
	return found;
}

static void say_names(struct finding *finding, const struct dns_name *name, size_t others)
{
	if (name)
		finding_say(finding, ": %.*s%s", NAME_SHOWN, name->name, strlen(name->name) > NAME_SHOWN ? "..." : "");
	if (name && others)
		finding_say(finding, " and %zu more name%s", others, number_plural(others));
}

static void find_unanswered(const struct dns *dns, const struct dns_server *server,
			    const struct circumstances *circumstances, struct findings *findings)
{
	const struct dns_counts *counts = &server->counts;
	char text[ENDS_TEXT_SIZE], filter[ENDS_FILTER_SIZE];
	struct finding *finding;
	const struct dns_name *name;
	size_t others;

	if (!counts->unanswered)
		return;
	finding = findings_add(findings, FINDING_DNS_UNANSWERED,
			       counts->unanswered > 1 || counts->answered == 0 ? FINDING_ERROR : FINDING_WARNING, 560);
	name = most(dns, server, unanswered_of, &others);
	finding_say(finding, "%s did not answer %" PRIu32 " of %" PRIu32 " DNS quer%s", server_text(server, text),
		    counts->unanswered, counts->asked, counts->asked == 1 ? "y" : "ies");
	say_names(finding, name, others);
	if (counts->resent)
		finding_say(finding, "; sent again %" PRIu32 " time%s", counts->resent, number_plural(counts->resent));
	finding->absent = true;
	if (!circumstances->lost && !circumstances->one_way && circumstances->filtered && !counts->answered)
		finding_say(finding, " (or the capture's filter left the answers out)");
	finding->count = counts->unanswered;
	finding->first = server->unanswered;
	say_server(finding, server);
	finding_filter(finding, "dns.flags.response == 0 && !dns.response_in && %s", server_filter(server, filter));
	finding_next(finding, counts->answered
				      ? "the load of that name server, and loss on the way to it"
				      : "whether that name server runs, and whether answers come back from it");
}

/* --- failing --- */

static bool is_search(const struct dns_name *name)
{
	return name->searched;
}

/* Names that people ask for, and not records about them, which often aren't there. */
static bool is_host(const struct dns_name *name)
{
	return name->type == 1 || name->type == 28 || name->type == 5;
}

static uint32_t missing_of(const struct dns_name *name)
{
	return is_search(name) ? 0 : name->counts.codes[DNS_NXDOMAIN];
}

static uint32_t failed_of(const struct dns_name *name)
{
	return failed(&name->counts);
}

/* The code that most failing answers have, but NXDOMAIN. */
static uint8_t worst_code(const struct dns_counts *counts)
{
	uint8_t worst = 1;

	for (unsigned code = 1; code <= DNS_REFUSED; code++) {
		if (code != DNS_NXDOMAIN && counts->codes[code] > counts->codes[worst])
			worst = (uint8_t)code;
	}
	return worst;
}

static void find_failed(const struct dns *dns, const struct dns_server *server, struct findings *findings)
{
	const struct dns_counts *counts = &server->counts;
	uint32_t count = failed(counts);
	uint8_t code = worst_code(counts);
	char text[ENDS_TEXT_SIZE], filter[ENDS_FILTER_SIZE], spare[16];
	const struct dns_name *name;
	struct finding *finding;
	size_t others;

	if (!count)
		return;
	name = most(dns, server, failed_of, &others);
	finding = findings_add(findings, FINDING_DNS_FAILURE, FINDING_ERROR, 540);
	finding_say(finding, "%s answered %" PRIu32 " of %" PRIu32 " DNS quer%s with %s", server_text(server, text),
		    count, counts->asked, counts->asked == 1 ? "y" : "ies", dns_code_name(code, spare));
	if (counts->codes[code] != count)
		finding_say(finding, " and other codes");
	say_names(finding, name, others);
	finding->count = count;
	if (name)
		finding->first = name->failed;
	say_server(finding, server);
	finding_filter(finding, "dns.flags.rcode == %u && %s", code, server_filter(server, filter));
	finding_next(finding, "the log of that name server, and those it asks itself");
}

static void find_missing(const struct dns *dns, const struct dns_server *server, struct findings *findings)
{
	char text[ENDS_TEXT_SIZE], filter[ENDS_FILTER_SIZE];
	size_t others;
	const struct dns_name *name = most(dns, server, missing_of, &others);
	bool never = name && is_host(name) && !name->counts.codes[DNS_NO_ERROR];
	struct finding *finding;

	if (!name)
		return;
	finding = findings_add(findings, FINDING_DNS_FAILURE, never ? FINDING_WARNING : FINDING_NOTE, 540);
	finding_say(finding, "%s says that %.*s does not exist (NXDOMAIN), %" PRIu32 " time%s",
		    server_text(server, text), NAME_SHOWN, name->name, missing_of(name),
		    number_plural(missing_of(name)));
	if (others)
		finding_say(finding, "; so of %zu more name%s", others, number_plural(others));
	for (size_t i = 0; i < dns_name_count(dns); i++)
		finding->count += dns_name_at(dns, i)->server == server ? missing_of(dns_name_at(dns, i)) : 0;
	finding->first = name->failed;
	say_server(finding, server);
	finding_filter(finding, "dns.flags.rcode == 3 && %s", server_filter(server, filter));
	finding_next(finding, "how the name is spelled where it is set; whether its zone has it");
}

/* --- slow --- */

static uint32_t slow_of(const struct dns_name *name)
{
	return name->counts.slow;
}

static const char *milliseconds(uint64_t time, char text[24])
{
	snprintf(text, 24, "%" PRIu64 " ms", (time + 500000) / 1000000);
	return text;
}

static void find_slow(const struct dns *dns, const struct dns_server *server, struct findings *findings)
{
	const struct dns_counts *counts = &server->counts;
	bool often = counts->slow >= SLOW_MIN && counts->slow * UINT64_C(20) >= counts->answered;
	char text[ENDS_TEXT_SIZE], filter[ENDS_FILTER_SIZE], p50[24], p99[24];
	const struct dns_name *name;
	struct finding *finding;
	size_t others;

	if (!counts->slow)
		return;
	name = most(dns, server, slow_of, &others);
	finding = findings_add(findings, FINDING_DNS_SLOW,
			       often || counts->longest >= SLOW_ONE ? FINDING_WARNING : FINDING_NOTE, 500);
	finding_say(finding, "%s took 0.5 s or longer for %" PRIu32 " of %" PRIu32 " DNS answers (p50 %s, p99 %s)",
		    server_text(server, text), counts->slow, counts->answered,
		    milliseconds(durations_percentile(&server->times, 50), p50),
		    milliseconds(durations_percentile(&server->times, 99), p99));
	say_names(finding, name, others);
	if (counts->resent)
		finding_say(finding, "; queries sent again: %" PRIu32, counts->resent);
	finding->count = counts->slow;
	finding->first = server->slow;
	say_server(finding, server);
	finding_filter(finding, "dns.time >= 0.5 && %s", server_filter(server, filter));
	finding_next(finding, counts->resent ? "loss on the way to that name server, and its load"
					     : "those that it asks itself, its cache and its load");
}

/* --- search lists --- */

static uint32_t searches_of(const struct dns_name *name)
{
	return name->searches >= SEARCHES_MIN ? name->searches : 0;
}

/* Queries for names that an element of a search list made. */
static uint32_t searched_queries(const struct dns *dns, const struct dns_server *server)
{
	uint32_t count = 0;

	for (size_t i = 0; i < dns_name_count(dns); i++) {
		const struct dns_name *name = dns_name_at(dns, i);

		count += name->server == server && name->searched ? name->counts.asked : 0;
	}
	return count;
}

static void find_search(const struct dns *dns, const struct dns_server *server, struct findings *findings)
{
	uint32_t count = searched_queries(dns, server);
	char text[ENDS_TEXT_SIZE], filter[ENDS_FILTER_SIZE];
	size_t others;
	const struct dns_name *name = most(dns, server, searches_of, &others);
	struct finding *finding;

	if (!name)
		return;
	finding = findings_add(findings, FINDING_DNS_SEARCH, FINDING_WARNING, 450);
	finding_say(finding,
		    "%.*s was asked for with %u other endings first, in vain: %" PRIu32 " of %" PRIu32
		    " DNS queries to %s only try a search list",
		    NAME_SHOWN, name->name, name->searches, count, server->counts.asked, server_text(server, text));
	if (others)
		finding_say(finding, "; so were %zu more name%s", others, number_plural(others));
	finding->count = count;
	finding->first = name->first;
	say_server(finding, server);
	if (can_be_found(name->name))
		finding_filter(finding, "dns.qry.name contains \"%.100s\" && ", name->name);
	finding_filter(finding, "%s", server_filter(server, filter));
	finding_next(finding, "search and ndots in resolv.conf (Kubernetes: 5); a dot behind the name avoids it");
}

/* --- cut answers --- */

static void find_truncated(const struct dns_server *server, struct findings *findings)
{
	char text[ENDS_TEXT_SIZE], filter[ENDS_FILTER_SIZE];
	struct finding *finding;

	if (!server->counts.truncated || server->over_tcp)
		return;
	finding = findings_add(findings, FINDING_DNS_FAILURE, FINDING_NOTE, 400);
	finding_say(finding,
		    "%s cut %" PRIu32 " answer%s short (truncated), and no query over TCP followed in this capture",
		    server_text(server, text), server->counts.truncated, number_plural(server->counts.truncated));
	finding->count = server->counts.truncated;
	finding->first = server->truncated;
	say_server(finding, server);
	finding_filter(finding, "dns.flags.truncated == 1 && %s", server_filter(server, filter));
	finding_next(finding, "whether TCP to port 53 is let through");
}

void dns_findings(const struct dns *dns, const struct circumstances *circumstances, struct findings *findings)
{
	for (size_t i = 0; i < dns_server_count(dns); i++) {
		const struct dns_server *server = dns_server_at(dns, i);

		find_unanswered(dns, server, circumstances, findings);
		find_failed(dns, server, findings);
		find_missing(dns, server, findings);
		find_slow(dns, server, findings);
		find_search(dns, server, findings);
		find_truncated(server, findings);
	}
}
