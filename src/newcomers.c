#include "newcomers.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int newcomers_open(struct err *err)
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

static void take_name(const struct rtattr *part, size_t left, struct newcomer *newcomer)
{
	while (left >= sizeof(*part) && part->rta_len >= sizeof(*part) && part->rta_len <= left) {
		size_t step = RTA_ALIGN((size_t)part->rta_len);

		if (part->rta_type == IFLA_IFNAME)
			snprintf(newcomer->name, sizeof(newcomer->name), "%.15s", (const char *)RTA_DATA(part));
		if (step >= left)
			return;
		left -= step;
		part = (const void *)((const char *)part + step);
	}
}

/* A message about a link; true if it is up. */
static bool take_link(const struct nlmsghdr *message, struct newcomer *newcomer)
{
	const struct ifinfomsg *link = NLMSG_DATA(message);

	if (message->nlmsg_type != RTM_NEWLINK || message->nlmsg_len < NLMSG_SPACE(sizeof(*link)) ||
	    !(link->ifi_flags & IFF_UP))
		return false;
	*newcomer = (struct newcomer){.ifindex = link->ifi_index};
	take_name(IFLA_RTA(link), message->nlmsg_len - NLMSG_SPACE(sizeof(*link)), newcomer);
	return newcomer->name[0];
}

int newcomers_read(int fd, struct newcomer newcomers[NEWCOMERS_MAX], bool *missed)
{
	_Alignas(struct nlmsghdr) char buffer[NEWCOMERS_MAX * NLMSG_SPACE(sizeof(struct ifinfomsg))];
	ssize_t size = read(fd, buffer, sizeof(buffer));
	int count = 0;

	*missed = size < 0 && errno == ENOBUFS;
	for (const struct nlmsghdr *message = (void *)buffer; size > 0 && NLMSG_OK(message, size);
	     message = NLMSG_NEXT(message, size))
		count += take_link(message, &newcomers[count]);
	return count;
}
