/* The kernel's counters: from /proc's text into JSON, and from an archive's JSON into what is said. */
#include "unit.h"

#include <string.h>

#include "archive/counters.h"
#include "sightings.h"
#include "summary/kernel_counters.h"

/* --- into JSON --- */

static char text[4096];

static void expect_json(const char *expected, const char *files, size_t room)
{
	struct netstate_text answer = {.text = text, .size = room};
	struct counters counters;

	counters_begin(&counters, &answer);
	counters_put(&counters, files, strlen(files));
	counters_end(&counters);
	if (!expected) {
		assert_true(answer.errnum && answer.used == 0);
		return;
	}
	assert_int_equal(answer.errnum, 0);
	assert_int_equal(answer.used, strlen(expected));
	assert_memory_equal(text, expected, answer.used);
}

static void by_name(void **state)
{
	(void)state;
	expect_json("{}\n", "", 1024);
	expect_json("{\"Tcp\":{\"MaxConn\":-1,\"RetransSegs\":784},\"Udp\":{\"InErrors\":0}}\n",
		    "Tcp: MaxConn RetransSegs\nTcp: -1 784\nUdp: InErrors\nUdp: 0\n", 1024);
	expect_json("{\"Udp6\":{\"InErrors\":7},\"UdpLite6\":{\"InErrors\":8}}\n",
		    "Udp6InErrors   \t7\nUdpLite6InErrors 8", 1024);
}

/* A kernel of another time, or a text that was cut. */
static void what_is_neither_is_passed_over(void **state)
{
	(void)state;
	expect_json("{\"Ip\":{\"A\":1}}\n", "\n:\nIp: A B\nIp: 1\nTcp: A\nUdp: 5\nword\n6\nIp6 1\nIp6A x\nIp6B\nTcp: C",
		    1024);
	expect_json("{\"Ip\":{\"C\":3}}\n", "Ip: A B C\nIp: 99999999999999999999 1x 3\n", 1024);
	expect_json("{\"Ip\":{\"A\":9223372036854775807,\"E\":-12}}\n",
		    "Ip: A B C D E\nIp: 9223372036854775807 9223372036854775808 007 - -12\n", 1024);
	expect_json("{\"Ip\":{\"C\":3}}\n", "Ip: A\" B\\ C\nIp: 1 2 3\nT\"p: A\nT\"p: 1\n", 1024);
}

static void what_does_not_fit_is_an_error(void **state)
{
	(void)state;
	expect_json("{\"Ip\":{\"A\":1}}\n", "Ip: A\nIp: 1\n", 15);
	expect_json(NULL, "Ip: A\nIp: 1\n", 14);
}

/* --- out of an archive --- */

static struct kernel_counters *kernel;
static struct kernel_sockets *sockets;
static struct conversations *conversations;
static struct findings findings;

static int set_up(void **state)
{
	struct err err = {0};

	(void)state;
	memset(&findings, 0, sizeof(findings));
	kernel = kernel_counters_open(&err);
	conversations = conversations_open(&sightings_key, &err);
	sockets = kernel_sockets_open(&err);
	return kernel && conversations && sockets ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	kernel_counters_close(kernel);
	kernel_sockets_close(sockets);
	conversations_close(conversations);
	return 0;
}

static void take(const char *name, const char *json)
{
	kernel_counters_take(kernel, name, json, strlen(json));
	kernel_sockets_take(sockets, name, json, strlen(json));
}

static void finish(bool window)
{
	kernel_counters_finish(kernel, sockets, conversations, &(struct circumstances){.window = window}, &findings);
}

static void moved(const char *start, const char *end)
{
	take("context/start/counters.json", start);
	take("context/end/counters.json", end);
	finish(false);
}

static void one_in_a_hundred_is_grave(void **state)
{
	(void)state;
	moved("{\"TcpExt\":{\"ListenOverflows\":5,\"ListenDrops\":5},\"Tcp\":{\"PassiveOpens\":0}}",
	      "{\"TcpExt\":{\"ListenOverflows\":6,\"ListenDrops\":8},\"Tcp\":{\"PassiveOpens\":99}}");
	assert_int_equal(findings.count, 2);
	assert_int_equal(findings.list[0].kind, FINDING_LISTEN_OVERFLOW);
	assert_int_equal(findings.list[0].severity, FINDING_ERROR);
	assert_int_equal(findings.list[0].count, 1);
	assert_int_equal(findings.list[1].severity, FINDING_WARNING);
	assert_int_equal(findings.list[1].count, 2);
}

static void fewer_are_a_warning(void **state)
{
	(void)state;
	moved("{\"TcpExt\":{\"ListenOverflows\":5},\"Tcp\":{\"PassiveOpens\":0}}",
	      "{\"TcpExt\":{\"ListenOverflows\":6},\"Tcp\":{\"PassiveOpens\":1000}}");
	assert_int_equal(findings.count, 1);
	assert_int_equal(findings.list[0].severity, FINDING_WARNING);
}

static void no_route_for_ipv6_is_a_note(void **state)
{
	(void)state;
	moved("{\"Ip6\":{\"OutNoRoutes\":0},\"Ip\":{\"OutNoRoutes\":1}}",
	      "{\"Ip6\":{\"OutNoRoutes\":4},\"Ip\":{\"OutNoRoutes\":2}}");
	assert_int_equal(findings.count, 2);
	assert_int_equal(findings.list[0].severity, FINDING_WARNING);
	assert_int_equal(findings.list[0].count, 1);
	assert_int_equal(findings.list[1].severity, FINDING_NOTE);
	assert_non_null(strstr(findings.list[1].sentence, "(Ip6.OutNoRoutes +4)"));
}

