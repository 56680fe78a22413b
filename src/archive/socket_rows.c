#include "archive/socket_rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define ROW_SIZE 256	 /* of one row: 150, or 153 of tcp6 */
#define WIDTH_OF_TCP 149 /* rows of /proc/net/tcp are filled up with blanks: TMPSZ of net/ipv4/tcp_ipv4.c */
#define TICK 10		 /* ms: the kernel's USER_HZ is 100 */
#define ADDRESS_SIZE 33

static const char names_of_tcp[] = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid"
				   "  timeout inode";
static const char names_of_tcp6[] =
	"  sl  local_address                         remote_address                        st"
	" tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";

static void add_line(struct socket_rows *rows, const char *row, int width)
{
	int size = snprintf(rows->text + rows->used, sizeof(rows->text) - rows->used, "%-*s\n", width, row);

	if ((size_t)size < sizeof(rows->text) - rows->used)
		rows->used += (size_t)size;
	else
		rows->full = true;
}

static int width_of(int family)
{
	return family == AF_INET ? WIDTH_OF_TCP : 0;
}

void socket_rows_begin(struct socket_rows *rows, int family)
{
	rows->used = rows->number = 0;
	rows->full = false;
	add_line(rows, family == AF_INET ? names_of_tcp : names_of_tcp6, width_of(family));
}

/* As numbers of 32 bits in this machine's order, whatever they mean in that. */
static const char *address_text(int family, const unsigned char *address, char text[ADDRESS_SIZE])
{
	uint32_t words[4];

	memcpy(words, address, sizeof(words));
	for (size_t i = 0; i < (family == AF_INET ? 1U : 4U); i++)
		snprintf(text + 8 * i, 9, "%08" PRIX32, words[i]);
	return text;
}

/* get_tcp4_sock(): of one that listens, how many wait. */
static uint32_t send_queue(const struct sock_diag_socket *socket)
{
	return socket->state == SOCK_DIAG_LISTEN ? 0 : socket->send_queue;
}

void socket_rows_add(struct socket_rows *rows, const struct sock_diag_socket *socket)
{
	char row[ROW_SIZE], local[ADDRESS_SIZE], remote[ADDRESS_SIZE];

	if (rows->full)
		return;
	snprintf(row, sizeof(row),
		 "%4u: %s:%04X %s:%04X %02X %08" PRIX32 ":%08" PRIX32 " %02X:%08" PRIX32 " %08" PRIX64 " %5" PRIu32
		 " %8" PRIu32 " %" PRIu32,
		 rows->number++, address_text(socket->family, socket->local, local), socket->local_port,
		 address_text(socket->family, socket->remote, remote), socket->remote_port, socket->state,
		 send_queue(socket), socket->receive_queue, socket->timer, socket->expires / TICK, socket->retransmits,
		 socket->uid, socket->probes, socket->inode);
	add_line(rows, row, width_of(socket->family));
}
