#include "unit.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "archive/netstate.h"
#include "system/rtnetlink.h"

/* A message with a struct rtmsg and these attributes behind it. */
struct message {
	struct nlmsghdr header;
	struct rtmsg route;
	unsigned char attributes[64];
};

static struct message message_of(const void *attributes, size_t size)
{
	struct message message = {.header = {.nlmsg_len = (uint32_t)(NLMSG_LENGTH(sizeof(struct rtmsg)) + size),
					     .nlmsg_type = RTM_NEWROUTE},
				  .route = {.rtm_family = AF_INET}};

	memcpy(message.attributes, attributes, size);
	return message;
}

static void attributes(void **state)
{
	static const unsigned char bytes[] = {5, 0, 1, 0, 'x', 0, 0, 0, 8, 0, 4, 0x80,
					      7, 0, 0, 0, 12,  0, 9, 0, 1, 2, 3, 4};
	struct message message = message_of(bytes, sizeof(bytes));
	const char *data;
	size_t size;

	(void)state;
	data = rtnetlink_attribute(&message.header, sizeof(struct rtmsg), 1, &size);
	assert_int_equal(size, 1);
	assert_int_equal(*data, 'x');
	/* The bits in front of the type are none of it. */
	assert_int_equal(rtnetlink_number(&message.header, sizeof(struct rtmsg), 4, 0), 7);
	assert_int_equal(rtnetlink_number(&message.header, sizeof(struct rtmsg), 1, 99), 99); /* too short */
	assert_int_equal(rtnetlink_number(&message.header, sizeof(struct rtmsg), 5, 99), 99);
	/* The last one claims more than there is. */
	assert_null(rtnetlink_attribute(&message.header, sizeof(struct rtmsg), 9, &size));
	assert_int_equal(size, 0);
	/* A length of nothing does not keep anybody for ever. */
	memset(message.attributes, 0, sizeof(message.attributes));
	assert_null(rtnetlink_attribute(&message.header, sizeof(struct rtmsg), 9, &size));
	message.header.nlmsg_len = NLMSG_HDRLEN + 3;
	assert_null(rtnetlink_attribute(&message.header, sizeof(struct rtmsg), 1, &size));
	assert_null(rtnetlink_header(&message.header, sizeof(struct rtmsg)));
}

static bool count(void *context, const struct nlmsghdr *message)
{
	int *left = context;

	assert_int_equal(message->nlmsg_type, RTM_NEWROUTE);
	return --*left > 0;
}

struct answer {
	struct message routes[3];
	struct nlmsghdr done;
};

/* What a kernel would answer, from the other end of a socket. */
static enum rtnetlink_result list(const struct answer *answer, size_t size, int *left)
{
	int ends[2];
	enum rtnetlink_result result;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends), 0);
	assert_int_equal(write(ends[1], answer, size), (ssize_t)size);
	result = rtnetlink_list(ends[0], RTM_GETROUTE, count, left);
	close(ends[0]);
	close(ends[1]);
	return result;
}

/* One byte more than a request's header is a line in the kernel's log. */
static void requests(void **state)
{
	static const struct {
		uint16_t type;
		size_t header;
	} all[] = {{RTM_GETLINK, sizeof(struct ifinfomsg)},
		   {RTM_GETADDR, sizeof(struct ifaddrmsg)},
		   {RTM_GETROUTE, sizeof(struct rtmsg)},
		   {RTM_GETNEIGH, sizeof(struct ndmsg)}};
	const struct nlmsghdr done = {.nlmsg_len = NLMSG_HDRLEN, .nlmsg_type = NLMSG_DONE};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		struct message asked = {0};
		int ends[2];

		assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends), 0);
		assert_int_equal(write(ends[1], &done, sizeof(done)), sizeof(done));
		assert_int_equal(rtnetlink_list(ends[0], all[i].type, count, NULL), RTNETLINK_WHOLE);
		assert_int_equal(read(ends[1], &asked, sizeof(asked)), NLMSG_LENGTH(all[i].header));
		assert_int_equal(asked.header.nlmsg_len, NLMSG_LENGTH(all[i].header));
		assert_int_equal(asked.header.nlmsg_type, all[i].type);
		close(ends[0]);
		close(ends[1]);
	}
}

