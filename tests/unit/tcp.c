#include "tcp_segments.h"

/* --- segments --- */

static void a_healthy_connection(void **state)
{
	const struct server *server;

	(void)state;
	handshake();
	assert_int_equal(segment(CLIENT, PSH, 101, 501, 50), 0);
	assert_int_equal(segment(SERVER, ACK, 501, 151, 1000), 0);
	assert_int_equal(segment(SERVER, PSH, 1501, 151, 500), 0);
	assert_int_equal(segment(CLIENT, ACK, 151, 2001, 0), 0);
	assert_int_equal(segment(CLIENT, FIN, 151, 2001, 0), 0);
	assert_int_equal(segment(SERVER, FIN, 2001, 152, 0), 0);
	assert_int_equal(segment(CLIENT, ACK, 152, 2002, 0), 0);
	nothing_is_wrong();
	assert_int_equal(findings.count, 0);
	server = servers_at(tcp_servers(tcp), 0);
	assert_int_equal(server->connections, 1);
	assert_int_equal(server->opened, 1);
	assert_int_equal(durations_percentile(&server->handshakes, 50), 2000000);
	assert_int_equal(durations_percentile(&server->answers, 99), 1000000);
	assert_int_equal(server->segments[1], 2);
	assert_null(servers_at(tcp_servers(tcp), 1));
}

static void sent_again(void **state)
{
	(void)state;
	handshake();
	assert_int_equal(segment(SERVER, ACK, 501, 101, 1000), 0);
	assert_int_equal(segment(SERVER, ACK, 501, 101, 1000), TCP_RETRANSMISSION);
	assert_int_equal(segment(SERVER, ACK, 501, 101, 1500), TCP_RETRANSMISSION); /* its end is new */
	assert_int_equal(segment(SERVER, ACK, 2001, 101, 100), 0);
	assert_int_equal(segment(CLIENT, SYN, 100, 0, 0), TCP_RETRANSMISSION);
	assert_int_equal(only()->connection.retransmitted[SERVER], 2);
	assert_int_equal(only()->connection.lost_before[SERVER], 0);
}

static void lost_before_it_came_here(void **state)
{
	(void)state;
	handshake();
	assert_int_equal(segment(SERVER, ACK, 1501, 101, 1000), TCP_GAP);
	assert_int_equal(segment(SERVER, ACK, 3501, 101, 1000), TCP_GAP);
	wait_for(0.2);
	assert_int_equal(segment(SERVER, ACK, 501, 101, 500), TCP_RETRANSMISSION);
	assert_int_equal(segment(SERVER, ACK, 1001, 101, 500), TCP_RETRANSMISSION);
	assert_int_equal(only()->connection.lost_before[SERVER], 2);
	assert_int_equal(segment(SERVER, ACK, 1001, 101, 500), TCP_RETRANSMISSION); /* now it had been here */
	assert_int_equal(only()->connection.lost_before[SERVER], 2);
	assert_int_equal(segment(SERVER, ACK, 2501, 101, 1000), TCP_RETRANSMISSION);
	assert_int_equal(only()->connection.lost_before[SERVER], 3);
}

static void out_of_order(void **state)
{
	(void)state;
	handshake();
	/* By time alone: the round trip took 2 ms. */
	assert_int_equal(segment(SERVER, ACK, 1501, 101, 1000), TCP_GAP);
	assert_int_equal(segment(SERVER, ACK, 501, 101, 1000), TCP_OUT_OF_ORDER);
	/* By IP's numbers, however late. */
	id[SERVER] = 10;
	assert_int_equal(segment(SERVER, ACK, 2501, 101, 1000), 0);
	id[SERVER] = 12;
	assert_int_equal(segment(SERVER, ACK, 4501, 101, 1000), TCP_GAP);
	wait_for(0.05);
	id[SERVER] = 11;
	assert_int_equal(segment(SERVER, ACK, 3501, 101, 1000), TCP_OUT_OF_ORDER);
	/* And however soon. */
	id[SERVER] = 14;
	assert_int_equal(segment(SERVER, ACK, 6501, 101, 1000), TCP_GAP);
	assert_int_equal(segment(SERVER, ACK, 5501, 101, 1000), TCP_RETRANSMISSION);
	assert_int_equal(only()->connection.out_of_order[SERVER], 2);
	nothing_is_wrong();
}

