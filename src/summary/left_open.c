#include "summary/left_open.h"

#include <inttypes.h>

#include "request/number.h"

#define MORE "there may be more of it"
#define MAYBE_WHY "which may be why"
#define OTHER_NAMES "maybe other queries and answers"
#define SOME_OF_THESE "maybe some of these"
#define WHOSE_SIDE "who serves whom is told by the lower port"

/* What is cut has to do with it. */
enum of_cut { CUT_NOTHING, CUT_ICMP, CUT_QUOTES, CUT_DNS, CUT_HELLOS, CUT_SACK, CUT_CHECKSUM };

/*
 * NULL and CUT_NOTHING: that leaves nothing open. A refusal and a handshake's time are told of connections whose SYN is
 * here, and names, neighbours and the kernel's counters have no connection that could have begun before. TCP's flags,
 * numbers, windows and times are in headers, which are there.
 */
static const struct open {
	const char *lost, *before;
	enum of_cut cut;
} table[FINDING_KINDS] = {
	[FINDING_NO_ANSWER] = {MAYBE_WHY, "it may have been sent before, too", CUT_ICMP},
	[FINDING_ONE_WAY] = {MAYBE_WHY, "both directions may have passed until then", CUT_ICMP},
	[FINDING_REFUSED] = {MORE, NULL, CUT_NOTHING},
	[FINDING_ICMP_ERROR] = {MORE, "it may have worked until then", CUT_QUOTES},
	[FINDING_RESET] = {MORE, "what it had carried until then is not counted", CUT_NOTHING},
	[FINDING_RESET_INJECTED] = {MORE, "TTLs until then are not known", CUT_NOTHING},
	[FINDING_IDLE_TIMEOUT] = {"so it may not have been idle all the time", WHOSE_SIDE, CUT_NOTHING},
	[FINDING_LOSS] = {MAYBE_WHY, "what was sent until then may count as lost", CUT_SACK},
	[FINDING_MTU] = {MAYBE_WHY, "larger ones may have passed until then", CUT_ICMP},
	[FINDING_ZERO_WINDOW] = {"which may have opened it sooner", "it may have been zero for longer", CUT_NOTHING},
	[FINDING_SLOW_SERVER] = {"maybe the first of an answer", WHOSE_SIDE, CUT_NOTHING},
	[FINDING_SLOW_NETWORK] = {"which may make handshakes look longer", NULL, CUT_NOTHING},
	[FINDING_DNS_UNANSWERED] = {"maybe answers", NULL, CUT_DNS},
	[FINDING_DNS_SLOW] = {"maybe earlier answers", NULL, CUT_DNS},
	[FINDING_DNS_FAILURE] = {OTHER_NAMES, NULL, CUT_DNS},
	[FINDING_DNS_SEARCH] = {OTHER_NAMES, NULL, CUT_DNS},
	[FINDING_TLS_FAILURE] = {"maybe the answer, or more of it", "TLS may have been spoken until then", CUT_HELLOS},
	[FINDING_ARP_UNANSWERED] = {"maybe answers", NULL, CUT_NOTHING},
	[FINDING_ADDRESS_CONFLICT] = {MORE, NULL, CUT_NOTHING},
	[FINDING_KERNEL_DROPS] = {SOME_OF_THESE, NULL, CUT_NOTHING},
	[FINDING_LISTEN_OVERFLOW] = {SOME_OF_THESE, NULL, CUT_NOTHING},
	[FINDING_CHECKSUM] = {SOME_OF_THESE, NULL, CUT_CHECKSUM},
	[FINDING_CAPTURE_LOSS] = {MAYBE_WHY, "what was missed until then is not counted", CUT_NOTHING},
};

/* Of those that are named, one at least was there before the capture. */
static bool began_before(struct conversations *conversations, const struct finding *finding)
{
	for (size_t i = 0; i < finding->connection_count; i++) {
		const struct finding_connection *one = &finding->connections[i];
		const struct conversation *of;
		int side;

		if (one->protocol != PROTOCOL_TCP || !one->ports)
			continue;
		of = conversations_between(conversations, one->version, &one->a, &one->b, &side);
		if (of && !(of->connection.marks & CONNECTION_BEGUN))
			return true;
	}
	return false;
}

static void say_lost(struct finding *finding, const struct circumstances *circumstances, const char *what)
{
	if (circumstances->lost && what)
		finding_say(finding, " (the capture lost %" PRIu64 " packet%s, %s)", circumstances->lost,
			    number_plural(circumstances->lost), what);
	else if (finding->absent && circumstances->one_way)
		finding_say(finding, circumstances->filtered ? " (or the capture's filter left the answers out)"
							     : " (no answer to anything is in this capture)");
	else if (finding->absent && circumstances->cut)
		finding_say(finding, " (or it is in what the capture lacks: it is not whole)");
}

static void say_cut(struct finding *finding, uint64_t count, const char *one, const char *several, const char *what)
{
	if (count)
		finding_say(finding, " (%" PRIu64 " %s cut%s)", count, count == 1 ? one : several, what);
}

static void say_what_is_cut(struct finding *finding, enum of_cut what, const struct left_open_cut *cut, bool snapped)
{
	if (what == CUT_ICMP)
		say_cut(finding, cut->icmp, "ICMP error is", "ICMP errors are",
			" before what is quoted, which may be this");
	else if (what == CUT_QUOTES)
		say_cut(finding, cut->icmp, "more is", "more are", " before what is quoted");
	else if (what == CUT_DNS)
		say_cut(finding, cut->dns, "DNS message is", "DNS messages are", ", and not looked into");
	else if (what == CUT_HELLOS)
		say_cut(finding, cut->hellos, "TLS hello is", "TLS hellos are", ", of which nothing is said");
	else if (what == CUT_SACK)
		say_cut(finding, cut->sack, "SACK is", "SACKs are", ": more may have arrived all the same");
	else if (what == CUT_CHECKSUM && snapped)
		finding_say(finding, " (packets are cut: Wireshark cannot check theirs)");
}

void left_open_say(struct findings *findings, struct conversations *conversations,
		   const struct circumstances *circumstances, const struct left_open_cut *cut)
{
	for (size_t i = 0; i < findings->count; i++) {
		struct finding *finding = &findings->list[i];
		const struct open *open = &table[finding->kind];

		/* It tells of the loss itself. */
		if (finding->kind == FINDING_CAPTURE_LOSS && finding->connection_count == 0)
			continue;
		if (open->before && began_before(conversations, finding))
			finding_say(finding, "; begun before the capture: %s", open->before);
		say_lost(finding, circumstances, open->lost);
		say_what_is_cut(finding, open->cut, cut, circumstances->snapped);
	}
}
