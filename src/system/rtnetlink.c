#include "system/rtnetlink.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BUFFER 32768 /* as much as the kernel ever gives at once: netlink_recvmsg() */

/* Of a list, also behind what was wanted of it: it has to be read to its end before another can be asked for. */
#define READS_MAX 4096

struct list {
	rtnetlink_entry *entry;
	void *context;
	bool enough, changed, done;
	int errnum;
};

int rtnetlink_open(void)
{
	return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
}

/*
 * What stands behind a request's struct nlmsghdr. The kernel takes a longer one, too, but writes a line into its log
 * for the bytes that it did not want: "bytes leftover after parsing attributes", __nla_validate_parse().
 */
static size_t header_size(uint16_t request)
{
	switch (request) {
	case RTM_GETADDR:
		return sizeof(struct ifaddrmsg);
	case RTM_GETROUTE:
		return sizeof(struct rtmsg);
	case RTM_GETNEIGH:
		return sizeof(struct ndmsg);
	default:
		return sizeof(struct ifinfomsg);
	}
}

/* No address: the kernel is whom an unconnected socket writes to. */
static int ask(int fd, const struct nlmsghdr *request)
{
	ssize_t size = request->nlmsg_len, sent = write(fd, request, (size_t)size);

	if (sent >= 0 && sent < size)
		errno = EIO;
	return sent == size ? 0 : -1;
}

static void take_error(struct list *list, const struct nlmsghdr *message)
{
	const struct nlmsgerr *error = rtnetlink_header(message, sizeof(*error));

	list->done = true;
	list->errnum = error ? -error->error : EIO;
}

static void take_message(struct list *list, const struct nlmsghdr *message)
{
	if (message->nlmsg_flags & NLM_F_DUMP_INTR)
		list->changed = true;
	if (message->nlmsg_type == NLMSG_DONE)
		list->done = true;
	else if (message->nlmsg_type == NLMSG_ERROR)
		take_error(list, message);
	else if (!list->enough)
		list->enough = !list->entry(list->context, message);
}

static void take_all(struct list *list, const unsigned char *buffer, size_t size)
{
	size_t at = 0;

	while (!list->done && size - at >= sizeof(struct nlmsghdr)) {
		const struct nlmsghdr *message = (const void *)(buffer + at);

		if (message->nlmsg_len < sizeof(*message) || message->nlmsg_len > size - at) {
			list->changed = true; /* longer than the buffer: what it had to say is lost */
			return;
		}
		take_message(list, message);
		at += NLMSG_ALIGN(message->nlmsg_len);
		if (at > size)
			return;
	}
}

enum rtnetlink_result rtnetlink_list(int fd, uint16_t request, rtnetlink_entry *entry, void *context)
{
	/* All zero is all families, all interfaces. */
	const struct {
		struct nlmsghdr header;
		unsigned char all[sizeof(struct ifinfomsg)]; /* cppcheck-suppress unusedStructMember */
	} message = {.header = {.nlmsg_len = (uint32_t)NLMSG_LENGTH(header_size(request)),
				.nlmsg_type = request,
				.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP}};

	return rtnetlink_dump(fd, &message.header, entry, context);
}

enum rtnetlink_result rtnetlink_dump(int fd, const struct nlmsghdr *request, rtnetlink_entry *entry, void *context)
{
	static _Alignas(struct nlmsghdr) unsigned char buffer[BUFFER]; /* too much for a small stack */
	struct list list = {.entry = entry, .context = context};

	if (ask(fd, request) < 0)
		return RTNETLINK_FAILED;
	for (int reads = 0; reads < READS_MAX && !list.done; reads++) {
		ssize_t size = read(fd, buffer, sizeof(buffer));

		if (size < 0)
			return RTNETLINK_FAILED;
		take_all(&list, buffer, (size_t)size);
	}
	errno = list.done ? list.errnum : EFBIG;
	if (errno)
		return RTNETLINK_FAILED;
	return list.changed ? RTNETLINK_CHANGED : RTNETLINK_WHOLE;
}

const void *rtnetlink_header(const struct nlmsghdr *message, size_t size)
{
	return message->nlmsg_len >= NLMSG_HDRLEN + size ? (const unsigned char *)message + NLMSG_HDRLEN : NULL;
}

const void *rtnetlink_nested(const void *data, size_t data_size, unsigned type, size_t *size)
{
	const unsigned char *bytes = data;
	size_t at = 0;

	while (data_size - at >= sizeof(struct rtattr)) {
		struct rtattr attribute;

		memcpy(&attribute, bytes + at, sizeof(attribute));
		if (attribute.rta_len < sizeof(attribute) || attribute.rta_len > data_size - at)
			break;
		/* The upper two bits say how it is to be read: linux/netlink.h. */
		if ((attribute.rta_type & NLA_TYPE_MASK) == type) {
			*size = attribute.rta_len - RTA_LENGTH(0);
			return bytes + at + RTA_LENGTH(0);
		}
		if (RTA_ALIGN((size_t)attribute.rta_len) > data_size - at)
			break;
		at += RTA_ALIGN((size_t)attribute.rta_len);
	}
	*size = 0;
	return NULL;
}

const void *rtnetlink_attribute(const struct nlmsghdr *message, size_t header, unsigned type, size_t *size)
{
	size_t front = NLMSG_HDRLEN + NLMSG_ALIGN(header);

	*size = 0;
	if (message->nlmsg_len < front)
		return NULL;
	return rtnetlink_nested((const unsigned char *)message + front, message->nlmsg_len - front, type, size);
}

uint32_t rtnetlink_number(const struct nlmsghdr *message, size_t header, unsigned type, uint32_t missing)
{
	size_t size;
	const void *data = rtnetlink_attribute(message, header, type, &size);
	uint32_t number;

	if (!data || size < sizeof(number))
		return missing;
	memcpy(&number, data, sizeof(number));
	return number;
}
