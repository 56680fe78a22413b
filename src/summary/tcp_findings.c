#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "request/number.h"
#include "summary/tcp_telling.h"

#define TOLD 3 /* servers of a kind of trouble that have a finding of their own; further ones share one */

struct rule {
	enum trouble_kind trouble;
	enum finding_kind kind;
	enum finding_severity severity;
	unsigned weight;
	const char *filter, *next;
	void (*say)(struct finding *finding, const struct server *server, const struct trouble *trouble);
};

/* --- words --- */

const char *telling_name(const struct server *server, char text[ENDS_TEXT_SIZE])
{
	if (!server->version)
		snprintf(text, ENDS_TEXT_SIZE, "other servers");
	else
		ends_text(server->version, server->ports, &server->end, text);
	return text;
}

/* "0.21 ms", "60.0 s": three digits. */
const char *telling_duration(uint64_t nanoseconds, char text[TELLING_TEXT])
{
	double value = (double)nanoseconds / 1e9;
	const char *unit = "s";

	if (value < 1) {
		value *= 1000;
		unit = "ms";
	}
	snprintf(text, TELLING_TEXT, "%.*f %s", value < 9.995 ? 2 : value < 99.95 ? 1 : 0, value, unit);
	return text;
}

/* "60.0 s", or "4.00 s to 60.0 s". */
static const char *durations_text(const struct trouble *trouble, char text[2 * TELLING_TEXT + 4])
{
	uint64_t span = trouble->most - trouble->least;
	char least[TELLING_TEXT], most[TELLING_TEXT];

	if (span <= trouble->most / 20 || span < CLOCK_SECOND / 10)
		snprintf(text, 2 * TELLING_TEXT + 4, "%s", telling_duration(trouble->sum / trouble->count, most));
	else
		snprintf(text, 2 * TELLING_TEXT + 4, "%s to %s", telling_duration(trouble->least, least),
			 telling_duration(trouble->most, most));
	return text;
}

const char *telling_times(uint64_t count, char text[TELLING_TEXT])
{
	snprintf(text, TELLING_TEXT, count == 1 ? "once" : count == 2 ? "twice" : "%" PRIu64 " times", count);
	return text;
}

/* --- sentences --- */

static void say_refused(struct finding *finding, const struct server *server, const struct trouble *trouble)
{
	char name[ENDS_TEXT_SIZE];

	finding_say(finding,
		    "%s refused %" PRIu64 " of %" PRIu64 " connection%s (RST to SYN): ", telling_name(server, name),
		    trouble->count, server->connections, number_plural(server->connections));
	if (trouble->count >= server->connections)
		finding_say(finding, "nothing listens there");
	else
		finding_say(finding, "at times nothing listened there, or it takes no more");
}

static void say_unanswered(struct finding *finding, const struct server *server, const struct trouble *trouble)
{
	char name[ENDS_TEXT_SIZE];

	finding_say(finding, "%s never answered %" PRIu64 " of %" PRIu64 " connection%s (%" PRIu64 " SYN%s)",
		    telling_name(server, name), trouble->count, server->connections, number_plural(server->connections),
		    trouble->sum, number_plural(trouble->sum));
	finding_say(finding, ": no SYN+ACK, no RST");
}

static void say_unfinished(struct finding *finding, const struct server *server, const struct trouble *trouble)
{
	char name[ENDS_TEXT_SIZE];

	finding_say(finding,
		    "%s answered %" PRIu64 " connection%s (SYN+ACK) again and again, and was never acknowledged: its "
		    "answers do not reach the client",
		    telling_name(server, name), trouble->count, number_plural(trouble->count));
}

static void say_tried_again(struct finding *finding, const struct server *server, const struct trouble *trouble)
{
	char name[ENDS_TEXT_SIZE], text[2 * TELLING_TEXT + 4];

	finding_say(finding,
		    "%" PRIu64 " of %" PRIu64 " connection%s to %s opened only after up to %" PRIu32
		    " SYNs, which took %s: SYNs are lost, or its queue of connections is full",
		    trouble->count, server->connections, number_plural(server->connections), telling_name(server, name),
		    trouble->detail, durations_text(trouble, text));
}

static void say_reset(struct finding *finding, const struct server *server, const struct trouble *trouble)
{
	char name[ENDS_TEXT_SIZE];

	finding_say(finding, "%s reset %" PRIu64 " connection%s in mid-connection, after %" PRIu64 " bytes",
		    telling_name(server, name), trouble->count, number_plural(trouble->count),
		    trouble->sum / trouble->count);
	if (trouble->detail)
		finding_say(finding, ", while a request waited for its answer");
}

