#include "request/event_names.h"

#include <stdio.h>
#include <string.h>

#include "request/guess.h"
#include "request/number.h"
#include "request/options.h"

#define BEHIND_TCP "(tcp[12] >> 4 << 2)" /* where TCP's payload begins */

static const struct event_name {
	const char *name;
	bool payload; /* it is told by what stands behind the headers */
	const char *help;
	const char *expression; /* nearly the same in pcap-filter(7)'s language; NULL: there is none */
} names[UNTIL_KINDS] = {
	[UNTIL_RESET] = {"reset", false, "a TCP reset (RST)", "tcp[tcpflags] & tcp-rst != 0"},
	[UNTIL_UNREACHABLE] = {"unreachable", false, "ICMP or ICMPv6: unreachable, too big, time exceeded",
			       "icmp[0] = 3 or icmp[0] = 11 or (icmp6[0] >= 1 and icmp6[0] <= 3)"},
	[UNTIL_DNS_FAILURE] = {"dns-failure", true, "an answer from port 53: SERVFAIL or REFUSED",
			       "udp src port 53 and udp[10] & 128 != 0 and (udp[11] & 15 = 2 or udp[11] & 15 = 5)"},
	[UNTIL_HTTP_5XX] = {"http-5xx", true, "an answer of HTTP/1 with status 5xx, in plain text",
			    "tcp[" BEHIND_TCP ":4] = 0x48545450 and tcp[" BEHIND_TCP " + 8:2] = 0x2035"},
	[UNTIL_TLS_ALERT] = {"tls-alert", true, "an alert of TLS in clear, other than close_notify",
			     "tcp[" BEHIND_TCP "] = 21 and tcp[" BEHIND_TCP " + 3:2] = 2 and tcp[" BEHIND_TCP
			     " + 6] != 0"},
	[UNTIL_SILENCE] = {"silence", false, "after the first packet, none for D on any interface", NULL},
};

/* What others call them, or how they begin. */
static const struct {
	const char *word;
	enum until_kind kind;
} meant[] = {
	{"rst", UNTIL_RESET},
	{"tcp-rst", UNTIL_RESET},
	{"tcp-reset", UNTIL_RESET},
	{"icmp-unreach", UNTIL_UNREACHABLE},
	{"servfail", UNTIL_DNS_FAILURE},
	{"refused", UNTIL_DNS_FAILURE},
	{"dns", UNTIL_DNS_FAILURE},
	{"5xx", UNTIL_HTTP_5XX},
	{"http", UNTIL_HTTP_5XX},
	{"http-500", UNTIL_HTTP_5XX},
	{"500", UNTIL_HTTP_5XX},
	{"502", UNTIL_HTTP_5XX},
	{"503", UNTIL_HTTP_5XX},
	{"504", UNTIL_HTTP_5XX},
	{"tls", UNTIL_TLS_ALERT},
	{"alert", UNTIL_TLS_ALERT},
	{"idle", UNTIL_SILENCE},
	{"timeout", UNTIL_SILENCE},
};

static const char *typed(enum until_kind kind)
{
	return kind == UNTIL_SILENCE ? "silence=30s" : names[kind].name;
}

static int take_silence(struct until *until, const char *duration, struct err *err)
{
	static const struct number_range range = {NUMBER_DURATION, UNTIL_SILENCE_LEAST, UNTIL_SILENCE_MOST, 0};

	if (!*duration)
		return err_set(err, STATUS_USAGE, "--until silence: needs a time, as in --until silence=30s");
	return number_parse("--until silence", duration + 1, &range, &until->duration, err);
}

static enum until_kind kind_of(const char *text, size_t length)
{
	for (enum until_kind kind = UNTIL_RESET; kind < UNTIL_KINDS; kind++) {
		if (strlen(names[kind].name) == length && strncmp(text, names[kind].name, length) == 0)
			return kind;
	}
	return UNTIL_EXPRESSION;
}

