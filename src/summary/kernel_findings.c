#include <inttypes.h>
#include <stdio.h>

#include "request/number.h"
#include "summary/kernel_counters.h"

/* Weights: what made connections fail explains that they went unanswered. */
#define WEIGHT_OVERFLOW 950
#define WEIGHT_DROPS 600
#define WEIGHT_CHECKSUM 550
#define WEIGHT_USUAL 400

#define GRAVE_SHARE 100 /* one of so many connections that came is an error */

/* What is told together. */
struct told {
	enum kernel_counter counters[6];
	size_t count;
	enum finding_severity severity;
	enum finding_kind kind;
	unsigned weight;
	const char *what, *next, *filter;
};

static const struct told list[] = {
	{
		.counters = {KERNEL_CHECKSUM_IP, KERNEL_CHECKSUM_TCP, KERNEL_CHECKSUM_UDP, KERNEL_CHECKSUM_UDP6,
			     KERNEL_CHECKSUM_ICMP, KERNEL_CHECKSUM_ICMP6},
		.count = 6,
		.severity = FINDING_WARNING,
		.kind = FINDING_CHECKSUM,
		.weight = WEIGHT_CHECKSUM,
		.what = "that came with a wrong checksum: something on the way changed them, or did not finish them",
		.next = "Wireshark checks with -o tcp.check_checksum:TRUE (udp, ip); wrong ones that go out are the "
			"card's to fill in",
		.filter = "tcp.checksum.status == 0 || udp.checksum.status == 0 || ip.checksum.status == 0 || "
			  "icmp.checksum.status == 0 || icmpv6.checksum.status == 0",
	},
	{
		.counters = {KERNEL_BUFFER_UDP, KERNEL_BUFFER_UDP6},
		.count = 2,
		.severity = FINDING_WARNING,
		.kind = FINDING_KERNEL_DROPS,
		.weight = WEIGHT_DROPS,
		.what = "for which a UDP socket's receive buffer had no room: its program does not read fast enough",
		.next = "the sockets with drops, in the last column of context/end/proc-net-udp and udp6; then "
			"SO_RCVBUF",
		.filter = "udp",
	},
	{
		.counters = {KERNEL_BACKLOG_TCP, KERNEL_QUEUE_TCP, KERNEL_PRUNED_TCP},
		.count = 3,
		.severity = FINDING_WARNING,
		.kind = FINDING_KERNEL_DROPS,
		.weight = WEIGHT_DROPS,
		.what = "of TCP for which a socket's receive buffer or backlog had no room: its program does not keep "
			"up",
		.next = "the sockets' queues in context/end/proc-net-tcp; net.ipv4.tcp_rmem",
		.filter = "tcp.analysis.retransmission",
	},
	{
		.counters = {KERNEL_NO_ROUTE_OUT},
		.count = 1,
		.severity = FINDING_WARNING,
		.kind = FINDING_KERNEL_DROPS,
		.weight = WEIGHT_USUAL,
		.what = "that were to go out by IPv4 and had no route",
		.next = "context/end/routes.json: is there a default route?",
		.filter = "",
	},
	{
		/* Programs try IPv6 first, also where there is none. */
		.counters = {KERNEL_NO_ROUTE_OUT6, KERNEL_NO_ROUTE_IN, KERNEL_NO_ROUTE_IN6},
		.count = 3,
		.severity = FINDING_NOTE,
		.kind = FINDING_KERNEL_DROPS,
		.weight = WEIGHT_USUAL,
		.what = "that had no route",
		.next = "context/end/routes.json",
		.filter = "",
	},
};

/* A window of packets is younger than its recorder, at whose beginning the counters were read. */
static const char *window_words(const struct circumstances *circumstances)
{
	return circumstances->window ? " since the recorder began" : "";
}

static void say_counters(struct finding *finding, const struct kernel_counters *counters, const struct told *told)
{
	const char *front = " (";

	for (size_t i = 0; i < told->count; i++) {
		uint64_t moved = kernel_counters_moved(counters, told->counters[i]);

		if (moved) {
			finding_say(finding, "%s%s +%" PRIu64, front, kernel_counters_name(told->counters[i]), moved);
			front = ", ";
		}
	}
	finding_say(finding, ")");
}