static void say_aborted(struct finding *finding, const struct server *server, const struct trouble *trouble)
{
	char name[ENDS_TEXT_SIZE];

	finding_say(finding, "clients of %s ended %" PRIu64 " connection%s by RST, after %" PRIu64 " bytes",
		    telling_name(server, name), trouble->count, number_plural(trouble->count),
		    trouble->sum / trouble->count);
}

static void say_injected(struct finding *finding, const struct server *server, const struct trouble *trouble)
{
	char name[ENDS_TEXT_SIZE];

	finding_say(finding,
		    "%" PRIu64
		    " connection%s of %s ended by a RST that its sender did not send: it came with TTL %" PRIu64
		    ", the sender's others with %" PRIu32 ": something on the way resets them",
		    trouble->count, number_plural(trouble->count), telling_name(server, name), trouble->most,
		    trouble->detail);
}

static void say_closed_idle(struct finding *finding, const struct server *server, const struct trouble *trouble)
{
	char name[ENDS_TEXT_SIZE], text[2 * TELLING_TEXT + 4], gap[TELLING_TEXT], often[TELLING_TEXT];

	finding_say(finding,
		    "%s closed an idle connection after %s and got a request %s later, %s: keep-alive of the client "
		    "is longer than the server's",
		    telling_name(server, name), durations_text(trouble, text),
		    telling_duration(trouble->detail * UINT64_C(1000000), gap), telling_times(trouble->count, often));
}

static void say_reset_idle(struct finding *finding, const struct server *server, const struct trouble *trouble)
{
	char name[ENDS_TEXT_SIZE], text[2 * TELLING_TEXT + 4], often[TELLING_TEXT];

	finding_say(finding,
		    "a connection to %s that had been idle for %s was reset, %s: the server, or something between, "
		    "has a shorter timeout than who uses it",
		    telling_name(server, name), durations_text(trouble, text), telling_times(trouble->count, often));
}

static void say_silent_idle(struct finding *finding, const struct server *server, const struct trouble *trouble)
{
	char name[ENDS_TEXT_SIZE], text[2 * TELLING_TEXT + 4], often[TELLING_TEXT];

	finding_say(finding,
		    "a connection to %s that had been idle for %s was used again and got no answer at all, %s: "
		    "something between (NAT, load balancer, firewall) has forgotten it",
		    telling_name(server, name), durations_text(trouble, text), telling_times(trouble->count, often));
}

static void say_stopped(struct finding *finding, const struct server *server, const struct trouble *trouble)
{
	char name[ENDS_TEXT_SIZE];

	finding_say(finding,
		    "%" PRIu64 " connection%s with %s stopped in the middle: a segment was sent %" PRIu64
		    " times and never acknowledged",
		    trouble->count, number_plural(trouble->count), telling_name(server, name), trouble->most);
}

static void say_large(struct finding *finding, const struct server *server, const struct trouble *trouble,
		      const char *direction)
{
	char name[ENDS_TEXT_SIZE];

	finding_say(finding,
		    "segments of %" PRIu32 " bytes %s %s were sent %" PRIu64
		    " times and never acknowledged, smaller ones pass: an MTU below %" PRIu32 " on the way, and %s",
		    trouble->detail >> 16 & 0x7fff, direction, telling_name(server, name), trouble->most,
		    trouble->detail & 0xffff,
		    trouble->detail & TROUBLE_REJECTED ? "the ICMP that came back did not help" : "no ICMP came back");
	if (trouble->count > 1)
		finding_say(finding, " (%" PRIu64 " connections)", trouble->count);
}

static void say_large_to(struct finding *finding, const struct server *server, const struct trouble *trouble)
{
	say_large(finding, server, trouble, "to");
}

static void say_large_from(struct finding *finding, const struct server *server, const struct trouble *trouble)
{
	say_large(finding, server, trouble, "from");
}

static void say_unheard(struct finding *finding, const struct server *server, const struct trouble *trouble)
{
	char name[ENDS_TEXT_SIZE];

	finding_say(finding,
		    "%" PRIu64 " connection%s with %s: one side sends the same again and again, and nothing of the "
		    "other is here (%" PRIu64 " packets, one way)",
		    trouble->count, number_plural(trouble->count), telling_name(server, name), trouble->sum);
}

static void say_one_sided(struct finding *finding, const struct server *server, const struct trouble *trouble)
{
	char name[ENDS_TEXT_SIZE];

	finding_say(finding,
		    "of %" PRIu64 " connection%s with %s only one direction is here: the other takes another way, or "
		    "the filter leaves it out",
		    trouble->count, number_plural(trouble->count), telling_name(server, name));
}

