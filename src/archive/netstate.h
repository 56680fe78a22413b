/* A network namespace's interfaces, routes, neighbours and sockets: as JSON, in the words of ip(8) with -json. */
#ifndef TARCAP_NETSTATE_H
#define TARCAP_NETSTATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NETSTATE_ADDRESSES 512 /* of all interfaces together */

/* What is being filled. text and size (1024 bytes at least) are the caller's. */
struct netstate_text {
	char *text;
	size_t size, used;
	bool cut;      /* not everything fitted; the text is JSON all the same, and says so */
	bool changed;  /* the list changed while it was read; the text says so */
	int errnum;    /* why it failed, or 0 */
	uint64_t time; /* of netstate_tcp() and netstate_tcp6() alone: when it was listed */
};

/*
 * {"time": ..., NAME: [an entry a line], "cut": false, "changed": false} of the namespace that fd, of rtnetlink_open(),
 * belongs to. time is now, ns since the epoch. On failure errnum is set, and what is in text is nothing.
 */
typedef void netstate_write(struct netstate_text *text, int fd, uint64_t time);

netstate_write netstate_interfaces; /* with addresses and counters, as 'ip -json -statistics address' */
netstate_write netstate_routes;	    /* both families, all tables but the local one, as 'ip -json route' */
netstate_write netstate_neighbours; /* both families, as 'ip -json neighbour' */

/*
 * TCP's sockets, with the words of ss(8); fd is of sock_diag_open(). Those come first that have retransmitted, whose
 * accept queue is full, whom the receiver's window limits, or that wait for acknowledgments. "count" and "states" are
 * of all.
 */
netstate_write netstate_sockets;

/*
 * The same sockets in the columns of /proc/net/tcp and tcp6 (proc(5)), to the inode: what netstate_sockets() has listed
 * just before, so that the kernel looks through its table once for all three. It may be had once; otherwise errnum is
 * ENODATA. fd is not used. Here cut says that text is full and there is more: the last row may be torn.
 */
netstate_write netstate_tcp, netstate_tcp6;

#endif
