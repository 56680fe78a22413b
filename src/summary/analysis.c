#include "summary/analysis.h"

#include <errno.h>
#include <stdlib.h>

#include "summary/kernel_counters.h"
#include "summary/kernel_sockets.h"
#include "summary/left_open.h"
#include "summary/neighbours.h"
#include "summary/pairing.h"
#include "summary/pairing_udp.h"
#include "summary/tcp.h"
#include "summary/tls.h"

struct analysis {
	struct conversations *conversations;
	struct tcp *tcp;
	struct dns *dns;
	struct http *http;
	struct tls *tls;
	struct icmp *icmp;
	struct neighbours *neighbours;
	struct kernel_counters *kernel;
	struct kernel_sockets *sockets;
	struct pairing *pairing; /* of several archives, or NULL; of which this is: */
	unsigned archive;
	struct findings findings;
};

struct analysis *analysis_open(const struct siphash_key *key, struct err *err)
{
	struct analysis *analysis = calloc(1, sizeof(*analysis));

	if (!analysis) {
		err_sys(err, ENOMEM, "memory for the analysis");
		return NULL;
	}
	if ((analysis->conversations = conversations_open(key, err)) && (analysis->tcp = tcp_open(key, err)) &&
	    (analysis->dns = dns_open(key, err)) && (analysis->http = http_open(key, err)) &&
	    (analysis->tls = tls_open(key, err)) && (analysis->icmp = icmp_open(key, err)) &&
	    (analysis->neighbours = neighbours_open(key, err)) && (analysis->kernel = kernel_counters_open(err)) &&
	    (analysis->sockets = kernel_sockets_open(err)))
		return analysis;
	analysis_close(analysis);
	return NULL;
}

void analysis_close(struct analysis *analysis)
{
	if (!analysis)
		return;
	conversations_close(analysis->conversations);
	tcp_close(analysis->tcp);
	dns_close(analysis->dns);
	http_close(analysis->http);
	tls_close(analysis->tls);
	icmp_close(analysis->icmp);
	neighbours_close(analysis->neighbours);
	kernel_counters_close(analysis->kernel);
	kernel_sockets_close(analysis->sockets);
	free(analysis);
}

static void add_icmp(struct analysis *analysis, const struct sighting *sighting)
{
	struct dissected quoted;
	struct conversation *conversation;
	int side;

	if (!icmp_add(analysis->icmp, sighting, &quoted)) {
		neighbours_add(analysis->neighbours, sighting);
		return;
	}
	dns_refused(analysis->dns, &quoted);
	conversation = conversations_find(analysis->conversations, &quoted, &side);
	if (conversation)
		conversation->rejected = true;
}

static void add_tcp(struct analysis *analysis, struct conversation *conversation, int side,
		    const struct sighting *sighting)
{
	uint32_t number = 0;

	if (conversation) {
		number = (uint32_t)conversations_index(analysis->conversations, conversation);
		tcp_add(analysis->tcp, conversation, number, side, sighting);
	}
	if (conversation && analysis->pairing)
		pairing_add(analysis->pairing, analysis->archive, number, sighting);
	tls_add(analysis->tls, sighting);
	if (sighting->headers->payload_size) {
		dns_add(analysis->dns, sighting);
		http_add(analysis->http, sighting);
	}
}

static void add_udp(struct analysis *analysis, const struct conversation *conversation, const struct sighting *sighting)
{
	if (conversation && analysis->pairing)
		pairing_udp_add(analysis->pairing, analysis->archive,
				(uint32_t)conversations_index(analysis->conversations, conversation), sighting);
	dns_add(analysis->dns, sighting);
}

