/* advice.c: what was meant by a filter that is none. That each offer is one is for tests/system/test_mistakes.py. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "request/advice.h"

static void in_other_words(void **state)
{
	static const char *const cases[][2] = {
		{"tcp.port==80", "tcp port 80"},
		{"ip.addr == 10.0.0.1 and !(udp.port == 53)", "host 10.0.0.1 and !(udp port 53)"},
		{"tcp.port != 22", "not tcp port 22"},
		{"tcp.flags.syn == 0", "tcp[tcpflags] & tcp-syn = 0"},
		{"http.request and tcp", "tcp port 80 and tcp"},
		{"tcp dst port 80,443", "tcp dst port 80 or 443"},
		{"tcp port 80-90", "tcp portrange 80-90"},
		{"port 80-90", "portrange 80-90"},
		{"host 10.0.0.1:80", "host 10.0.0.1 and port 80"},
		{"PORT 80", "port 80"},
		{"udp:53", "udp port 53"},
		{"host=web", "host web"},
		{"host Web.example", "host Web.example"}, /* a name is let alone */
		{"tcp[13] & 2 != 0 and prot 80", "tcp[13] & 2 != 0 and port 80"},
	};
	char meant[ADVICE_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		advice_rewrite(cases[i][0], meant);
		assert_string_equal(meant, cases[i][1]);
	}
}

static void what_cannot_be_said(void **state)
{
	static char text[40000];
	char meant[ADVICE_SIZE];

	(void)state;
	assert_false(advice_rewrite("", meant));
	assert_false(advice_rewrite("tcp port 80", meant));
	assert_false(advice_rewrite("frame.len > 100", meant));
	memset(text, 'x', sizeof(text) - 1);
	assert_false(advice_rewrite(text, meant));
	for (size_t length = 1; length < 300; length++) { /* at every border of a word and of the text */
		snprintf(text, sizeof(text), "%.*s", (int)length,
			 "tcp.port tcp.port == tcp.port == 1 10.0.0.1:80,443 80-90 [[[ ((( !!! \"'; http,http,http dns "
			 "dns dns dns "
			 "dhcp dhcp dhcp dhcp dhcp dhcp dhcp dhcp dhcp dhcp dhcp dhcp dhcp dhcp dhcp dhcp dhcp dhcp "
			 "dhcp dhcp dhcp "
			 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
			 "a");
		advice_rewrite(text, meant);
		assert_in_range(strlen(meant), 0, ADVICE_SIZE - 1);
		advice_no_filter(text, meant);
		assert_in_range(strlen(meant), 0, ADVICE_SIZE - 1);
		advice_is_display_filter(text);
	}
}

static void no_filter_at_all(void **state)
{
	static const char *const cases[][2] = {
		{"joni x.tar", "'tarcap join'"},
		{"version", "--version"},
		{"x.tar", "tarcap join x.tar"},
		{"eth0", "-i eth0"},
		{"net1", "-i net1"},
		{"tcp -c 5", "options come before"},
		{"tcp", ""},
		{"icmp6", ""},
		{"hots 1.2.3.4", ""},
		{"ipv6", ""},
		{"port80", ""},
		{"", ""},
	};
	char advice[ADVICE_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(advice_no_filter(cases[i][0], advice), cases[i][1][0] != '\0');
		assert_non_null(strstr(advice, cases[i][1]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_other_words),
		cmocka_unit_test(what_cannot_be_said),
		cmocka_unit_test(no_filter_at_all),
	};

	return cmocka_run_group_tests_name("advice", tests, NULL, NULL);
}
