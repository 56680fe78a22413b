/* What a finding leaves open, and what the other side says of what came and what did not: SACK and acknowledgments. */
#include "tcp_segments.h"

static bool says(enum finding_kind kind, const char *words)
{
	for (size_t i = 0; i < findings.count; i++) {
		if (findings.list[i].kind == kind && strstr(findings.list[i].sentence, words))
			return true;
	}
	return false;
}

/* --- what is not here --- */

/* Two directions of a capture are not always in order. */
static void acknowledged_before_it_comes(void **state)
{
	(void)state;
	handshake();
	assert_int_equal(segment(CLIENT, ACK, 101, 1501, 0), TCP_UNSEEN);
	assert_int_equal(segment(SERVER, PSH, 501, 101, 1000), 0);
	finish();
	assert_false(says(FINDING_CAPTURE_LOSS, ""));
}

static void acknowledged_and_never_here(void **state)
{
	(void)state;
	handshake();
	segment(SERVER, PSH, 501, 101, 1000);
	assert_int_equal(segment(CLIENT, ACK, 101, 3501, 0), TCP_UNSEEN);
	finish();
	assert_true(says(FINDING_CAPTURE_LOSS, "is not in the capture, once"));
}

static void a_gap_that_is_acknowledged(void **state)
{
	(void)state;
	handshake();
	segment(SERVER, ACK, 501, 101, 1000);
	assert_int_equal(segment(SERVER, ACK, 2501, 101, 1000), TCP_GAP);
	assert_int_equal(segment(CLIENT, ACK, 101, 3501, 0), TCP_UNSEEN);
	assert_int_equal(segment(SERVER, ACK, 1501, 101, 1000), TCP_RETRANSMISSION); /* and not out of order */
	finish();
	assert_true(says(FINDING_CAPTURE_LOSS, "is not in the capture, once"));
}

/* One whose numbers of IP are always the same has sent again what looks like a copy. */
static void no_copy_of_a_sender_that_does_not_count(void **state)
{
	(void)state;
	handshake();
	for (uint32_t at = 501; at < 703; at += 101) {
		id[SERVER] = 1;
		assert_int_equal(segment(SERVER, PSH, at, 101, 101), 0);
	}
	id[SERVER] = 1;
	assert_int_equal(segment(SERVER, PSH, 602, 101, 101), TCP_RETRANSMISSION);
}

/* --- SACK --- */

/* The client acknowledges, and says what it has beyond that, or twice. Returns as segment(). */
static unsigned say_sack(uint32_t acknowledged, uint32_t from, uint32_t to)
{
	unsigned signs;

	memcpy(sack, (uint32_t[2][2]){{from, to}}, sizeof(sack));
	signs = segment(CLIENT, ACK, 101, acknowledged, 0);
	memset(sack, 0, sizeof(sack));
	return signs;
}

/* Three segments, of which the client has the first and the last; then there is silence. */
static void lack_the_second(void)
{
	handshake();
	segment(SERVER, ACK, 501, 101, 1000);
	segment(SERVER, ACK, 1501, 101, 1000);
	segment(SERVER, ACK, 2501, 101, 1000);
	say_sack(1501, 2501, 3501);
	wait_for(0.5);
}

static void needless_by_dsack(void **state)
{
	(void)state;
	handshake();
	segment(SERVER, ACK, 501, 101, 1000);
	segment(SERVER, ACK, 1501, 101, 1000);
	wait_for(0.5);
	segment(SERVER, ACK, 501, 101, 1000);
	say_sack(2501, 501, 1501);
	finish();
	assert_true(says(FINDING_LOSS, "0 had been seen here and were lost behind this point, 0 were lost before it; 1 "
				       "had arrived all the same (as ACK, SACK or D-SACK says)"));
}

static void needless_within_the_second_block(void **state)
{
	(void)state;
	handshake();
	segment(SERVER, ACK, 501, 101, 1000);
	segment(SERVER, ACK, 2501, 101, 1000);
	wait_for(0.5);
	segment(SERVER, ACK, 2501, 101, 1000);
	memcpy(sack, (uint32_t[2][2]){{2501, 3501}, {2501, 3501}}, sizeof(sack));
	segment(CLIENT, ACK, 101, 1501, 0);
	finish();
	assert_true(says(FINDING_LOSS, "0 had been seen here and were lost behind this point, 0 were lost before it; 1 "
				       "had arrived all the same (as ACK, SACK or D-SACK says)"));
}

