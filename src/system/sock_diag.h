/* TCP's sockets of the network namespace, which the kernel lists over sock_diag(7). */
#ifndef TARCAP_SOCK_DIAG_H
#define TARCAP_SOCK_DIAG_H

#include <stdint.h>

#include "system/rtnetlink.h"

/* Times are in us. What a kernel does not tell is 0; of listening and closed sockets that is all from retransmits on.
 */
struct sock_diag_socket {
	int family;
	unsigned state;
	unsigned char local[16], remote[16]; /* IPv4: the first four */
	uint16_t local_port, remote_port;
	uint32_t receive_queue;		       /* bytes; of one that listens: connections that wait for accept(2) */
	uint32_t send_queue;		       /* bytes; of one that listens: how many may wait */
	uint32_t uid, inode;		       /* of one that no process has: 0 */
	unsigned timer;			       /* what is timed: the column tr of /proc/net/tcp, proc(5) */
	uint32_t expires;		       /* ms until then */
	uint32_t probes;		       /* that went unanswered */
	uint64_t retransmits;		       /* in a row, now */
	uint64_t retransmitted, unacked, lost; /* segments */
	uint64_t round_trip, round_trip_least, timeout, window, mss, pmtu;
	uint64_t busy, receiver_limited, buffer_limited; /* us: sending; of these, waiting for window, or buffer */
};

typedef void sock_diag_entry(void *context, const struct sock_diag_socket *socket);

/* A descriptor that belongs to the network namespace of now; needs no privilege. -1 with errno. */
int sock_diag_open(void);

#define SOCK_DIAG_LISTEN 10 /* a state; the kernel's numbers: include/net/tcp_states.h */
#define SOCK_DIAG_STATES 12
#define SOCK_DIAG_ALL ((1U << SOCK_DIAG_STATES) - 1) /* as 'ss -a'; not those that are only bound */

/*
 * The sockets of TCP, of both families, as rtnetlink_list(): by read(2) and write(2) alone. states: a bit of each state
 * that is wanted. The kernel looks through its table of all connections of all namespaces once (0.2 ms with 262,144
 * places, where each of /proc/net/tcp and tcp6 takes 1.6 ms), and not at all for those that listen.
 */
enum rtnetlink_result sock_diag_list(int fd, uint32_t states, sock_diag_entry *entry, void *context);

/* "ESTAB", as ss(8) says; of 1 to 11, else "unknown". */
const char *sock_diag_state(unsigned state);

#endif
