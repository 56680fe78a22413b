/* Packets straight into the analysers of DNS, TLS, HTTP, ICMP and neighbours: every query comes to one end, and what is
 * said is text. */
#include "fuzz.h"

#include "summary/conversations.h"
#include "summary/dns.h"
#include "summary/http.h"
#include "summary/icmp.h"
#include "summary/neighbours.h"
#include "summary/tls.h"

struct all {
	struct dns *dns;
	struct tls *tls;
	struct http *http;
	struct icmp *icmp;
	struct neighbours *neighbours;
	struct conversations *conversations;
	struct findings findings;
	uint64_t packets, time;
};

static void add(struct all *all, const struct sighting *sighting)
{
	const struct dissected *headers = sighting->headers;
	struct dissected quoted;
	int side;

	if (headers->version)
		conversations_add(all->conversations, conversations_chain(all->conversations, headers), headers,
				  all->time, sighting->length, &side);
	if (headers->protocol == PROTOCOL_TCP) {
		tls_add(all->tls, sighting);
		http_add(all->http, sighting);
	}
	dns_add(all->dns, sighting);
	if (icmp_add(all->icmp, sighting, &quoted))
		dns_refused(all->dns, &quoted);
	else
		neighbours_add(all->neighbours, sighting);
}

/* A packet: link type and interface, the pause before it as a power of two, 2 bytes of size, and so many bytes. */
static size_t take(struct all *all, const uint8_t *data, size_t left)
{
	size_t size = (size_t)data[2] | (size_t)data[3] << 8;
	struct dissected headers;
	struct sighting sighting = {.headers = &headers, .timed = true, .interface = data[0] >> 1 & 1};
	uint8_t *packet;

	size = size > left - 4 ? left - 4 : size;
	packet = malloc(size ? size : 1); /* so that nobody reads on behind it */
	memcpy(packet, data + 4, size);
	all->time += UINT64_C(1) << (data[1] & 63);
	sighting.place = (struct place){.packet = ++all->packets, .time = all->time};
	sighting.length = (uint32_t)size;
	dissect(&headers, data[0] & 1 ? LINK_RAW : LINK_ETHERNET, packet, size, size);
	add(all, &sighting);
	free(packet);
	return 4 + size;
}

static void check_text(const char *text, size_t size)
{
	PROMISE(memchr(text, '\0', size));
	for (; *text; text++)
		PROMISE(*text >= ' ' && *text <= '~');
}

static void check_dns(const struct dns *dns)
{
	for (size_t i = 0; i < dns_server_count(dns); i++) {
		const struct dns_server *server = dns_server_at(dns, i);
		const struct dns_counts *counts = &server->counts;

		PROMISE(counts->asked == counts->answered + counts->unanswered + counts->refused + server->open);
		PROMISE(server->times.count == counts->answered && counts->slow <= counts->answered);
	}
	for (size_t i = 0; i < dns_name_count(dns); i++) {
		const struct dns_name *name = dns_name_at(dns, i);

		PROMISE(name->name[0] && name->server);
		check_text(name->name, sizeof(name->name));
		PROMISE(name->counts.answered + name->counts.unanswered <= name->counts.asked);
	}
}

static void check_findings(const struct findings *findings)
{
	for (size_t i = 0; i < findings->count; i++) {
		const struct finding *finding = &findings->list[i];

		check_text(finding->sentence, sizeof(finding->sentence));
		check_text(finding->display_filter, sizeof(finding->display_filter));
		PROMISE(finding->sentence[0] && finding->count > 0 && finding->connection_count > 0);
	}
}

static void finish(struct all *all)
{
	struct circumstances circumstances = {.packets = all->packets, .last = all->time};

	dns_finish(all->dns, all->time);
	dns_findings(all->dns, &circumstances, &all->findings);
	tls_finish(all->tls, &circumstances, &all->findings);
	icmp_finish(all->icmp, &all->findings);
	neighbours_finish(all->neighbours, all->conversations, &all->findings);
	check_dns(all->dns);
	check_findings(&all->findings);
}

static void open_all(struct all *all)
{
	const struct siphash_key key = {1, 2};
	struct err err = {0};

	*all = (struct all){.dns = dns_open(&key, &err),
			    .tls = tls_open(&key, &err),
			    .http = http_open(&key, &err),
			    .icmp = icmp_open(&key, &err),
			    .neighbours = neighbours_open(&key, &err),
			    .conversations = conversations_open(&key, &err)};
	PROMISE(err.status == STATUS_OK);
}

static void close_all(struct all *all)
{
	dns_close(all->dns);
	tls_close(all->tls);
	http_close(all->http);
	icmp_close(all->icmp);
	neighbours_close(all->neighbours);
	conversations_close(all->conversations);
}

/* Their memory takes longer than all else: it is taken anew every so many inputs, and what was before stays in it. */
#define INPUTS 1000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct all all;
	static unsigned inputs;

	if (inputs++ % INPUTS == 0) {
		if (all.dns)
			close_all(&all);
		open_all(&all);
	}
	memset(&all.findings, 0, sizeof(all.findings));
	for (size_t at = 0; size - at >= 4;)
		at += take(&all, data + at, size - at);
	finish(&all);
	return 0;
}
