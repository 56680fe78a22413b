#include "summary/analysis.h"

#include <errno.h>
#include <stdlib.h>

#include "summary/dns.h"
#include "summary/icmp.h"
#include "summary/neighbours.h"
#include "summary/tls.h"

struct analysis {
	struct conversations *conversations;
	struct dns *dns;
	struct tls *tls;
	struct icmp *icmp;
	struct neighbours *neighbours;
	struct findings findings;
};

struct analysis *analysis_open(const struct siphash_key *key, struct err *err)
{
	struct analysis *analysis = calloc(1, sizeof(*analysis));

	if (!analysis) {
		err_sys(err, ENOMEM, "memory for the analysis");
		return NULL;
	}
	if ((analysis->conversations = conversations_open(key, err)) && (analysis->dns = dns_open(key, err)) &&
	    (analysis->tls = tls_open(key, err)) && (analysis->icmp = icmp_open(key, err)) &&
	    (analysis->neighbours = neighbours_open(key, err)))
		return analysis;
	analysis_close(analysis);
	return NULL;
}

void analysis_close(struct analysis *analysis)
{
	if (!analysis)
		return;
	conversations_close(analysis->conversations);
	dns_close(analysis->dns);
	tls_close(analysis->tls);
	icmp_close(analysis->icmp);
	neighbours_close(analysis->neighbours);
	free(analysis);
}

static void add_icmp(struct analysis *analysis, const struct sighting *sighting)
{
	struct dissected quoted;

	if (icmp_add(analysis->icmp, sighting, &quoted))
		dns_refused(analysis->dns, &quoted);
	else
		neighbours_add(analysis->neighbours, sighting);
}

static void add_upper(struct analysis *analysis, const struct sighting *sighting)
{
	switch (sighting->headers->protocol) {
	case PROTOCOL_TCP:
		tls_add(analysis->tls, sighting);
		dns_add(analysis->dns, sighting);
		break;
	case PROTOCOL_UDP:
		dns_add(analysis->dns, sighting);
		break;
	case PROTOCOL_ICMP:
	case PROTOCOL_ICMPV6:
		add_icmp(analysis, sighting);
		break;
	default:
		break;
	}
}

void analysis_add(struct analysis *analysis, const struct sighting *sighting)
{
	const struct dissected *headers = sighting->headers;

	if (headers->version) {
		conversations_add(analysis->conversations, headers, sighting->place.time, sighting->length);
		add_upper(analysis, sighting);
	} else if (headers->ethertype == DISSECT_ARP) {
		neighbours_add(analysis->neighbours, sighting);
	}
}

const struct findings *analysis_finish(struct analysis *analysis, const struct circumstances *circumstances)
{
	dns_finish(analysis->dns, circumstances->last);
	dns_findings(analysis->dns, circumstances, &analysis->findings);
	tls_finish(analysis->tls, circumstances, &analysis->findings);
	icmp_finish(analysis->icmp, &analysis->findings);
	neighbours_finish(analysis->neighbours, analysis->conversations, &analysis->findings);
	findings_rank(&analysis->findings);
	return &analysis->findings;
}

const struct conversations *analysis_conversations(const struct analysis *analysis)
{
	return analysis->conversations;
}
