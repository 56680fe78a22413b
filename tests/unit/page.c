#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "summary/page.h"

static struct summary summary;
static struct conversations *conversations; /* the summary's */
static struct servers *servers;
static struct dns *dns;
static struct http *http;
static struct icmp *icmp;
static struct kernel_counters *kernel;
static struct findings findings;
static struct output output;
static struct defects defects;
static struct verify_told told;

static int set_up(void **state)
{
	const struct siphash_key key = {1, 2};
	struct err err = {0};

	(void)state;
	memset(&summary, 0, sizeof(summary));
	memset(&told, 0, sizeof(told));
	memset(&defects, 0, sizeof(defects));
	summary.told = &told;
	summary.format = "tar";
	summary.defects = &defects;
	memset(&findings, 0, sizeof(findings));
	summary.findings = &findings;
	conversations = conversations_open(&key, &err);
	assert_non_null(conversations);
	summary.conversations = conversations;
	servers = servers_open(&key, &err);
	assert_non_null(servers);
	summary.servers = servers;
	summary.dns = dns = dns_open(&key, &err);
	summary.http = http = http_open(&key, &err);
	summary.icmp = icmp = icmp_open(&key, &err);
	summary.kernel = kernel = kernel_counters_open(&err);
	assert_true(dns && http && icmp && kernel);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	conversations_close(conversations);
	servers_close(servers);
	dns_close(dns);
	http_close(http);
	icmp_close(icmp);
	kernel_counters_close(kernel);
	return 0;
}

static void numbers(void **state)
{
	static const struct {
		uint64_t value;
		const char *text;
	} cases[] = {
		{0, "0"},
		{99999, "99999"},
		{100000, "100k"},
		{123456, "123k"},
		{999999, "999k"},
		{1000000, "1.00M"},
		{1999999, "1.99M"},
		{12345678, "12.3M"},
		{999999999, "999M"},
		{1000000000, "1.00G"},
		{54321000000000, "54.3T"},
		{UINT64_MAX, "18.4E"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[PAGE_NUMBER_SIZE];

		assert_string_equal(page_number(cases[i].value, text), cases[i].text);
	}
}

/* What is written is printable, and no line is too long; the lines. */
static unsigned lines_of_page(void)
{
	struct err err = {0};
	unsigned lines = 0;
	size_t column = 0;

	output_init(&output, -1);
	assert_int_equal(page_write(&summary, "web.tar", &output, &err), 0);
	for (size_t i = 0; i < output.used; i++) {
		column = output.buffer[i] == '\n' ? 0 : column + 1;
		lines += column == 0;
		assert_true(column <= PAGE_COLUMNS);
		assert_true(column == 0 || (output.buffer[i] >= ' ' && output.buffer[i] <= '~'));
	}
	output_init(&output, -1);
	/* It may be longer than the buffer: then the descriptor is written to, and that fails. */
	if (page_write_json(&summary, "web.tar", &output, &err) < 0)
		assert_true(output.errnum);
	print_message("%u lines\n", lines);
	return lines;
}

static void nothing(void **state)
{
	(void)state;
	assert_in_range(lines_of_page(), 5, 10);
}

static void add(uint8_t end, uint64_t bytes)
{
	struct dissected packet = {.version = 6, .protocol = PROTOCOL_TCP, .flags = DISSECT_SYN, .ports = true};
	int side;

	memset(packet.from.address, 0xf0 + end, sizeof(packet.from.address));
	memset(packet.to.address, 0xff, sizeof(packet.to.address));
	packet.from.port = packet.to.port = 65535;
	conversations_add(conversations, conversations_chain(conversations, &packet), &packet, UINT64_MAX, bytes,
			  &side);
}

/* As many and as long as they can be. */
static void fill_findings(void)
{
	for (int i = 0; i < FINDINGS_MAX + 5; i++) {
		struct finding *finding = findings_add(&findings, FINDING_LOSS, FINDING_WARNING, 1);

		memset(finding->sentence, 'x' + i % 2 * 0x44, sizeof(finding->sentence) - 1);
		memset(finding->display_filter, '\n', sizeof(finding->display_filter) - 1);
		memset(finding->next, ' ', sizeof(finding->next) - 1);
		finding->count = finding->first.packet = finding->first.joined_packet = finding->first.time =
			UINT64_MAX;
		for (uint16_t port = 0; port < FINDING_CONNECTIONS + 2; port++)
			finding_connection(finding, &(struct finding_connection){.a = {{1}, port}, .version = 6});
		assert_int_equal(finding->connection_count, FINDING_CONNECTIONS);
	}
	findings_rank(&findings);
	assert_int_equal(findings.left_out, 5);
}

/* As large and as long as numbers and texts can be. */
static void the_most(void **state)
{
	(void)state;
	summary.archive = true;
	summary.packets = summary.bytes = summary.kept = summary.files = summary.junk = summary.trailing = UINT64_MAX;
	summary.last = UINT64_MAX;
	summary.without_addresses = UINT64_MAX;
	summary.interface_count = SUMMARY_INTERFACES;
	for (size_t i = 0; i <= SUMMARY_INTERFACES; i++) {
		memset(summary.interfaces[i].name, '\xc3', sizeof(summary.interfaces[i].name) - 1);
		summary.interfaces[i].link_type = UINT32_MAX;
		summary.interfaces[i].packets = summary.interfaces[i].bytes = UINT64_MAX;
	}
	for (size_t i = 0; i < 256; i++)
		summary.protocols.ip[i] = (struct protocols_count){UINT64_MAX, UINT64_MAX};
	histogram_add(&summary.histogram, 0, UINT64_MAX);
	histogram_add(&summary.histogram, UINT64_MAX, UINT64_MAX);
	for (uint8_t end = 0; end < 15; end++)
		add(end, UINT64_MAX / 2);
	memset(told.cause, '\n', sizeof(told.cause) - 1);
	memset(told.detail, 'd', sizeof(told.detail) - 1);
	memset(told.name, '\r', sizeof(told.name) - 1);
	memset(told.filter, 'f', sizeof(told.filter) - 1);
	memset(told.reason, ' ', sizeof(told.reason) - 1);
	told.dropped_by_kernel = told.dropped_at_stop = told.dropped_output_failed = UINT64_MAX / 4;
	told.lossy_files = told.lost_before_files = UINT64_MAX;
	for (size_t i = 0; i < VERIFY_LOSSES; i++) {
		memset(told.losses[i].name, '\x7f', sizeof(told.losses[i].name) - 1);
		told.losses[i].packets = UINT64_MAX;
	}
	for (int kind = 0; kind < DEFECTS; kind++)
		defects_note(&defects, (enum defect)kind, "%0150d", kind);
	servers_sum(servers, conversations);
	fill_findings();
	assert_int_equal(lines_of_page(), 60);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers),
		cmocka_unit_test_setup_teardown(nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_most, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("page", tests, NULL, NULL);
}
