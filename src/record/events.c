#include "record/events.h"

#include <stdio.h>
#include <string.h>

#include "capture/filter.h"
#include "request/advice.h"
#include "summary/dissect.h"

#define BIT(kind) (1U << (kind))
#define NAMES \
	(BIT(UNTIL_RESET) | BIT(UNTIL_UNREACHABLE) | BIT(UNTIL_DNS_FAILURE) | BIT(UNTIL_HTTP_5XX) | \
	 BIT(UNTIL_TLS_ALERT))

/* ICMP's types: RFC 792; and ICMPv6's: RFC 4443. */
enum { ICMP_UNREACHABLE = 3, ICMP_TIME_EXCEEDED = 11, ICMPV6_UNREACHABLE = 1, ICMPV6_TIME_EXCEEDED = 3 };

/* RFC 1035, section 4.1.1. */
enum { DNS_PORT = 53, DNS_ANSWER = 0x80, DNS_CODE = 15, DNS_SERVFAIL = 2, DNS_REFUSED = 5 };

#define TLS_ALERT 21 /* the record's type: RFC 8446, section 5.1; 6 has what is in it */

/* What libpcap says is of a filter: whoever mistyped a name did not mean one. */
static int refuse(const struct until *until, const struct err *why, struct err *err)
{
	char advice[ADVICE_SIZE];

	event_names_advice(until->text, advice, sizeof(advice));
	if (advice[0] && why->status == STATUS_USAGE)
		return err_set(err, STATUS_USAGE, "--until '%.100s': no event's name and no filter: %s", until->text,
			       advice);
	if (why->status == STATUS_USAGE && !strpbrk(until->text, " \t"))
		return err_set(err, STATUS_USAGE, "--until '%.100s': no event's name (--until help lists them); %.400s",
			       until->text, why->text);
	return err_set(err, why->status, "--until: %.600s", why->text);
}

int events_open(struct events *events, const struct options *options, struct pcap *pcap, struct err *err)
{
	*events = (struct events){.options = options};
	for (unsigned i = 0; i < options->until_count; i++) {
		const struct until *until = &options->until[i];
		struct err why = {0};

		events->kinds |= BIT(until->kind);
		if (until->kind != UNTIL_EXPRESSION)
			continue;
		events->programs[i] = filter_compile(pcap, NULL, until->text, &why);
		if (!events->programs[i])
			return refuse(until, &why, err);
	}
	return 0;
}

void events_close(struct events *events)
{
	for (unsigned i = 0; i < UNTIL_MAX; i++)
		filter_free(events->programs[i]);
	*events = (struct events){0};
}

static unsigned by_dns(const unsigned char *message, uint32_t size)
{
	unsigned code;

	if (size < 4 || !(message[2] & DNS_ANSWER))
		return 0;
	code = message[3] & DNS_CODE;
	return code == DNS_SERVFAIL || code == DNS_REFUSED ? BIT(UNTIL_DNS_FAILURE) : 0;
}

static bool is_digit(unsigned char c)
{
	return c >= '0' && c <= '9';
}

/* "HTTP/1.1 503" */
static bool is_http_5xx(const unsigned char *payload, uint32_t size)
{
	return size >= 12 && memcmp(payload, "HTTP/1.", 7) == 0 && is_digit(payload[7]) && payload[8] == ' ' &&
	       payload[9] == '5' && is_digit(payload[10]) && is_digit(payload[11]);
}

/* In clear an alert is two bytes long: its level, and what it says, of which 0 is close_notify. */
static bool is_tls_alert(const unsigned char *payload, uint32_t size)
{
	return size >= 7 && payload[1] == 3 && layers_short(payload + 3) == 2 && payload[6] != 0;
}

static unsigned by_payload(const struct layers *layers, const unsigned char *payload, uint32_t size)
{
	if (payload[0] == 'H' && is_http_5xx(payload, size))
		return BIT(UNTIL_HTTP_5XX);
	if (payload[0] == TLS_ALERT && is_tls_alert(payload, size))
		return BIT(UNTIL_TLS_ALERT);
	if (layers_short(layers->upper) == DNS_PORT && size > 2)
		return by_dns(payload + 2, size - 2); /* behind its length: RFC 1035, section 4.2.2 */
	return 0;
}

static unsigned by_tcp(const struct layers *layers)
{
	uint32_t header = layers_transport_header(layers);
	unsigned kinds = 0;

	if (layers->upper_size > 13 && layers->upper[13] & DISSECT_RST)
		kinds = BIT(UNTIL_RESET);
	if (header && layers->upper_size > header)
		kinds |= by_payload(layers, layers->upper + header, layers->upper_size - header);
	return kinds;
}

static unsigned by_udp(const struct layers *layers)
{
	if (layers->upper_size < 8 || layers_short(layers->upper) != DNS_PORT)
		return 0;
	return by_dns(layers->upper + 8, layers->upper_size - 8);
}

static unsigned kinds_of(const struct layers *layers)
{
	uint8_t type = layers->upper[0];

	switch (layers->protocol) {
	case PROTOCOL_TCP:
		return by_tcp(layers);
	case PROTOCOL_UDP:
		return by_udp(layers);
	case PROTOCOL_ICMP:
		return layers->version == 4 && (type == ICMP_UNREACHABLE || type == ICMP_TIME_EXCEEDED)
			       ? BIT(UNTIL_UNREACHABLE)
			       : 0;
	case PROTOCOL_ICMPV6:
		return layers->version == 6 && type >= ICMPV6_UNREACHABLE && type <= ICMPV6_TIME_EXCEEDED
			       ? BIT(UNTIL_UNREACHABLE)
			       : 0;
	default:
		return 0;
	}
}

int events_match(const struct events *events, const struct layers *layers, const unsigned char *data, uint32_t caplen,
		 uint32_t length)
{
	unsigned kinds = layers && events->kinds & NAMES ? kinds_of(layers) & events->kinds : 0;

	if (!kinds && !(events->kinds & BIT(UNTIL_EXPRESSION)))
		return -1;
	for (unsigned i = 0; i < events->options->until_count; i++) {
		const struct bpf_program *program = events->programs[i];

		if (program ? filter_matches(program, data, length, caplen)
			    : kinds & BIT(events->options->until[i].kind))
			return (int)i;
	}
	return -1;
}
