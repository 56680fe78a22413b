#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "request/number.h"
#include "summary/ends.h"
#include "summary/icmp.h"
#include "summary/protocols.h"

/* Where traceroute sends its datagrams, one port after the other. */
#define TRACEROUTE_FIRST 33434
#define TRACEROUTE_LAST 33634

/* What is one finding: the same said by the same. */
struct told {
	const struct icmp_error *first; /* with the most packets */
	uint64_t count;
	size_t destinations;
	unsigned senders; /* of the same meaning about the same destination */
	bool late;
};

/* Was what is quoted an answer, for which nobody waited any more? Then it came from a server's port. */
static bool is_late(const struct icmp_error *error)
{
	return error->meaning == ICMP_PORT_UNREACHABLE && error->key.protocol == PROTOCOL_UDP && error->from_count &&
	       error->from[0] < 1024 && error->key.to.port >= 1024;
}

static bool is_traceroute(const struct icmp_error *error)
{
	return error->key.protocol == PROTOCOL_UDP && error->key.to.port >= TRACEROUTE_FIRST &&
	       error->key.to.port <= TRACEROUTE_LAST;
}

static bool says_the_same(const struct icmp_error *a, const struct icmp_error *b)
{
	return a->meaning == b->meaning && a->key.version == b->key.version && a->key.protocol == b->key.protocol &&
	       a->key.code == b->key.code && memcmp(a->key.by, b->key.by, sizeof(a->key.by)) == 0 &&
	       is_late(a) == is_late(b) && is_traceroute(a) == is_traceroute(b);
}

/* The host itself says that its port is closed; another one says so as a firewall. */
static bool by_the_host(const struct icmp_error *error)
{
	return memcmp(error->key.by, error->key.to.address, sizeof(error->key.by)) == 0;
}

static enum finding_kind kind_of(const struct icmp_error *error)
{
	return error->meaning == ICMP_PORT_UNREACHABLE && error->key.protocol == PROTOCOL_UDP && by_the_host(error) &&
			       !is_late(error)
		       ? FINDING_REFUSED
		       : FINDING_ICMP_ERROR;
}

/* Several routers along the way say it of a traceroute; one of a loop. */
static enum finding_severity severity_of(const struct told *told)
{
	const struct icmp_error *error = told->first;

	if (is_late(error) || is_traceroute(error))
		return FINDING_NOTE;
	switch (error->meaning) {
	case ICMP_TOO_BIG:
		return FINDING_NOTE;
	case ICMP_TIME_EXCEEDED:
		return error->key.protocol == PROTOCOL_TCP && told->senders == 1 && error->count > 1 ? FINDING_WARNING
												     : FINDING_NOTE;
	case ICMP_REASSEMBLY:
	case ICMP_PARAMETER:
		return FINDING_WARNING;
	default:
		return FINDING_ERROR;
	}
}

static void say_where(struct finding *finding, const struct told *told)
{
	const struct icmp_error *error = told->first;
	char to[ENDS_TEXT_SIZE], protocol[PROTOCOLS_NAME_SIZE];

	finding_say(finding, "%s to %s", protocols_name(error->key.protocol, protocol),
		    ends_text(error->key.version, error->ports, &error->key.to, to));
	if (told->destinations > 1)
		finding_say(finding, " and %zu more", told->destinations - 1);
}

static void say_refused(struct finding *finding, const struct told *told)
{
	say_where(finding, told);
	finding_say(finding, " was refused %" PRIu64 " time%s (ICMP port unreachable): nothing listens there",
		    told->count, number_plural(told->count));
}

