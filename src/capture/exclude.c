#include "capture/exclude.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "system/sock_diag.h"

#define KUBELET_PORT 10250
#define LINES_MAX 100000

/* /proc/net/tcp: "sl local_address rem_address st ...", addresses as HEX:PORT (proc_net_tcp in the kernel's docs). */
static bool listens_by_file(const char *path)
{
	FILE *sockets = fopen(path, "re");
	bool found = false;
	char line[256];

	if (!sockets)
		return false;
	for (unsigned lines = 0; !found && lines < LINES_MAX && fgets(line, sizeof(line), sockets); lines++) {
		unsigned port, state;

		found = sscanf(line, " %*u: %*[0-9A-F]:%x %*[0-9A-F]:%*x %x", &port, &state) == 2 &&
			port == KUBELET_PORT && state == SOCK_DIAG_LISTEN;
	}
	fclose(sockets);
	return found;
}

static void note_port(void *context, const struct sock_diag_socket *socket)
{
	bool *found = context;

	*found |= socket->local_port == KUBELET_PORT;
}

static bool kubelet_listens(void)
{
	int fd = sock_diag_open();
	bool found = false;
	bool answered = fd >= 0 && sock_diag_list(fd, 1U << SOCK_DIAG_LISTEN, note_port, &found) == RTNETLINK_WHOLE;

	if (fd >= 0)
		close(fd);
	if (found || answered)
		return found;
	return listens_by_file("/proc/net/tcp") || listens_by_file("/proc/net/tcp6");
}

static bool is_host_network(void)
{
	if (access("/proc/self", F_OK) < 0)
		return true; /* nobody can say: then it may be one */
	return access("/proc/sys/net/core/netdev_max_backlog", F_OK) == 0 || kubelet_listens();
}

bool exclude_host_network(void)
{
	static enum { UNKNOWN, NO, YES } known;

	if (known == UNKNOWN)
		known = is_host_network() ? YES : NO;
	return known == YES;
}

bool exclude_may_come_back(int output_fd)
{
	socklen_t size = sizeof(int);
	int domain = AF_UNSPEC;

	if (getsockopt(output_fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 &&
	    (domain == AF_INET || domain == AF_INET6))
		return true;
	return exclude_host_network();
}

static bool is_address(const char *text)
{
	unsigned char address[16];

	return inet_pton(AF_INET, text, address) == 1 || inet_pton(AF_INET6, text, address) == 1;
}

static bool is_port(const char *digits)
{
	unsigned long port = strtoul(digits, NULL, 10);

	return port > 0 && port <= UINT16_MAX;
}

/* "CLIENT PORT SERVER PORT"; what does not look like that is no part of a filter. */
static void add_ssh_connection(char *text, size_t used)
{
	const char *connection = getenv("SSH_CONNECTION");
	char host[2][INET6_ADDRSTRLEN], port[2][6], more[2];

	if (!connection ||
	    sscanf(connection, "%45s %5[0-9] %45s %5[0-9] %1s", host[0], port[0], host[1], port[1], more) != 4)
		return;
	if (is_address(host[0]) && is_port(port[0]) && is_address(host[1]) && is_port(port[1]))
		snprintf(text + used, EXCLUDE_TEXT_SIZE - used,
			 " or (host %s and host %s and tcp port %s and tcp port %s)", host[0], host[1], port[0],
			 port[1]);
}

char *exclude_text(char text[EXCLUDE_TEXT_SIZE])
{
	snprintf(text, EXCLUDE_TEXT_SIZE, "tcp port %d or 6443 or 22 or 2376", KUBELET_PORT);
	add_ssh_connection(text, strlen(text));
	return text;
}