static struct answer answer_of(void)
{
	struct answer answer = {.done = {.nlmsg_len = NLMSG_HDRLEN, .nlmsg_type = NLMSG_DONE}};

	for (int i = 0; i < 3; i++) {
		answer.routes[i] = message_of("", 0);
		answer.routes[i].header.nlmsg_len = sizeof(struct message);
	}
	return answer;
}

static void lists(void **state)
{
	struct answer answer = answer_of();
	int left = 9;

	(void)state;
	assert_int_equal(list(&answer, sizeof(answer), &left), RTNETLINK_WHOLE);
	assert_int_equal(left, 6);
	/* No more than wanted, but to the end all the same. */
	left = 2;
	assert_int_equal(list(&answer, sizeof(answer), &left), RTNETLINK_WHOLE);
	assert_int_equal(left, 0);
	left = 9;
	answer.routes[1].header.nlmsg_flags = NLM_F_DUMP_INTR;
	assert_int_equal(list(&answer, sizeof(answer), &left), RTNETLINK_CHANGED);
}

static void bad_lists(void **state)
{
	struct answer answer = answer_of();
	struct nlmsgerr refused = {.error = -EPERM};
	int left = 9;

	(void)state;
	/* Nothing more comes, and there was no end. */
	assert_int_equal(list(&answer, sizeof(answer.routes), &left), RTNETLINK_FAILED);
	assert_int_equal(errno, EAGAIN);
	answer.routes[1].header.nlmsg_type = NLMSG_ERROR;
	memcpy(&answer.routes[1].route, &refused, sizeof(refused));
	assert_int_equal(list(&answer, sizeof(answer), &left), RTNETLINK_FAILED);
	assert_int_equal(errno, EPERM);
	/* A message that is longer than what came: what is behind it is not believed. */
	answer = answer_of();
	answer.routes[2].header.nlmsg_len = 4096;
	assert_int_equal(list(&answer, sizeof(answer), &left), RTNETLINK_FAILED);
}

/* However many there are, what is written is JSON with its end, and says that it was cut. */
static void cut_text(void **state)
{
	char text[1024];
	struct netstate_text netstate = {.text = text, .size = sizeof(text)};
	struct answer answer[20];
	struct nlmsghdr done = {.nlmsg_len = NLMSG_HDRLEN, .nlmsg_type = NLMSG_DONE};
	unsigned char all[sizeof(answer) + sizeof(done)];
	int ends[2];

	(void)state;
	for (size_t i = 0; i < 20; i++) {
		answer[i] = answer_of();
		answer[i].done.nlmsg_type = NLMSG_NOOP;
	}
	memcpy(all, answer, sizeof(answer));
	memcpy(all + sizeof(answer), &done, sizeof(done));
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends), 0);
	assert_int_equal(write(ends[1], all, sizeof(all)), (ssize_t)sizeof(all));
	netstate_routes(&netstate, ends[0], 1);
	assert_int_equal(netstate.errnum, 0);
	assert_true(netstate.cut && !netstate.changed && netstate.used < sizeof(text));
	text[netstate.used] = '\0';
	assert_non_null(strstr(text, "\n],\n\"cut\": true, \"changed\": false}\n"));
	assert_non_null(
		strstr(text, "{\"time\": \"1970-01-01T00:00:00.000000001Z\",\n\"routes\": [\n{\"family\":\"inet\","));
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(attributes), cmocka_unit_test(requests), cmocka_unit_test(lists),
		cmocka_unit_test(bad_lists),  cmocka_unit_test(cut_text),
	};

	return cmocka_run_group_tests_name("rtnetlink", tests, NULL, NULL);
}