static void say_error(struct finding *finding, const struct told *told)
{
	const struct icmp_error *error = told->first;
	struct dissect_end by = {0};
	char text[ENDS_TEXT_SIZE], spare[32];

	memcpy(by.address, error->key.by, sizeof(by.address));
	finding_say(finding, "%s answered ", ends_address(error->key.version, &by, text));
	say_where(finding, told);
	finding_say(finding, " with ICMP %s, %" PRIu64 " time%s", icmp_says(error, spare), told->count,
		    number_plural(told->count));
	if (is_late(error))
		finding_say(finding, ": who had asked did not wait any longer");
	else if (error->meaning == ICMP_TOO_BIG && error->mtu)
		finding_say(finding, ": the way on has an MTU of %u", error->mtu);
	else if (error->meaning == ICMP_PORT_UNREACHABLE && error->key.protocol == PROTOCOL_TCP)
		finding_say(finding, ": a firewall rejects it (without one, a closed port answers with RST)");
	else if (error->meaning == ICMP_PROHIBITED)
		finding_say(finding, ": a firewall or a route rejects it");
	else if (error->meaning == ICMP_TIME_EXCEEDED)
		finding_say(finding, ": a loop of routes, or somebody traces the way");
}

static const char *next_of(const struct told *told)
{
	switch (told->first->meaning) {
	case ICMP_PORT_UNREACHABLE:
		return told->first->key.protocol == PROTOCOL_UDP && by_the_host(told->first)
			       ? "which sockets that host has (ss -lun)"
			       : "the firewall's rules on that host and on the way (network policies, too)";
	case ICMP_PROHIBITED:
		return "the rules and routes of who sent the ICMP (network policies, too)";
	case ICMP_UNREACHABLE:
		return "the routes and neighbours of who sent the ICMP; whether the host is up";
	case ICMP_TOO_BIG:
		return "whether the sender sends smaller packets from then on";
	default:
		return "the routes of who sent the ICMP";
	}
}

static void add_connections(struct finding *finding, const struct icmp_error *error)
{
	struct finding_connection connection = {.a = error->key.from,
						.b = error->key.to,
						.version = error->key.version,
						.protocol = error->key.protocol,
						.ports = error->ports};

	for (size_t i = 0; i < error->from_count; i++) {
		connection.a.port = error->from[i];
		finding_connection(finding, &connection);
	}
	if (!error->from_count)
		finding_connection(finding, &connection);
}

static void add_finding(const struct icmp *icmp, struct findings *findings, const struct told *told)
{
	const struct icmp_error *error = told->first;
	struct finding *finding = findings_add(findings, kind_of(error), severity_of(told), 550);

	if (finding->kind == FINDING_REFUSED)
		say_refused(finding, told);
	else
		say_error(finding, told);
	finding->count = told->count;
	finding->first = error->first;
	finding_filter(finding, "%s.type == %u && %s.code == %u", error->key.version == 4 ? "icmp" : "icmpv6",
		       error->key.type, error->key.version == 4 ? "icmp" : "icmpv6", error->key.code);
	finding_next(finding, "%s", next_of(told));
	for (size_t i = 0; i < icmp_count(icmp); i++) {
		if (says_the_same(icmp_at(icmp, i), error))
			add_connections(finding, icmp_at(icmp, i));
	}
}

/* False: an earlier one says the same. */
static bool gather(const struct icmp *icmp, size_t at, struct told *told)
{
	const struct icmp_error *error = icmp_at(icmp, at);

	*told = (struct told){.first = error};
	for (size_t i = 0; i < icmp_count(icmp); i++) {
		const struct icmp_error *other = icmp_at(icmp, i);

		if (other->meaning == error->meaning && ends_same(&other->key.to, &error->key.to))
			told->senders++;
		if (!says_the_same(other, error))
			continue;
		if (i < at)
			return false;
		told->count += other->count;
		told->destinations++;
		if (other->count > told->first->count)
			told->first = other;
	}
	return true;
}

void icmp_finish(const struct icmp *icmp, struct findings *findings)
{
	struct told told;

	for (size_t i = 0; i < icmp_count(icmp); i++) {
		if (gather(icmp, i, &told))
			add_finding(icmp, findings, &told);
	}
}