/* The peer has said that it has it before it is sent again: it was not lost, and D-SACK counts it no second time. */
static void needless_by_sack(void **state)
{
	(void)state;
	lack_the_second();
	assert_int_equal(segment(SERVER, ACK, 1501, 101, 1000), TCP_RETRANSMISSION);
	assert_int_equal(segment(SERVER, ACK, 2501, 101, 1000), TCP_RETRANSMISSION);
	say_sack(3501, 2501, 3501);
	finish();
	assert_true(says(FINDING_LOSS, "2 of about 5 segments"));
	assert_true(says(FINDING_LOSS, "1 had been seen here and were lost behind this point, 0 were lost before it; 1 "
				       "had arrived all the same (as ACK, SACK or D-SACK says)"));
}

/* A receiver that knows no D-SACK: what it said before is enough. */
static void needless_by_sack_alone(void **state)
{
	(void)state;
	lack_the_second();
	assert_int_equal(segment(SERVER, ACK, 2501, 101, 1000), TCP_RETRANSMISSION);
	segment(CLIENT, ACK, 101, 1501, 0);
	finish();
	assert_true(says(FINDING_LOSS, "0 had been seen here and were lost behind this point, 0 were lost before it; 1 "
				       "had arrived all the same (as ACK, SACK or D-SACK says)"));
}

/* It was acknowledged already: the acknowledgment was lost, or late, and not the segment. */
static void needless_by_acknowledgment(void **state)
{
	(void)state;
	handshake();
	segment(SERVER, ACK, 501, 101, 1000);
	segment(CLIENT, ACK, 101, 1501, 0);
	wait_for(0.5);
	assert_int_equal(segment(SERVER, ACK, 501, 101, 1000), TCP_RETRANSMISSION);
	finish();
	assert_true(says(FINDING_LOSS, "0 had been seen here and were lost behind this point, 0 were lost before it; 1 "
				       "had arrived all the same"));
}

/* It had not been seen here, and the receiver has it twice: it did not get lost before this point. */
static void not_lost_before_by_dsack(void **state)
{
	(void)state;
	handshake();
	segment(SERVER, ACK, 501, 101, 1000);
	segment(SERVER, ACK, 2501, 101, 1000);
	wait_for(0.5);
	assert_int_equal(segment(SERVER, ACK, 1501, 101, 1000), TCP_RETRANSMISSION);
	say_sack(3501, 1501, 2501);
	finish();
	assert_true(says(FINDING_LOSS, "0 had been seen here and were lost behind this point, 0 were lost before it; 1 "
				       "had arrived all the same"));
}

/* Blocks that tell of what came out of order. */
static void lost_in_spite_of_sack(void **state)
{
	(void)state;
	handshake();
	segment(SERVER, ACK, 501, 101, 1000);
	segment(SERVER, ACK, 2501, 101, 1000);
	say_sack(1501, 2501, 3501);
	wait_for(0.5);
	assert_int_equal(segment(SERVER, ACK, 1501, 101, 1000), TCP_RETRANSMISSION);
	finish();
	assert_true(says(FINDING_LOSS, "1 were lost before it"));
	assert_false(says(FINDING_LOSS, "had arrived"));
	assert_false(says(FINDING_CAPTURE_LOSS, ""));
}

/* What has come to the receiver and was passed over here was lost by the capture. */
static void selected_and_never_here(void **state)
{
	(void)state;
	handshake();
	segment(SERVER, ACK, 501, 101, 1000);
	segment(SERVER, ACK, 3501, 101, 1000);
	assert_int_equal(say_sack(1501, 2501, 4501), TCP_UNSEEN);
	finish();
	assert_true(says(FINDING_CAPTURE_LOSS, "is not in the capture, once"));
}

/* --- what is left open --- */

static void refused_and_lost(void **state)
{
	(void)state;
	segment(CLIENT, SYN, 100, 0, 0);
	segment(SERVER, RST | ACK, 0, 101, 0);
	circumstances.lost = 1;
	first_is(FINDING_REFUSED, FINDING_ERROR, 2, "(the capture lost 1 packet, there may be more of it)");
}

static void idle_and_lost(void **state)
{
	(void)state;
	handshake();
	segment(CLIENT, PSH, 101, 501, 50);
	segment(SERVER, PSH, 501, 151, 50);
	wait_for(60);
	segment(SERVER, RST, 551, 0, 0);
	circumstances.lost = 3;
	first_is(FINDING_IDLE_TIMEOUT, FINDING_ERROR, 6,
		 "(the capture lost 3 packets, so it may not have been idle all the time)");
}