static void numbers_wrap_around(void **state)
{
	(void)state;
	assert_int_equal(segment(CLIENT, SYN, UINT32_MAX - 100, 0, 0), 0);
	assert_int_equal(segment(SERVER, SYN | ACK, UINT32_MAX, UINT32_MAX - 99, 0), 0);
	assert_int_equal(segment(CLIENT, ACK, UINT32_MAX - 99, 0, 0), 0);
	assert_int_equal(segment(CLIENT, PSH, UINT32_MAX - 99, 0, 1000), 0);
	assert_int_equal(segment(CLIENT, PSH, 900, 0, 1000), 0);
	assert_int_equal(segment(CLIENT, PSH, UINT32_MAX - 99, 0, 1000), TCP_RETRANSMISSION);
	assert_int_equal(segment(CLIENT, PSH, 2900, 0, 1000), TCP_GAP);
	wait_for(1);
	assert_int_equal(segment(CLIENT, PSH, 1900, 0, 1000), TCP_RETRANSMISSION);
	assert_int_equal(segment(SERVER, ACK, 0, 3900, 0), 0);
}

static void duplicate_acks(void **state)
{
	(void)state;
	handshake();
	segment(CLIENT, PSH, 101, 501, 50);
	segment(SERVER, ACK, 1501, 151, 1000);
	assert_int_equal(segment(CLIENT, ACK, 151, 501, 0), TCP_DUPLICATE_ACK);
	assert_int_equal(segment(CLIENT, ACK, 151, 501, 0), TCP_DUPLICATE_ACK);
	/* Asked for by these: sent again, though it comes soon. */
	assert_int_equal(segment(SERVER, ACK, 501, 151, 1000), TCP_RETRANSMISSION);
	assert_int_equal(segment(CLIENT, ACK, 151, 2501, 0), 0);
	window = 600;
	assert_int_equal(segment(CLIENT, ACK, 151, 2501, 0), 0); /* the window is news */
	assert_int_equal(only()->connection.repeats[CLIENT], 2);
}

static void kept_alive(void **state)
{
	(void)state;
	handshake();
	for (int i = 0; i < 3; i++) {
		wait_for(60);
		assert_int_equal(segment(CLIENT, ACK, 100, 501, i % 2), TCP_KEEP_ALIVE);
		assert_int_equal(segment(SERVER, ACK, 501, 101, 0), 0);
	}
	nothing_is_wrong();
}

static void zero_windows(void **state)
{
	(void)state;
	handshake();
	segment(CLIENT, PSH, 101, 501, 64000);
	window = 0;
	assert_int_equal(segment(SERVER, ACK, 501, 64101, 0), TCP_ZERO_WINDOW);
	window = 500;
	assert_int_equal(segment(CLIENT, ACK, 64101, 501, 1), TCP_ZERO_PROBE);
	wait_for(2);
	window = 0;
	assert_int_equal(segment(SERVER, ACK, 501, 64101, 0), TCP_ZERO_WINDOW);
	window = 300;
	assert_int_equal(segment(SERVER, ACK, 501, 64101, 0), 0);
	assert_int_equal(segment(CLIENT, PSH, 64101, 501, 1000), 0); /* the byte of the probe is not sent again */
	first_is(FINDING_ZERO_WINDOW, FINDING_WARNING, 8, "10.0.0.2:80 announced a zero window once, for 2.00 s");
}

static void full_windows(void **state)
{
	(void)state;
	window = 10;
	handshake();
	assert_int_equal(segment(CLIENT, PSH, 101, 501, 1280), 0); /* a SYN+ACK's window is not scaled */
	assert_int_equal(segment(SERVER, ACK, 501, 1381, 0), 0);
	assert_int_equal(segment(CLIENT, PSH, 1381, 501, 1279), 0);
	assert_int_equal(segment(CLIENT, PSH, 2660, 501, 1), TCP_WINDOW_FULL);
	port++;
	segment(SERVER, ACK, 501, 101, 0);
	assert_int_equal(segment(CLIENT, PSH, 101, 501, 10), 0); /* no SYN, no scale, no claim */
	assert_int_equal(segment(CLIENT, PSH, 111, 501, 1270), 0);
}