static void add_addressed(struct analysis *analysis, const struct sighting *sighting)
{
	const struct dissected *headers = sighting->headers;
	struct conversation *conversation;
	int side = 0;

	conversation = conversations_add(analysis->conversations, sighting->chain, headers, sighting->place.time,
					 sighting->length, &side);
	if (conversation && conversation->sent[0].packets + conversation->sent[1].packets == 1) {
		conversation->member = sighting->place.member;
		conversation->packet = (uint32_t)sighting->place.packet;
		conversation->joined_packet = sighting->place.joined_packet;
	}
	if (headers->protocol == PROTOCOL_TCP)
		add_tcp(analysis, conversation, side, sighting);
	else if (headers->protocol == PROTOCOL_UDP)
		add_udp(analysis, conversation, sighting);
	else if (headers->protocol == PROTOCOL_ICMP || headers->protocol == PROTOCOL_ICMPV6)
		add_icmp(analysis, sighting);
}

void analysis_announce(struct analysis *analysis, struct sighting *sighting)
{
	if (sighting->headers->version)
		sighting->chain = conversations_chain(analysis->conversations, sighting->headers);
}

void analysis_approach(struct analysis *analysis, struct sighting *sighting)
{
	sighting->approached = 0;
	if (sighting->headers->version)
		sighting->approached = conversations_approach(analysis->conversations, sighting->chain);
	if (sighting->approached && analysis->pairing)
		pairing_approach(analysis->pairing, analysis->archive, sighting->approached - 1);
}

void analysis_reach(const struct analysis *analysis, const struct sighting *sighting)
{
	if (sighting->approached && analysis->pairing)
		pairing_reach(analysis->pairing, analysis->archive, sighting->approached - 1);
}

void analysis_add(struct analysis *analysis, const struct sighting *sighting)
{
	if (sighting->headers->version)
		add_addressed(analysis, sighting);
	else if (sighting->headers->ethertype == DISSECT_ARP)
		neighbours_add(analysis->neighbours, sighting);
}

void analysis_pair(struct analysis *analysis, struct pairing *pairing, unsigned archive)
{
	analysis->pairing = pairing;
	analysis->archive = archive;
}

void analysis_context(struct analysis *analysis, const char *name, const char *text, size_t size)
{
	kernel_counters_take(analysis->kernel, name, text, size);
	kernel_sockets_take(analysis->sockets, name, text, size);
}

const struct findings *analysis_finish(struct analysis *analysis, const struct circumstances *circumstances)
{
	struct left_open_cut cut = {
		.icmp = icmp_cut(analysis->icmp),
		.dns = dns_cut(analysis->dns),
		.hellos = tls_cut(analysis->tls),
		.sack = tcp_cut(analysis->tcp),
	};

	tcp_finish(analysis->tcp, analysis->conversations, circumstances, &analysis->findings);
	dns_finish(analysis->dns, circumstances->last);
	dns_findings(analysis->dns, circumstances, &analysis->findings);
	tls_finish(analysis->tls, circumstances, &analysis->findings);
	icmp_finish(analysis->icmp, &analysis->findings);
	neighbours_finish(analysis->neighbours, analysis->conversations, &analysis->findings);
	kernel_counters_finish(analysis->kernel, analysis->sockets, analysis->conversations, circumstances,
			       &analysis->findings);
	left_open_say(&analysis->findings, analysis->conversations, circumstances, &cut);
	kernel_sockets_finish(analysis->sockets, analysis->conversations, circumstances, &analysis->findings);
	findings_rank(&analysis->findings);
	return &analysis->findings;
}

const struct dns *analysis_dns(const struct analysis *analysis)
{
	return analysis->dns;
}

const struct http *analysis_http(const struct analysis *analysis)
{
	return analysis->http;
}

const struct icmp *analysis_icmp(const struct analysis *analysis)
{
	return analysis->icmp;
}

const struct kernel_counters *analysis_kernel(const struct analysis *analysis)
{
	return analysis->kernel;
}

const struct servers *analysis_servers(const struct analysis *analysis)
{
	return tcp_servers(analysis->tcp);
}

const struct conversations *analysis_conversations(const struct analysis *analysis)
{
	return analysis->conversations;
}