static void reset_and_begun_before(void **state)
{
	(void)state;
	segment(CLIENT, PSH, 101, 501, 50);
	segment(SERVER, ACK, 501, 151, 50);
	segment(SERVER, RST, 551, 0, 0);
	first_is(FINDING_RESET, FINDING_ERROR, 3,
		 "; begun before the capture: what it had carried until then is not counted");
}

static void reset_and_seen_from_its_beginning(void **state)
{
	(void)state;
	handshake();
	segment(CLIENT, PSH, 101, 501, 50);
	segment(SERVER, ACK, 501, 151, 50);
	segment(SERVER, RST, 551, 0, 0);
	finish();
	assert_true(says(FINDING_RESET, "in mid-connection"));
	assert_false(says(FINDING_RESET, "begun before"));
}

static void slow_and_begun_before(void **state)
{
	(void)state;
	segment(CLIENT, PSH, 101, 501, 50);
	wait_for(3);
	segment(SERVER, PSH, 501, 151, 50);
	first_is(FINDING_SLOW_SERVER, FINDING_WARNING, 2,
		 "; begun before the capture: who serves whom is told by the lower port");
}

static void zero_and_begun_before(void **state)
{
	(void)state;
	window = 0;
	segment(CLIENT, ACK, 101, 501, 0);
	wait_for(3);
	window = 500;
	segment(CLIENT, ACK, 101, 501, 0);
	first_is(FINDING_ZERO_WINDOW, FINDING_WARNING, 2,
		 "; begun before the capture: it may have been zero for longer");
}

/* Nothing is said of windows whose scale is not known. */
static void windows_without_a_scale(void **state)
{
	(void)state;
	segment(CLIENT, ACK, 101, 501, 0);
	assert_int_equal(segment(SERVER, ACK, 501, 101, 500) & TCP_WINDOW_FULL, 0);
}

static void large_and_begun_before(void **state)
{
	(void)state;
	segment(CLIENT, PSH, 101, 501, 50);
	segment(SERVER, ACK, 501, 151, 50);
	segment(CLIENT, ACK, 151, 551, 1448);
	for (int i = 0; i < 5; i++) {
		wait_for(1 << i);
		segment(CLIENT, ACK, 151, 551, 1448);
	}
	first_is(FINDING_MTU, FINDING_ERROR, 0, "; begun before the capture: larger ones may have passed until then");
}

static void unanswered_in_what_is_cut(void **state)
{
	(void)state;
	segment(CLIENT, SYN, 100, 0, 0);
	wait_for(1);
	segment(CLIENT, SYN, 100, 0, 0);
	circumstances.cut = true;
	first_is(FINDING_NO_ANSWER, FINDING_ERROR, 1, "(or it is in what the capture lacks: it is not whole)");
}

static void unanswered_one_way(void **state)
{
	(void)state;
	segment(CLIENT, SYN, 100, 0, 0);
	wait_for(1);
	segment(CLIENT, SYN, 100, 0, 0);
	circumstances.one_way = true;
	first_is(FINDING_NO_ANSWER, FINDING_ERROR, 1, "(no answer to anything is in this capture)");
}

static void unanswered_and_filtered(void **state)
{
	(void)state;
	segment(CLIENT, SYN, 100, 0, 0);
	wait_for(1);
	segment(CLIENT, SYN, 100, 0, 0);
	circumstances.one_way = circumstances.filtered = true;
	first_is(FINDING_NO_ANSWER, FINDING_ERROR, 1, "(or the capture's filter left the answers out)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(acknowledged_before_it_comes),
		TEST(acknowledged_and_never_here),
		TEST(a_gap_that_is_acknowledged),
		TEST(no_copy_of_a_sender_that_does_not_count),
		TEST(needless_by_dsack),
		TEST(needless_within_the_second_block),
		TEST(needless_by_sack),
		TEST(needless_by_sack_alone),
		TEST(needless_by_acknowledgment),
		TEST(not_lost_before_by_dsack),
		TEST(lost_in_spite_of_sack),
		TEST(selected_and_never_here),
		TEST(refused_and_lost),
		TEST(idle_and_lost),
		TEST(reset_and_begun_before),
		TEST(reset_and_seen_from_its_beginning),
		TEST(slow_and_begun_before),
		TEST(zero_and_begun_before),
		TEST(windows_without_a_scale),
		TEST(large_and_begun_before),
		TEST(unanswered_in_what_is_cut),
		TEST(unanswered_one_way),
		TEST(unanswered_and_filtered),
	};

	return cmocka_run_group_tests_name("tcp_open", tests, NULL, NULL);
}
