#include "run/link_watch.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "system/rtnetlink.h"

int link_watch_open(struct err *err)
{
	const struct sockaddr_nl links = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	if (fd < 0)
		return err_sys(err, errno, "-i all: rtnetlink");
	if (bind(fd, (const struct sockaddr *)&links, sizeof(links)) < 0) {
		err_sys(err, errno, "-i all: rtnetlink");
		close(fd);
		return -1;
	}
	return fd;
}

/* A message about a link; true if it is up, or no more there. */
static bool take_link(const struct nlmsghdr *message, struct link_change *change)
{
	const struct ifinfomsg *link = rtnetlink_header(message, sizeof(*link));
	bool deleted = message->nlmsg_type == RTM_DELLINK;
	const char *name;
	size_t size;

	if (!link || !(deleted || (message->nlmsg_type == RTM_NEWLINK && (link->ifi_flags & IFF_UP))))
		return false;
	name = rtnetlink_attribute(message, sizeof(*link), IFLA_IFNAME, &size);
	if (!name)
		return false;
	*change = (struct link_change){.ifindex = link->ifi_index, .deleted = deleted};
	snprintf(change->name, sizeof(change->name), "%.*s", (int)size, name);
	return change->name[0];
}

int link_watch_read(int fd, struct link_change links[LINK_WATCH_MAX], bool *missed)
{
	static _Alignas(struct nlmsghdr) char buffer[LINK_WATCH_MAX * NLMSG_SPACE(sizeof(struct ifinfomsg))];
	ssize_t size = read(fd, buffer, sizeof(buffer));
	int count = 0;

	*missed = size < 0 && errno == ENOBUFS;
	for (const struct nlmsghdr *message = (void *)buffer; size > 0 && NLMSG_OK(message, size);
	     message = NLMSG_NEXT(message, size))
		count += take_link(message, &links[count]);
	return count;
}
