#include <inttypes.h>

#include "base/clock.h"
#include "request/number.h"
#include "summary/tcp_telling.h"

#define MILLISECOND UINT64_C(1000000)
#define TOLD 3 /* servers that have a finding of their own; what is left is in --json's servers */

/* --- loss --- */

static uint64_t again(const struct server *server, int to_or_from)
{
	uint64_t all = server->retransmitted[to_or_from], explained = server->explained[to_or_from];

	return all > explained ? all - explained : 0;
}

/* How many were lost where, of those that were sent again. */
static void say_where(struct finding *finding, const struct server *server, int from, uint64_t count)
{
	uint64_t before = server->lost_before[from] < count ? server->lost_before[from] : count, seen = count - before;
	uint64_t needless = server->needless[from] < count ? server->needless[from] : count;

	/* What was not seen here, and had arrived, took another way, or the capture lost it. */
	if (needless > seen)
		before -= needless - seen;
	seen -= needless < seen ? needless : seen;

	finding_say(finding,
		    ": %" PRIu64 " had been seen here and were lost behind this point, %" PRIu64 " were lost before it",
		    seen, before);
	if (needless)
		finding_say(finding, "; %" PRIu64 " had arrived all the same (as ACK, SACK or D-SACK says)", needless);
	if (server->out_of_order[from])
		finding_say(finding, "; %" PRIu64 " came out of order", server->out_of_order[from]);
	if (server->repeats[!from])
		finding_say(finding, "; %" PRIu64 " duplicate ACK%s came back", server->repeats[!from],
			    number_plural(server->repeats[!from]));
}

static void tell_loss_of(const struct telling *telling, const struct server *server, int from)
{
	const struct trouble *trouble = &server->troubles[from ? TROUBLE_LOSS_FROM : TROUBLE_LOSS_TO];
	uint64_t count = again(server, from), segments = server->segments[from];
	bool grave = count >= 3 && count * 100 >= segments;
	double share = segments ? (double)count * 100 / (double)segments : 0;
	char name[ENDS_TEXT_SIZE];
	struct finding *finding =
		telling_add(telling, FINDING_LOSS, grave ? FINDING_WARNING : FINDING_NOTE, grave ? 500 : 100, trouble);

	finding->count = count;
	finding_say(finding, "%" PRIu64 " of about %" PRIu64 " segments %s %s were sent again (%.*f %%)", count,
		    segments, from ? "from" : "to", telling_name(server, name), share < 10 ? 1 : 0, share);
	say_where(finding, server, from, count);
	telling_filter(finding, server, "tcp.analysis.retransmission");
	finding_next(finding,
		     "interfaces' error and drop counters on the way (ip -s link); a capture at the other end");
}

/* --- windows --- */

static void tell_windows_of(const struct telling *telling, const struct server *server, bool client)
{
	const struct trouble *trouble = &server->troubles[client ? TROUBLE_ZERO_CLIENT : TROUBLE_ZERO_SERVER];
	bool grave = trouble->sum >= CLOCK_SECOND / 5;
	char name[ENDS_TEXT_SIZE], took[TELLING_TEXT], often[TELLING_TEXT];
	struct finding *finding = telling_add(telling, FINDING_ZERO_WINDOW, grave ? FINDING_WARNING : FINDING_NOTE,
					      grave ? 600 : 100, trouble);

	finding_say(finding,
		    "%s%s announced a zero window %s, for %s in all: its application reads more slowly than it is "
		    "sent to",
		    client ? "a client of " : "", telling_name(server, name), telling_times(trouble->count, often),
		    telling_duration(trouble->sum, took));
	telling_filter(finding, server, "tcp.analysis.zero_window");
	finding_next(finding, "what the %s does with what it reads: its processor time, its disk, its locks",
		     client ? "client" : "server");
}

/* --- what takes long --- */

static void tell_slow_server(const struct telling *telling, const struct server *server)
{
	const struct trouble *trouble = &server->troubles[TROUBLE_SLOW];
	uint64_t half = durations_percentile(&server->answers, 50), most = durations_percentile(&server->answers, 99);
	uint64_t network = durations_percentile(&server->handshakes, 50);
	bool often = trouble->count >= 3 && trouble->count * 20 >= server->answers.count;
	bool grave = often || trouble->count * 2 >= server->answers.count;
	char name[ENDS_TEXT_SIZE], texts[4][TELLING_TEXT];
	struct finding *finding = telling_add(telling, FINDING_SLOW_SERVER, grave ? FINDING_WARNING : FINDING_NOTE,
					      grave ? 500 : 100, trouble);

	finding_say(finding,
		    "%s took 1 s or more to begin %" PRIu64 " of %" PRIu64
		    " answers (half of all within %s, 99 %% within %s, "
		    "the longest %s)",
		    telling_name(server, name), trouble->count, server->answers.count, telling_duration(half, texts[0]),
		    telling_duration(most, texts[1]), telling_duration(trouble->most, texts[2]));
	if (network && network < trouble->least / 2)
		finding_say(finding, "; a handshake takes %s: the server's time, not the network's",
			    telling_duration(network, texts[3]));
	telling_filter(finding, server, "tcp.time_delta > 1");
	finding_next(finding, "what the server waits for: its log, its own requests (is it slow for all paths?)");
}

