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
	uint64_t retransmits;		       /* in a row, now */
	uint64_t retransmitted, unacked, lost; /* segments */
	uint64_t round_trip, round_trip_least, timeout, window, mss, pmtu;
	uint64_t busy, receiver_limited, buffer_limited; /* us: sending; of these, waiting for window, or buffer */
};

typedef void sock_diag_entry(void *context, const struct sock_diag_socket *socket);

/* A descriptor that belongs to the network namespace of now; needs no privilege. -1 with errno. */
int sock_diag_open(void);

#define SOCK_DIAG_LISTEN 10 /* a state; the kernel's numbers: include/net/tcp_states.h */

/*
 * The sockets of TCP, of both families, as rtnetlink_list(): by read(2) and write(2) alone. states: a bit of each state
 * that is wanted. Of those that listen the kernel need not look through all connections, as it does for /proc/net/tcp.
 */
enum rtnetlink_result sock_diag_list(int fd, uint32_t states, sock_diag_entry *entry, void *context);

/* "ESTAB", as ss(8) says; of 1 to 11, else "unknown". */
#define SOCK_DIAG_STATES 12
const char *sock_diag_state(unsigned state);

#endif
