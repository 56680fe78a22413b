#include "system/sock_diag.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/tcp.h>
#include <string.h>
#include <sys/socket.h>

#define TIMER_RETRANSMIT 1 /* of idiag_timer: what idiag_retrans counts, sock_diag(7) */

struct listing {
	sock_diag_entry *entry;
	void *context;
};

int sock_diag_open(void)
{
	return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG);
}

/* Older kernels have less of them, newer ones more. */
static void take_info(struct sock_diag_socket *socket, const struct nlmsghdr *message)
{
	struct tcp_info info = {0};
	size_t size;
	const void *data = rtnetlink_attribute(message, sizeof(struct inet_diag_msg), INET_DIAG_INFO, &size);

	if (!data || socket->state == SOCK_DIAG_LISTEN)
		return;
	memcpy(&info, data, size < sizeof(info) ? size : sizeof(info));
	socket->retransmits = info.tcpi_retransmits;
	socket->probes = info.tcpi_probes;
	socket->retransmitted = info.tcpi_total_retrans;
	socket->unacked = info.tcpi_unacked;
	socket->lost = info.tcpi_lost;
	socket->round_trip = info.tcpi_rtt;
	socket->round_trip_least = info.tcpi_min_rtt == UINT32_MAX ? 0 : info.tcpi_min_rtt; /* not measured yet */
	socket->timeout = info.tcpi_rto;
	socket->window = info.tcpi_snd_cwnd;
	socket->mss = info.tcpi_snd_mss;
	socket->pmtu = info.tcpi_pmtu;
	socket->busy = info.tcpi_busy_time;
	socket->receiver_limited = info.tcpi_rwnd_limited;
	socket->buffer_limited = info.tcpi_sndbuf_limited;
}

static bool take_socket(void *context, const struct nlmsghdr *message)
{
	const struct listing *listing = context;
	const struct inet_diag_msg *header = rtnetlink_header(message, sizeof(*header));
	struct sock_diag_socket socket;

	if (!header || message->nlmsg_type != TCPDIAG_GETSOCK)
		return true;
	socket = (struct sock_diag_socket){.family = header->idiag_family,
					   .state = header->idiag_state,
					   .local_port = ntohs(header->id.idiag_sport),
					   .remote_port = ntohs(header->id.idiag_dport),
					   .receive_queue = header->idiag_rqueue,
					   .send_queue = header->idiag_wqueue,
					   .uid = header->idiag_uid,
					   .inode = header->idiag_inode,
					   .timer = header->idiag_timer,
					   .retransmits =
						   header->idiag_timer == TIMER_RETRANSMIT ? header->idiag_retrans : 0,
					   .expires = header->idiag_expires};
	memcpy(socket.local, header->id.idiag_src, sizeof(socket.local));
	memcpy(socket.remote, header->id.idiag_dst, sizeof(socket.remote));
	take_info(&socket, message);
	listing->entry(listing->context, &socket);
	return true;
}

/*
 * The older of the two requests, which has no family: inet_diag_dump_compat(). With SOCK_DIAG_BY_FAMILY the kernel
 * would look through its table once for each.
 */
enum rtnetlink_result sock_diag_list(int fd, uint32_t states, sock_diag_entry *entry, void *context)
{
	struct listing listing = {entry, context};
	const struct {
		struct nlmsghdr header;
		struct inet_diag_req request; /* cppcheck-suppress unusedStructMember */
	} message = {.header = {.nlmsg_len = sizeof(message),
				.nlmsg_type = TCPDIAG_GETSOCK,
				.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
		     .request = {.idiag_ext = 1 << (INET_DIAG_INFO - 1), .idiag_states = states}};

	return rtnetlink_dump(fd, &message.header, take_socket, &listing);
}

const char *sock_diag_state(unsigned state)
{
	static const char *const names[SOCK_DIAG_STATES] = {"unknown",	  "ESTAB",	"SYN-SENT",  "SYN-RECV",
							    "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT", "UNCONN",
							    "CLOSE-WAIT", "LAST-ACK",	"LISTEN",    "CLOSING"};

	return names[state < SOCK_DIAG_STATES ? state : 0];
}
