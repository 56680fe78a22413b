/* Lists that the kernel gives over rtnetlink(7): interfaces, addresses, routes, neighbours. */
#ifndef TARCAP_RTNETLINK_H
#define TARCAP_RTNETLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nlmsghdr;

/* One entry of a list. False: no more of them are wanted. */
typedef bool rtnetlink_entry(void *context, const struct nlmsghdr *message);

enum rtnetlink_result {
	RTNETLINK_FAILED = -1, /* errno says why; the descriptor is of no more use after EFBIG */
	RTNETLINK_WHOLE,
	RTNETLINK_CHANGED, /* the list changed while it was given: entries may be missing, or twice there */
};

/* A descriptor that belongs to the network namespace of now; needs no privilege. -1 with errno. */
int rtnetlink_open(void);

/*
 * Ask for a list (RTM_GETLINK and the like; of all families) and go through it. By read(2) and write(2) alone, so that
 * a sandbox need not allow more. Never waits: the kernel answers in the call.
 */
enum rtnetlink_result rtnetlink_list(int fd, uint16_t request, rtnetlink_entry *entry, void *context);

/* The same for a request of any netlink protocol, which has NLM_F_DUMP, on a descriptor of that. */
enum rtnetlink_result rtnetlink_dump(int fd, const struct nlmsghdr *request, rtnetlink_entry *entry, void *context);

/* What stands in front of a message's attributes: struct ifinfomsg, rtmsg... NULL when it is not there. */
const void *rtnetlink_header(const struct nlmsghdr *message, size_t size);

/* An attribute of a message with a header of so many bytes; its bytes and *size. NULL, 0: it has none. */
const void *rtnetlink_attribute(const struct nlmsghdr *message, size_t header, unsigned type, size_t *size);

/* The same within the bytes of an attribute that holds others. */
const void *rtnetlink_nested(const void *data, size_t data_size, unsigned type, size_t *size);

/* An attribute that is a number of 32 bits; missing if it has none. */
uint32_t rtnetlink_number(const struct nlmsghdr *message, size_t header, unsigned type, uint32_t missing);

#endif