/* Its counters are of more than its packets are. */
static void a_window_is_told_apart(void **state)
{
	(void)state;
	take("context/start/counters.json", "{\"Udp\":{\"InCsumErrors\":0}}");
	take("context/end/counters.json", "{\"Udp\":{\"InCsumErrors\":1}}");
	finish(true);
	assert_int_equal(findings.count, 1);
	assert_non_null(strstr(findings.list[0].sentence, "the kernel dropped 1 packet since the recorder began that"));
}

static void nothing_without_both_moments(void **state)
{
	uint64_t seen;

	(void)state;
	take("context/end/counters.json", "{\"Udp\":{\"InCsumErrors\":1}}");
	take("context/start/hosts", "{\"Udp\":{\"InCsumErrors\":0}}");
	finish(false);
	assert_int_equal(findings.count, 0);
	assert_false(kernel_counters_known(kernel));
	assert_false(kernel_counters_seen(kernel, &seen));
}

/* Of an archive that somebody has made up. */
static void nothing_is_trusted(void **state)
{
	static const char *const starts[] = {"",
					     "[",
					     "[]",
					     "7",
					     "{\"Udp\":7}",
					     "{\"Udp\":{\"InCsumErrors\":\"0\"}}",
					     "{\"Udp\":{\"InCsumErrors\":-1}}",
					     "{\"Udp\":{\"InCsumErrors\":0.5}}",
					     "{\"Udp\":{\"InCsumErrors\":9}}"};

	(void)state;
	take("context/end/counters.json", "{\"Udp\":{\"InCsumErrors\":8}}");
	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		take("context/start/counters.json", starts[i]);
		finish(false);
		assert_int_equal(findings.count, 0);
	}
}

static void largest_numbers(void **state)
{
	(void)state;
	moved("{\"Tcp\":{\"InCsumErrors\":0,\"PassiveOpens\":0},\"Udp\":{\"InCsumErrors\":0},\"Udp6\":{"
	      "\"InCsumErrors\":0},"
	      "\"TcpExt\":{\"ListenOverflows\":0}}",
	      "{\"Tcp\":{\"InCsumErrors\":9223372036854775807,\"PassiveOpens\":9223372036854775807},"
	      "\"Udp\":{\"InCsumErrors\":9223372036854775807},\"Udp6\":{\"InCsumErrors\":9223372036854775807},"
	      "\"TcpExt\":{\"ListenOverflows\":9223372036854775807}}");
	assert_int_equal(findings.count, 2);
	assert_true(findings.list[0].count == INT64_MAX);
	assert_true(findings.list[1].count == UINT64_MAX);
}

static void many_addresses(void **state)
{
	static char json[80000] = "{\"interfaces\":[7,{\"addr_info\":[{},{\"local\":\"x\"}";
	uint64_t seen;

	(void)state;
	take("context/start/interfaces.json", "{\"interfaces\":{}}");
	assert_false(kernel_counters_seen(kernel, &seen));
	for (unsigned i = 0; i < 2 * KERNEL_ADDRESSES; i++)
		snprintf(json + strlen(json), sizeof(json) - strlen(json), ",{\"local\":\"fd00::%x\"}", i);
	strcat(json, "]}]}");
	take("context/start/interfaces.json", json);
	assert_true(kernel_counters_seen(kernel, &seen));
}

static void sockets_that_are_none(void **state)
{
	static const char *const texts[] = {
		"7",
		"{\"sockets\":7}",
		"{\"sockets\":[7,{}]}",
		"{\"sockets\":[{\"state\":\"LISTEN\",\"local\":\"x\",\"local_port\":1,\"recv_q\":1,\"send_q\":0}]}",
		"{\"sockets\":[{\"state\":\"LISTEN\",\"local\":\"::\",\"local_port\":1,\"recv_q\":1,\"send_q\":1}]}",
		"{\"sockets\":[{\"state\":\"ESTAB\",\"local\":\"::\",\"local_port\":1,\"recv_q\":1,\"send_q\":0}]}"};
	static char many[4096] = "{\"sockets\":[7";

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		take("context/end/sockets.json", texts[i]);
		assert_null(kernel_sockets_full(sockets, 0));
	}
	for (unsigned i = 0; i < 2 * KERNEL_FULL; i++)
		strcat(many,
		       ",{\"state\":\"LISTEN\",\"local\":\"1.2.3.4\",\"local_port\":80,\"recv_q\":2,\"send_q\":1}");
	strcat(many, "]}");
	take("context/start/sockets.json", many);
	assert_null(kernel_sockets_full(sockets, 0));
	take("context/end/sockets.json", many);
	assert_string_equal(kernel_sockets_full(sockets, KERNEL_FULL - 1), "1.2.3.4:80");
	assert_null(kernel_sockets_full(sockets, KERNEL_FULL));
}

#define ON_KERNEL(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_name),
		cmocka_unit_test(what_is_neither_is_passed_over),
		cmocka_unit_test(what_does_not_fit_is_an_error),
		ON_KERNEL(one_in_a_hundred_is_grave),
		ON_KERNEL(fewer_are_a_warning),
		ON_KERNEL(no_route_for_ipv6_is_a_note),
		ON_KERNEL(a_window_is_told_apart),
		ON_KERNEL(nothing_without_both_moments),
		ON_KERNEL(nothing_is_trusted),
		ON_KERNEL(largest_numbers),
		ON_KERNEL(many_addresses),
		ON_KERNEL(sockets_that_are_none),
	};

	return cmocka_run_group_tests_name("kernel_counters", tests, NULL, NULL);
}