static void say_unseen(struct finding *finding, const struct server *server, const struct trouble *trouble)
{
	char name[ENDS_TEXT_SIZE], often[TELLING_TEXT];

	finding_say(finding,
		    "on connections with %s something was acknowledged that is not in the capture, %s: the capture "
		    "missed it, or it took another way",
		    telling_name(server, name), telling_times(trouble->count, often));
}

static void say_gave_up(struct finding *finding, const struct server *server, const struct trouble *trouble)
{
	char name[ENDS_TEXT_SIZE], text[2 * TELLING_TEXT + 4];

	finding_say(finding, "clients of %s gave up %" PRIu64 " request%s after %s, without a byte of an answer",
		    telling_name(server, name), trouble->count, number_plural(trouble->count),
		    durations_text(trouble, text));
}

/* --- one finding for each server and trouble --- */

#define LOOK_AT_LISTENERS \
	"is the process up, and does it listen on this address (ss -ltn)? For a service: its targetPort"
#define LOOK_AT_FILTERS "routes, security groups and network policies on the way; capture at the other end, too"
#define LOOK_AT_SIZES \
	"the size that passes (ping -M do -s 1472 and less); let ICMP type 3 code 4 through, or clamp the MSS"
#define LOOK_AT_TIMEOUTS \
	"make the client's idle timeout shorter than the server's and that of all between, or use TCP keep-alive"

static const struct rule rules[] = {
	{TROUBLE_REFUSED, FINDING_REFUSED, FINDING_ERROR, 500, "tcp.flags.reset == 1", LOOK_AT_LISTENERS, say_refused},
	{TROUBLE_UNANSWERED, FINDING_NO_ANSWER, FINDING_ERROR, 500, "tcp.flags.syn == 1", LOOK_AT_FILTERS,
	 say_unanswered},
	{TROUBLE_UNFINISHED, FINDING_NO_ANSWER, FINDING_ERROR, 500, "tcp.flags.syn == 1", LOOK_AT_FILTERS,
	 say_unfinished},
	{TROUBLE_LARGE_FROM, FINDING_MTU, FINDING_ERROR, 500, "tcp.analysis.retransmission", LOOK_AT_SIZES,
	 say_large_from},
	{TROUBLE_LARGE_TO, FINDING_MTU, FINDING_ERROR, 500, "tcp.analysis.retransmission", LOOK_AT_SIZES, say_large_to},
	{TROUBLE_INJECTED, FINDING_RESET_INJECTED, FINDING_ERROR, 500, "tcp.flags.reset == 1",
	 "compare ip.ttl of the RST with the sender's; firewalls, proxies and IDS between", say_injected},
	{TROUBLE_CLOSED_IDLE, FINDING_IDLE_TIMEOUT, FINDING_ERROR, 500, "(tcp.flags.fin == 1 || tcp.flags.reset == 1)",
	 LOOK_AT_TIMEOUTS, say_closed_idle},
	{TROUBLE_RESET_IDLE, FINDING_IDLE_TIMEOUT, FINDING_ERROR, 500, "tcp.flags.reset == 1", LOOK_AT_TIMEOUTS,
	 say_reset_idle},
	{TROUBLE_SILENT_IDLE, FINDING_IDLE_TIMEOUT, FINDING_ERROR, 500, "tcp.analysis.retransmission", LOOK_AT_TIMEOUTS,
	 say_silent_idle},
	{TROUBLE_STOPPED, FINDING_NO_ANSWER, FINDING_ERROR, 400, "tcp.analysis.retransmission", LOOK_AT_FILTERS,
	 say_stopped},
	{TROUBLE_UNHEARD, FINDING_ONE_WAY, FINDING_ERROR, 500, "tcp", LOOK_AT_FILTERS, say_unheard},
	{TROUBLE_GAVE_UP, FINDING_SLOW_SERVER, FINDING_ERROR, 400, "tcp.time_delta > 1",
	 "what the server waits for: its log, its own requests", say_gave_up},
	{TROUBLE_RESET, FINDING_RESET, FINDING_ERROR, 400, "tcp.flags.reset == 1",
	 "the server's log at that time: a crash, a limit, or a request that it does not take", say_reset},
	{TROUBLE_TRIED_AGAIN, FINDING_LOSS, FINDING_WARNING, 600, "tcp.flags.syn == 1",
	 "nstat TcpExtListenDrops TcpExtListenOverflows on the server; somaxconn and the listen backlog",
	 say_tried_again},
	{TROUBLE_ABORTED, FINDING_RESET, FINDING_NOTE, 400, "tcp.flags.reset == 1", "the client's log", say_aborted},
	{TROUBLE_ONE_SIDED, FINDING_ONE_WAY, FINDING_NOTE, 500, "tcp", "capture where both directions pass",
	 say_one_sided},
	{TROUBLE_UNSEEN, FINDING_CAPTURE_LOSS, FINDING_NOTE, 400, "tcp.analysis.ack_lost_segment",
	 "a larger ring (-B), or --headers", say_unseen},
};

