#include "summary/findings.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "summary/ends.h"

struct finding *findings_add(struct findings *findings, enum finding_kind kind, enum finding_severity severity,
			     unsigned weight)
{
	struct finding *finding = &findings->spare;

	if (findings->count < FINDINGS_MAX)
		finding = &findings->list[findings->count++];
	else
		findings->left_out++;
	*finding = (struct finding){.kind = kind, .severity = severity, .weight = weight};
	return finding;
}

__attribute__((format(printf, 3, 0))) static void append(char *text, size_t size, const char *format, va_list args)
{
	size_t used = strlen(text);

	vsnprintf(text + used, size - used, format, args);
}

void finding_say(struct finding *finding, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	append(finding->sentence, sizeof(finding->sentence), format, args);
	va_end(args);
}

void finding_filter(struct finding *finding, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	append(finding->display_filter, sizeof(finding->display_filter), format, args);
	va_end(args);
}

void finding_next(struct finding *finding, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	append(finding->next, sizeof(finding->next), format, args);
	va_end(args);
}

void finding_connection(struct finding *finding, const struct finding_connection *connection)
{
	for (size_t i = 0; i < finding->connection_count; i++) {
		const struct finding_connection *other = &finding->connections[i];

		if (other->protocol == connection->protocol && ends_same(&other->a, &connection->a) &&
		    ends_same(&other->b, &connection->b))
			return;
	}
	if (finding->connection_count < FINDING_CONNECTIONS)
		finding->connections[finding->connection_count++] = *connection;
}

static int by_likelihood(const void *left, const void *right)
{
	const struct finding *a = left, *b = right;

	if (a->severity != b->severity)
		return a->severity > b->severity ? -1 : 1;
	if (a->weight != b->weight)
		return a->weight > b->weight ? -1 : 1;
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	if (a->count != b->count)
		return a->count > b->count ? -1 : 1;
	return strcmp(a->sentence, b->sentence);
}

void findings_rank(struct findings *findings)
{
	qsort(findings->list, findings->count, sizeof(findings->list[0]), by_likelihood);
}

size_t findings_count(const struct findings *findings, enum finding_severity severity)
{
	size_t count = 0;

	for (size_t i = 0; i < findings->count; i++)
		count += findings->list[i].severity == severity;
	return count;
}

const char *finding_kind_name(enum finding_kind kind)
{
	static const char *const names[FINDING_KINDS] = {
		[FINDING_DNS_UNANSWERED] = "dns-unanswered",
		[FINDING_DNS_FAILURE] = "dns-failure",
		[FINDING_ARP_UNANSWERED] = "arp-unanswered",
		[FINDING_ADDRESS_CONFLICT] = "address-conflict",
		[FINDING_ICMP_ERROR] = "icmp-error",
		[FINDING_REFUSED] = "refused",
		[FINDING_NO_ANSWER] = "no-answer",
		[FINDING_MTU] = "mtu",
		[FINDING_TLS_FAILURE] = "tls-failure",
		[FINDING_RESET_INJECTED] = "reset-injected",
		[FINDING_IDLE_TIMEOUT] = "idle-timeout",
		[FINDING_ONE_WAY] = "one-way",
		[FINDING_LISTEN_OVERFLOW] = "listen-overflow",
		[FINDING_ZERO_WINDOW] = "zero-window",
		[FINDING_RESET] = "reset",
		[FINDING_LOSS] = "loss",
		[FINDING_DNS_SLOW] = "dns-slow",
		[FINDING_DNS_SEARCH] = "dns-search",
		[FINDING_SLOW_SERVER] = "slow-server",
		[FINDING_SLOW_NETWORK] = "slow-network",
		[FINDING_CHECKSUM] = "checksum",
		[FINDING_KERNEL_DROPS] = "kernel-drops",
		[FINDING_CAPTURE_LOSS] = "capture-loss",
		[FINDING_INJECTED_BETWEEN] = "injected-between",
		[FINDING_LOST_BETWEEN] = "lost-between",
		[FINDING_REWRITTEN] = "rewritten",
		[FINDING_CLOCK_OFFSET] = "clock-offset",
		[FINDING_PATH_DELAY] = "path-delay",
	};

	return names[kind];
}

const char *finding_severity_name(enum finding_severity severity)
{
	return severity == FINDING_ERROR ? "error" : severity == FINDING_WARNING ? "warning" : "note";
}

/* --- where packets are --- */

struct places {
	uint32_t count;
	char names[PLACES_MEMBERS][ROLL_NAME_SIZE];
};

struct places *places_open(struct err *err)
{
	/* So large a piece comes from the kernel as zeros, and is not touched. */
	struct places *places = calloc(1, sizeof(*places));

	if (!places)
		err_sys(err, ENOMEM, "memory for names");
	return places;
}

void places_close(struct places *places)
{
	free(places);
}

uint32_t places_member(struct places *places, const char *name)
{
	if (places->count == PLACES_MEMBERS)
		return 0;
	snprintf(places->names[places->count], ROLL_NAME_SIZE, "%s", name);
	return ++places->count;
}

const char *places_name(const struct places *places, uint32_t member)
{
	return member ? places->names[member - 1] : NULL;
}
