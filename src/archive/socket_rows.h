/*
 * TCP's sockets as rows of /proc/net/tcp and tcp6, made of what sock_diag(7) lists: the columns that proc(5) explains,
 * to the inode. To have the kernel make them would take eight times as long: tcp_seq_next(), net/ipv4/tcp_ipv4.c.
 */
#ifndef TARCAP_SOCKET_ROWS_H
#define TARCAP_SOCKET_ROWS_H

#include <stdbool.h>
#include <stddef.h>

#include "system/sock_diag.h"

#define SOCKET_ROWS_SIZE ((size_t)64 << 10) /* bytes that are kept */

struct socket_rows {
	size_t used;
	unsigned number;
	bool full; /* there were more rows than had room */
	char text[SOCKET_ROWS_SIZE];
};

/* The names of the columns, of AF_INET or AF_INET6. */
void socket_rows_begin(struct socket_rows *rows, int family);

/* One more, of the family that it was begun with. */
void socket_rows_add(struct socket_rows *rows, const struct sock_diag_socket *socket);

#endif