static void name_connections(const struct telling *telling, struct finding *finding, const struct trouble *trouble)
{
	for (uint32_t i = 0; i < trouble->connection_count; i++) {
		const struct conversation *of = conversations_at(telling->conversations, trouble->connections[i]);
		int server = servers_side(of);

		finding_connection(finding, &(struct finding_connection){of->ends[!server], of->ends[server],
									 of->version, of->protocol, of->ports});
	}
}

void telling_filter(struct finding *finding, const struct server *server, const char *expression)
{
	char text[ENDS_FILTER_SIZE];

	if (server->version)
		finding_filter(finding, "%s && tcp.port == %d && %s", ends_filter(server->version, &server->end, text),
			       server->end.port, expression);
	else
		finding_filter(finding, "%s", expression);
}

struct finding *telling_add(const struct telling *telling, enum finding_kind kind, enum finding_severity severity,
			    unsigned weight, const struct trouble *trouble)
{
	struct finding *finding = findings_add(telling->findings, kind, severity, weight);

	finding->count = trouble->count;
	finding->first = trouble->first;
	finding->absent = kind == FINDING_NO_ANSWER || kind == FINDING_ONE_WAY;
	name_connections(telling, finding, trouble);
	return finding;
}

static struct finding *add_ruled(const struct telling *telling, const struct rule *rule, const struct server *server)
{
	struct finding *finding =
		telling_add(telling, rule->kind, rule->severity, rule->weight, &server->troubles[rule->trouble]);

	telling_filter(finding, server, rule->filter);
	finding_next(finding, "%s", rule->next);
	return finding;
}

/* --- troubles that few servers share have a finding each --- */

struct ranked {
	const struct server *list[TOLD];
	size_t count;
	uint64_t more, more_times; /* servers beside these */
	const struct server *next;
};

static void rank(struct ranked *ranked, const struct server *server, enum trouble_kind kind)
{
	size_t at = ranked->count;
	const struct server *out = server;

	while (at > 0 && ranked->list[at - 1]->troubles[kind].count < server->troubles[kind].count)
		at--;
	if (ranked->count == TOLD && at < TOLD)
		out = ranked->list[TOLD - 1];
	for (size_t i = ranked->count < TOLD ? ranked->count : TOLD - 1; i > at; i--)
		ranked->list[i] = ranked->list[i - 1];
	if (at < TOLD)
		ranked->list[at] = server;
	if (ranked->count < TOLD) {
		ranked->count++;
		return;
	}
	ranked->more++;
	ranked->more_times += out->troubles[kind].count;
	if (!ranked->next)
		ranked->next = out;
}

static void tell_rule(const struct telling *telling, const struct rule *rule)
{
	struct ranked ranked = {0};
	const struct server *server;
	struct finding *finding;

	for (size_t i = 0; (server = servers_at(telling->servers, i)); i++) {
		if (server->troubles[rule->trouble].count)
			rank(&ranked, server, rule->trouble);
	}
	for (size_t i = 0; i < ranked.count; i++) {
		finding = add_ruled(telling, rule, ranked.list[i]);
		rule->say(finding, ranked.list[i], &ranked.list[i]->troubles[rule->trouble]);
	}
	if (ranked.more == 0)
		return;
	finding = add_ruled(telling, rule, ranked.next);
	finding->weight = 1;
	finding->count = ranked.more_times;
	finding->display_filter[0] = '\0';
	finding_filter(finding, "%s", rule->filter);
	finding_say(finding, "%" PRIu64 " more server%s (%s, %" PRIu64 " time%s in all). One of them: ", ranked.more,
		    number_plural(ranked.more), finding_kind_name(rule->kind), ranked.more_times,
		    number_plural(ranked.more_times));
	rule->say(finding, ranked.next, &ranked.next->troubles[rule->trouble]);
}

void tcp_find(const struct servers *servers, const struct conversations *conversations,
	      const struct circumstances *circumstances, struct findings *findings)
{
	struct telling telling = {servers, conversations, circumstances, findings};

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		tell_rule(&telling, &rules[i]);
	telling_measures(&telling);
}