/* The card cuts what is sent as one; what is sent again is a piece of it. */
static void large_frames(void **state)
{
	(void)state;
	handshake();
	assert_int_equal(segment(SERVER, PSH, 501, 101, 14480), 0);
	assert_int_equal(segment(SERVER, PSH, 14981, 101, 65160), 0);
	assert_int_equal(segment(SERVER, PSH, 3397, 101, 1448), TCP_RETRANSMISSION);
	assert_int_equal(segment(CLIENT, ACK, 101, 80141, 0), 0);
	assert_int_equal(only()->segments[SERVER], 10 + 45 + 1);
	nothing_is_wrong();
}

static void a_port_again(void **state)
{
	(void)state;
	handshake();
	segment(CLIENT, PSH, 101, 501, 50);
	segment(CLIENT, FIN, 151, 501, 0);
	segment(SERVER, FIN, 501, 152, 0);
	assert_int_equal(segment(CLIENT, SYN, 70000, 0, 0), 0);
	assert_int_equal(segment(SERVER, SYN | ACK, 9, 70001, 0), 0);
	assert_int_equal(segment(CLIENT, ACK, 70001, 10, 0), 0);
	assert_int_equal(segment(CLIENT, PSH, 70001, 10, 10), 0);
	assert_int_equal(segment(SERVER, PSH, 10, 70011, 10), 0);
	assert_int_equal(only()->connection.connections, 2);
	assert_int_equal(only()->connection.opens, 2);
	nothing_is_wrong();
}

/* What is forwarded is seen twice, in files that come one after the other. */
static void two_interfaces(void **state)
{
	uint64_t begin;

	(void)state;
	begin = now;
	handshake();
	segment(CLIENT, PSH, 101, 501, 50);
	segment(SERVER, PSH, 501, 151, 50);
	interface = 1;
	now = begin;
	assert_int_equal(segment(CLIENT, SYN, 100, 0, 0), TCP_ELSEWHERE);
	assert_int_equal(segment(SERVER, SYN | ACK, 500, 101, 0), TCP_ELSEWHERE);
	assert_int_equal(segment(CLIENT, PSH, 101, 501, 50), TCP_ELSEWHERE);
	assert_int_equal(segment(CLIENT, RST, 151, 551, 0), TCP_ELSEWHERE);
	assert_int_equal(only()->connection.connections, 1);
	nothing_is_wrong();
	assert_int_equal(findings.count, 0);
}

static void directions_at_two_interfaces(void **state)
{
	(void)state;
	segment(CLIENT, PSH, 101, 501, 50);
	segment(CLIENT, PSH, 151, 1501, 50);
	interface = 1;
	assert_int_equal(segment(SERVER, PSH, 501, 500, 50), 0);
	assert_int_equal(segment(SERVER, PSH, 551, 90000, 50), 0); /* nothing is said of what is not here */
	nothing_is_wrong();
}

static void seen_twice(void **state)
{
	(void)state;
	handshake();
	id[SERVER] = 7;
	assert_int_equal(segment(SERVER, PSH, 501, 101, 1000), 0);
	id[SERVER] = 7;
	assert_int_equal(segment(SERVER, PSH, 501, 101, 1000), TCP_COPY);
	id[SERVER] = 7; /* as of a sender that does not count */
	wait_for(0.2);
	assert_int_equal(segment(SERVER, PSH, 501, 101, 1000), TCP_RETRANSMISSION);
	assert_int_equal(segment(SERVER, PSH, 501, 101, 1000), TCP_RETRANSMISSION);
}

static void what_is_not_here(void **state)
{
	(void)state;
	handshake();
	assert_int_equal(segment(CLIENT, ACK, 101, 3501, 0), TCP_UNSEEN);
	assert_int_equal(segment(SERVER, PSH, 3501, 101, 1000), TCP_GAP);
	/* It was acknowledged: lost by the capture alone. */
	assert_int_equal(only()->connection.lost_before[SERVER], 0);
	first_is(FINDING_CAPTURE_LOSS, FINDING_NOTE, 5, "that is not in the capture, once");
}

/* --- findings --- */