int event_names_add(struct options *options, const char *text, struct err *err)
{
	size_t length = strcspn(text, "=");
	enum until_kind kind = kind_of(text, length);
	struct until *until = &options->until[options->until_count];

	if (strcmp(text, "help") == 0) {
		options->action = ACTION_UNTIL_HELP;
		return 0;
	}
	if (options->until_count == UNTIL_MAX)
		return err_set(err, STATUS_USAGE, "--until %.60s: at most %d events are allowed", text, UNTIL_MAX);
	if (!text[strspn(text, " \t\n")])
		return err_set(err, STATUS_USAGE, "--until '': needs an argument, EVENT (--until help lists them)");
	if (kind != UNTIL_SILENCE && kind != UNTIL_EXPRESSION && text[length])
		return err_set(err, STATUS_USAGE, "--until %.60s: %s takes no value", text, names[kind].name);
	*until = (struct until){.kind = kind, .text = text};
	if (kind == UNTIL_SILENCE && take_silence(until, text + length, err) < 0)
		return -1;
	options->until_count++;
	return 0;
}

bool event_names_used(const struct options *options)
{
	for (unsigned i = 0; i < options->until_count; i++) {
		enum until_kind kind = options->until[i].kind;

		if (kind != UNTIL_EXPRESSION && kind != UNTIL_SILENCE)
			return true;
	}
	return false;
}

static int refuse_short(const struct options *options, const struct until *until, struct err *err)
{
	return err_set(
		err, STATUS_USAGE,
		"--until %s reads what stands behind the headers: it cannot be combined with %s, which keeps %llu "
		"bytes of each packet",
		names[until->kind].name, options->lowered.snaplen ? "TARCAP_MAX_SNAPLEN" : "-s/--snapshot-length",
		(unsigned long long)options->snaplen);
}

int event_names_check(struct options *options, struct err *err)
{
	if (options->until_count == 0 && options->after != OPTIONS_NOT_GIVEN)
		return err_set(err, STATUS_USAGE, "--after: it is the time after an event, which --until EVENT names");
	if (options->after == OPTIONS_NOT_GIVEN)
		options->after = UNTIL_AFTER_DEFAULT;
	for (unsigned i = 0; i < options->until_count; i++) {
		if (names[options->until[i].kind].payload && options->snaplen < SNAPLEN_MAX)
			return refuse_short(options, &options->until[i], err);
	}
	return 0;
}

void event_names_advice(const char *text, char *advice, size_t size)
{
	struct guess guess;
	const char *name = NULL;
	char word[GUESS_LENGTH + 2];

	snprintf(word, sizeof(word), "%.*s", (int)strcspn(text, "="), text); /* silense=5s */
	guess_begin(&guess, word);
	for (enum until_kind kind = UNTIL_RESET; kind < UNTIL_KINDS; kind++) {
		guess_try(&guess, names[kind].name);
		if (guess.best == names[kind].name)
			name = typed(kind);
	}
	for (size_t i = 0; i < sizeof(meant) / sizeof(meant[0]); i++) {
		if (strcmp(meant[i].word, word) == 0)
			name = typed(meant[i].kind);
	}
	advice[0] = '\0';
	if (name)
		snprintf(advice, size, "did you mean --until %s?", name);
}

void event_names_help(void)
{
	printf("--until EVENT ends the capture --after D (10s) the first of these; it may be given %d times:\n\n",
	       UNTIL_MAX);
	for (enum until_kind kind = UNTIL_RESET; kind < UNTIL_KINDS; kind++)
		printf("  %-13s%s\n", kind == UNTIL_SILENCE ? "silence=D" : names[kind].name, names[kind].help);
	printf("  %-13sany other: a filter as in pcap-filter(7)\n\nThe names as filters, nearly:\n\n", "EXPRESSION");
	for (enum until_kind kind = UNTIL_RESET; kind < UNTIL_KINDS; kind++) {
		if (names[kind].expression)
			printf("  %-13s%s\n", names[kind].name, names[kind].expression);
	}
	printf("\nA name sees more than its filter: IPv4 and IPv6, also behind VLAN tags and IPv6's extension "
	       "headers,\n"
	       "and dns-failure over TCP. Both see only what FILTER lets pass, on Ethernet, raw IP, Linux cooked and\n"
	       "BSD loopback links. They do not see:\n\n"
	       "  what is encrypted: HTTP in TLS, alerts of TLS 1.3 and of an established session, DNS over TLS or "
	       "HTTPS\n"
	       "  what does not begin a segment: a status or an alert behind other bytes of the same or an earlier "
	       "one\n"
	       "  HTTP/2 and HTTP/3; DNS from another port than 53, and answers that never come (silence=D with a\n"
	       "  filter may); what stands in tunnels; fragments other than the first; what the kernel dropped\n"
	       "  inbound, outbound and ifname: here a filter has the packet alone (-Q in chooses a direction)\n");
}