static uint64_t sum(const struct kernel_counters *counters, const struct told *told)
{
	uint64_t all = 0;

	for (size_t i = 0; i < told->count; i++) {
		if (__builtin_add_overflow(all, kernel_counters_moved(counters, told->counters[i]), &all))
			return UINT64_MAX;
	}
	return all;
}

static void find_dropped(const struct kernel_counters *counters, const struct circumstances *circumstances,
			 const struct told *told, struct findings *findings)
{
	uint64_t dropped = sum(counters, told);
	struct finding *finding;

	if (!dropped)
		return;
	finding = findings_add(findings, told->kind, told->severity, told->weight);
	finding->count = dropped;
	finding_say(finding, "the kernel dropped %" PRIu64 " packet%s%s %s", dropped, number_plural(dropped),
		    window_words(circumstances), told->what);
	say_counters(finding, counters, told);
	finding_filter(finding, "%s", told->filter);
	finding_next(finding, "%s", told->next);
}

static void say_full(struct finding *finding, const struct kernel_sockets *sockets)
{
	const char *socket;

	for (size_t i = 0; (socket = kernel_sockets_full(sockets, i)); i++)
		finding_say(finding, "%s%s", i ? ", " : ". Full at the end: ", socket);
}

/* An attempt that comes again is counted again. Overflows are among the drops: tcp_conn_request(). */
static void find_overflows(const struct kernel_counters *counters, const struct kernel_sockets *sockets,
			   const struct circumstances *circumstances, struct findings *findings)
{
	uint64_t overflows = kernel_counters_moved(counters, KERNEL_LISTEN_OVERFLOWS);
	uint64_t opened = kernel_counters_moved(counters, KERNEL_PASSIVE_OPENS);
	bool grave = overflows >= (overflows + opened) / GRAVE_SHARE; /* both are below 2^63 */
	struct finding *finding;

	if (!overflows)
		return;
	finding = findings_add(findings, FINDING_LISTEN_OVERFLOW, grave ? FINDING_ERROR : FINDING_WARNING,
			       WEIGHT_OVERFLOW);
	finding->count = overflows;
	finding_say(finding,
		    "an accept queue was full %" PRIu64 " time%s%s, and the kernel dropped who wanted to connect: the "
		    "program that listens does not accept fast enough (TcpExt.ListenOverflows; %" PRIu64
		    " connection%s came in)",
		    overflows, number_plural(overflows), window_words(circumstances), opened, number_plural(opened));
	say_full(finding, sockets);
	finding_filter(finding, "tcp.flags.syn == 1");
	finding_next(finding,
		     "which server's handshakes come again; there, ss -ltn: Recv-Q above Send-Q is a full queue; "
		     "what keeps its program, then its backlog and net.core.somaxconn");
}

/* Other reasons are a full queue of SYNs, no memory, and a SYN that is out of place. */
static void find_listen_drops(const struct kernel_counters *counters, const struct circumstances *circumstances,
			      struct findings *findings)
{
	uint64_t drops = kernel_counters_moved(counters, KERNEL_LISTEN_DROPS);
	uint64_t overflows = kernel_counters_moved(counters, KERNEL_LISTEN_OVERFLOWS);
	struct finding *finding;

	if (drops <= overflows)
		return;
	finding = findings_add(findings, FINDING_LISTEN_OVERFLOW, FINDING_WARNING, WEIGHT_USUAL);
	finding->count = drops - overflows;
	finding_say(finding,
		    "the kernel dropped %" PRIu64
		    " SYN%s%s at sockets that listen, not because an accept queue was full "
		    "(TcpExt.ListenDrops)",
		    finding->count, number_plural(finding->count), window_words(circumstances));
	finding_filter(finding, "tcp.flags.syn == 1 && tcp.flags.ack == 0");
	finding_next(finding, "nstat in that namespace: TcpExt.TCPReqQFull*; net.ipv4.tcp_max_syn_backlog, memory");
}

void kernel_find(const struct kernel_counters *counters, const struct kernel_sockets *sockets,
		 const struct circumstances *circumstances, struct findings *findings)
{
	find_overflows(counters, sockets, circumstances, findings);
	find_listen_drops(counters, circumstances, findings);
	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		find_dropped(counters, circumstances, &list[i], findings);
}