static void refused(void **state)
{
	(void)state;
	for (port = 1001; port < 1004; port++) {
		segment(CLIENT, SYN, 100, 0, 0);
		segment(SERVER, RST | ACK, 0, 101, 0);
	}
	first_is(FINDING_REFUSED, FINDING_ERROR, 2,
		 "10.0.0.2:80 refused 3 of 3 connections (RST to SYN): nothing listens there");
	assert_int_equal(findings.list[0].connection_count, 3);
	assert_string_equal(findings.list[0].display_filter,
			    "ip.addr == 10.0.0.2 && tcp.port == 80 && tcp.flags.reset == 1");
}

static void refused_at_times(void **state)
{
	(void)state;
	handshake();
	port++;
	segment(CLIENT, SYN, 100, 0, 0);
	segment(SERVER, RST | ACK, 0, 101, 0);
	first_is(FINDING_REFUSED, FINDING_ERROR, 5, "refused 1 of 2 connections (RST to SYN): at times");
}

static void unanswered(void **state)
{
	(void)state;
	segment(CLIENT, SYN, 100, 0, 0);
	wait_for(1);
	assert_int_equal(segment(CLIENT, SYN, 100, 0, 0), TCP_RETRANSMISSION);
	first_is(FINDING_NO_ANSWER, FINDING_ERROR, 1, "10.0.0.2:80 never answered 1 of 1 connection (2 SYNs)");
}

static void unanswered_and_lost(void **state)
{
	(void)state;
	segment(CLIENT, SYN, 100, 0, 0);
	wait_for(1);
	segment(CLIENT, SYN, 100, 0, 0);
	circumstances.lost = 7;
	first_is(FINDING_NO_ANSWER, FINDING_ERROR, 1, "(the capture lost 7 packets, which may be why)");
}

/* Its answer may come later than the capture ends; and what an ICMP error says is told there. */
static void not_unanswered_yet(void **state)
{
	(void)state;
	segment(CLIENT, SYN, 100, 0, 0);
	port++;
	segment(CLIENT, SYN, 100, 0, 0);
	wait_for(3);
	segment(CLIENT, SYN, 100, 0, 0);
	conversations_at(conversations, 0)->rejected = conversations_at(conversations, 1)->rejected = true;
	nothing_is_wrong();
}

static void answers_that_do_not_arrive(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		segment(CLIENT, SYN, 100, 0, 0);
		segment(SERVER, SYN | ACK, 500, 101, 0);
		wait_for(1);
	}
	first_is(FINDING_NO_ANSWER, FINDING_ERROR, 1, "was never acknowledged");
}

static void more_than_one_syn(void **state)
{
	(void)state;
	segment(CLIENT, SYN, 100, 0, 0);
	wait_for(1);
	segment(CLIENT, SYN, 100, 0, 0);
	segment(SERVER, SYN | ACK, 500, 101, 0);
	segment(CLIENT, ACK, 101, 501, 0);
	first_is(FINDING_LOSS, FINDING_WARNING, 3, "opened only after up to 2 SYNs, which took 1.00 s");
}

static void reset(void **state)
{
	(void)state;
	handshake();
	segment(CLIENT, PSH, 101, 501, 50);
	segment(SERVER, RST | ACK, 501, 151, 0);
	first_is(FINDING_RESET, FINDING_ERROR, 5, "10.0.0.2:80 reset 1 connection in mid-connection");
	assert_non_null(strstr(findings.list[0].sentence, "while a request waited"));
}

/* After both have ended it, after a FIN, by who only looked whether it opens; and of what nothing is known. */
static void harmless_resets(void **state)
{
	(void)state;
	handshake();
	segment(CLIENT, PSH, 101, 501, 50);
	segment(SERVER, PSH, 501, 151, 50);
	segment(CLIENT, FIN, 151, 551, 0);
	segment(SERVER, RST, 551, 0, 0);
	port++;
	handshake();
	segment(CLIENT, RST, 101, 0, 0);
	port++;
	segment(CLIENT, SYN, 100, 0, 0);
	segment(SERVER, SYN | ACK, 500, 101, 0);
	segment(CLIENT, RST, 101, 0, 0);
	port++;
	segment(SERVER, RST, 551, 0, 0);
	nothing_is_wrong();
	assert_int_equal(findings.count, 0);
}