/* The first of its connections that was opened here: where to begin to look. */
static void name_first(const struct telling *telling, struct finding *finding, const struct server *server)
{
	for (size_t i = 0; i < conversations_count(telling->conversations); i++) {
		const struct conversation *of = conversations_at(telling->conversations, i);
		int side = servers_side(of);

		if (!of->settled || !of->server || servers_at(telling->servers, of->server - 1) != server)
			continue;
		finding_connection(finding, &(struct finding_connection){of->ends[!side], of->ends[side], of->version,
									 of->protocol, of->ports});
		finding->first = (struct place){.member = of->member, .packet = of->packet, .time = of->first};
		return;
	}
}

static void tell_slow_network(const struct telling *telling, const struct server *server)
{
	uint64_t half = durations_percentile(&server->handshakes, 50);
	uint64_t most = durations_percentile(&server->handshakes, 99);
	bool grave = half >= 300 * MILLISECOND;
	char name[ENDS_TEXT_SIZE], texts[2][TELLING_TEXT];
	struct finding *finding = telling_add(telling, FINDING_SLOW_NETWORK, grave ? FINDING_WARNING : FINDING_NOTE,
					      grave ? 500 : 100, &(struct trouble){.count = server->handshakes.count});

	name_first(telling, finding, server);
	finding_say(finding,
		    "a handshake with %s takes %s (half of %" PRIu64
		    "; 99 %% within %s): the network's time, before any "
		    "request",
		    telling_name(server, name), telling_duration(half, texts[0]), server->handshakes.count,
		    telling_duration(most, texts[1]));
	telling_filter(finding, server, "tcp.flags.syn == 1");
	finding_next(finding, "how far it is, and by which way (traceroute, mtr)");
}

/* --- which servers --- */

static uint64_t loss_to(const struct server *server)
{
	return again(server, 0);
}

static uint64_t loss_from(const struct server *server)
{
	return again(server, 1);
}

static uint64_t zero_server(const struct server *server)
{
	return server->troubles[TROUBLE_ZERO_SERVER].sum + server->troubles[TROUBLE_ZERO_SERVER].count;
}

static uint64_t zero_client(const struct server *server)
{
	return server->troubles[TROUBLE_ZERO_CLIENT].sum + server->troubles[TROUBLE_ZERO_CLIENT].count;
}

static uint64_t slow_server(const struct server *server)
{
	return server->troubles[TROUBLE_SLOW].count;
}

static uint64_t slow_network(const struct server *server)
{
	uint64_t half = durations_percentile(&server->handshakes, 50);

	return half >= 100 * MILLISECOND ? half : 0;
}

/* The TOLD with the most of it. */
static size_t most_of(const struct telling *telling, uint64_t (*value)(const struct server *),
		      const struct server *list[TOLD])
{
	const struct server *server;
	size_t count = 0;

	for (size_t i = 0; (server = servers_at(telling->servers, i)); i++) {
		size_t at = count;

		if (value(server) == 0)
			continue;
		while (at > 0 && value(list[at - 1]) < value(server))
			at--;
		if (at == TOLD)
			continue;
		count += count < TOLD;
		for (size_t j = count - 1; j > at; j--)
			list[j] = list[j - 1];
		list[at] = server;
	}
	return count;
}

static const char *const may_be_faked =
	"retransmissions, gaps and answers that are not there may be the capture's own: see \"lost\"";

static void tell_capture_loss(const struct telling *telling)
{
	const struct circumstances *circumstances = telling->circumstances;
	uint64_t lost = circumstances->lost, all = lost + circumstances->packets;
	bool grave = lost * 1000 >= all;
	double share = all ? (double)lost * 100 / (double)all : 0;
	struct finding *finding;

	if (lost == 0)
		return;
	finding = findings_add(telling->findings, FINDING_CAPTURE_LOSS, grave ? FINDING_WARNING : FINDING_NOTE, 100);
	finding->count = lost;
	finding_say(finding, "the capture itself lost %" PRIu64 " packet%s (%.1f %%): %s", lost, number_plural(lost),
		    share, may_be_faked);
	finding_next(finding, "a larger ring (-B), fewer bytes (-s, --headers) or a filter, and capture again");
}

void telling_measures(const struct telling *telling)
{
	const struct server *list[TOLD];
	size_t count;

	count = most_of(telling, loss_to, list);
	for (size_t i = 0; i < count; i++)
		tell_loss_of(telling, list[i], 0);
	count = most_of(telling, loss_from, list);
	for (size_t i = 0; i < count; i++)
		tell_loss_of(telling, list[i], 1);
	count = most_of(telling, zero_server, list);
	for (size_t i = 0; i < count; i++)
		tell_windows_of(telling, list[i], false);
	count = most_of(telling, zero_client, list);
	for (size_t i = 0; i < count; i++)
		tell_windows_of(telling, list[i], true);
	count = most_of(telling, slow_server, list);
	for (size_t i = 0; i < count; i++)
		tell_slow_server(telling, list[i]);
	count = most_of(telling, slow_network, list);
	for (size_t i = 0; i < count; i++)
		tell_slow_network(telling, list[i]);
	tell_capture_loss(telling);
}