static void injected(void **state)
{
	(void)state;
	hops[SERVER] = 57;
	handshake();
	segment(CLIENT, PSH, 101, 501, 50);
	segment(SERVER, PSH, 501, 151, 50);
	hops[SERVER] = 64;
	segment(SERVER, RST, 551, 151, 0);
	first_is(FINDING_RESET_INJECTED, FINDING_ERROR, 6, "it came with TTL 64, the sender's others with 57");
}

/* A connection whose ways change has no TTL of its own. */
static void not_injected(void **state)
{
	(void)state;
	handshake();
	hops[SERVER] = 57;
	segment(SERVER, PSH, 501, 101, 50);
	hops[SERVER] = 60;
	segment(SERVER, RST, 551, 101, 0);
	finish();
	assert_int_equal(findings.list[0].kind, FINDING_RESET);
}

static void closed_while_idle(void **state)
{
	(void)state;
	for (port = 1001; port < 1004; port++) {
		handshake();
		segment(CLIENT, PSH, 101, 501, 50);
		segment(SERVER, PSH, 501, 151, 50);
		segment(CLIENT, ACK, 151, 551, 0);
		wait_for(60);
		segment(SERVER, FIN, 551, 151, 0);
		segment(CLIENT, ACK, 151, 552, 0);
		wait_for(1.018);
		segment(CLIENT, PSH, 151, 552, 50);
		segment(SERVER, RST, 552, 0, 0);
	}
	first_is(FINDING_IDLE_TIMEOUT, FINDING_ERROR, 10,
		 "10.0.0.2:80 closed an idle connection after 60.0 s and got a request 1.02 s later, 3 times");
}

static void reset_when_used_again(void **state)
{
	(void)state;
	handshake();
	segment(CLIENT, PSH, 101, 501, 50);
	segment(SERVER, PSH, 501, 151, 50);
	wait_for(350);
	segment(CLIENT, PSH, 151, 551, 50);
	segment(SERVER, RST, 551, 0, 0);
	first_is(FINDING_IDLE_TIMEOUT, FINDING_ERROR, 7, "had been idle for 350 s was reset, once");
}

static void again_and_again(int side, uint32_t sequence, uint32_t acknowledged, uint32_t size, int times)
{
	for (int i = 0; i < times; i++) {
		wait_for(0.2 * (1 << i));
		segment(side, PSH, sequence, acknowledged, size);
	}
}

static void silent_when_used_again(void **state)
{
	(void)state;
	handshake();
	segment(CLIENT, PSH, 101, 501, 50);
	segment(SERVER, PSH, 501, 151, 50);
	segment(CLIENT, ACK, 151, 551, 0);
	wait_for(900);
	again_and_again(CLIENT, 151, 551, 50, 6);
	first_is(FINDING_IDLE_TIMEOUT, FINDING_ERROR, 1, "had been idle for 900 s was used again and got no answer");
	assert_int_equal(findings_count(&findings, FINDING_WARNING), 0);
}

static void large_ones_vanish(void **state)
{
	(void)state;
	handshake();
	segment(CLIENT, PSH, 101, 501, 50);
	segment(SERVER, ACK, 501, 151, 14480);
	again_and_again(SERVER, 501, 151, 1448, 5);
	first_is(FINDING_MTU, FINDING_ERROR, 1,
		 "segments of 1448 bytes from 10.0.0.2:80 were sent 6 times and never acknowledged, smaller ones pass: "
		 "an MTU below 1500 on the way, and no ICMP came back");
	assert_int_equal(findings_count(&findings, FINDING_WARNING), 0);
}

static void one_stops(void **state)
{
	(void)state;
	handshake();
	segment(SERVER, ACK, 501, 101, 1448);
	segment(CLIENT, ACK, 101, 1949, 0);
	segment(SERVER, ACK, 1949, 101, 1448);
	again_and_again(SERVER, 1949, 101, 1448, 5);
	first_is(FINDING_NO_ANSWER, FINDING_ERROR, 1, "a segment was sent 6 times and never acknowledged");
}

/* In the end it comes. */
static void a_long_loss(void **state)
{
	(void)state;
	handshake();
	segment(SERVER, ACK, 501, 101, 1448);
	again_and_again(SERVER, 501, 101, 1448, 5);
	segment(CLIENT, ACK, 101, 1949, 0);
	first_is(FINDING_LOSS, FINDING_WARNING, 5, "5 of about 6 segments from 10.0.0.2:80 were sent again (83 %)");
	assert_int_equal(findings.count, 1);
}

static void one_direction(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 5; i++)
		segment(SERVER, ACK, 501 + i * 100, 101 + i, 100);
	port++;
	segment(CLIENT, PSH, 101, 501, 100);
	again_and_again(CLIENT, 101, 501, 100, 5);
	first_is(FINDING_ONE_WAY, FINDING_ERROR, 0, "one side sends the same again and again");
	assert_int_equal(findings.list[1].kind, FINDING_ONE_WAY);
	assert_int_equal(findings.list[1].severity, FINDING_NOTE);
}

static void slow_answers(void **state)
{
	uint32_t client = 101, server = 501;

	(void)state;
	handshake();
	for (int i = 0; i < 4; i++) {
		segment(CLIENT, PSH, client, server, 50);
		client += 50;
		segment(SERVER, ACK, server, client, 0);
		wait_for(2);
		segment(SERVER, PSH, server, client, 50);
		server += 50;
	}
	first_is(FINDING_SLOW_SERVER, FINDING_WARNING, 6, "took 1 s or more to begin 4 of 4 answers");
	assert_non_null(strstr(findings.list[0].sentence, "the server's time, not the network's"));
}

static void given_up(void **state)
{
	(void)state;
	handshake();
	segment(CLIENT, PSH, 101, 501, 50);
	segment(SERVER, ACK, 501, 151, 0);
	wait_for(5);
	segment(CLIENT, FIN, 151, 501, 0);
	first_is(FINDING_SLOW_SERVER, FINDING_ERROR, 6, "gave up 1 request after 5.00 s");
}

static void a_slow_network(void **state)
{
	(void)state;
	segment(CLIENT, SYN, 100, 0, 0);
	wait_for(0.4);
	segment(SERVER, SYN | ACK, 500, 101, 0);
	segment(CLIENT, ACK, 101, 501, 0);
	first_is(FINDING_SLOW_NETWORK, FINDING_WARNING, 1, "a handshake with 10.0.0.2:80 takes 402 ms");
}

static void many_servers(void **state)
{
	struct finding *last;

	(void)state;
	/* The lower port is the server's, whoever of these is asked: here that has to be said by SYNs. */
	for (port = 1; port < 9; port++) {
		for (int i = 0; i < port; i++) {
			segment(SERVER, SYN, 100u + (uint32_t)i, 0, 0);
			segment(CLIENT, RST | ACK, 0, 101u + (uint32_t)i, 0);
		}
	}
	finish();
	assert_int_equal(findings.count, 4);
	assert_non_null(strstr(findings.list[0].sentence, "10.0.0.1:8 refused 8 of 8"));
	last = &findings.list[3];
	assert_non_null(strstr(last->sentence, "5 more servers (refused, 15 times in all)"));
	assert_int_equal(last->count, 15);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_healthy_connection),
		TEST(sent_again),
		TEST(lost_before_it_came_here),
		TEST(out_of_order),
		TEST(numbers_wrap_around),
		TEST(duplicate_acks),
		TEST(kept_alive),
		TEST(zero_windows),
		TEST(full_windows),
		TEST(large_frames),
		TEST(a_port_again),
		TEST(two_interfaces),
		TEST(directions_at_two_interfaces),
		TEST(seen_twice),
		TEST(what_is_not_here),
		TEST(refused),
		TEST(refused_at_times),
		TEST(unanswered),
		TEST(unanswered_and_lost),
		TEST(not_unanswered_yet),
		TEST(answers_that_do_not_arrive),
		TEST(more_than_one_syn),
		TEST(reset),
		TEST(harmless_resets),
		TEST(injected),
		TEST(not_injected),
		TEST(closed_while_idle),
		TEST(reset_when_used_again),
		TEST(silent_when_used_again),
		TEST(large_ones_vanish),
		TEST(one_stops),
		TEST(a_long_loss),
		TEST(one_direction),
		TEST(slow_answers),
		TEST(given_up),
		TEST(a_slow_network),
		TEST(many_servers),
	};

	return cmocka_run_group_tests_name("tcp", tests, NULL, NULL);
}
