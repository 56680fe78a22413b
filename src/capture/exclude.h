/* What tarcap's own stream may look like on the wire, so that it can be left out. */
#ifndef TARCAP_EXCLUDE_H
#define TARCAP_EXCLUDE_H

#include <stdbool.h>

#define EXCLUDE_TEXT_SIZE 320

/*
 * Is this a host's network, through which an archive leaves? It is when a sysctl is here that only the initial network
 * namespace has (net/core/sysctl_net_core.c), or when something listens on a kubelet's port. Found out once, for all
 * interfaces.
 */
bool exclude_host_network(void);

/*
 * Can the archive come back as packets? In a host's network it can, whatever it leaves by; elsewhere only where the
 * output itself is a socket of the internet's (socket(7), SO_DOMAIN).
 */
bool exclude_may_come_back(int output_fd);

/*
 * A filter for the connections that carry an archive away: kubelet, API server, SSH, Docker's TLS port, and the SSH
 * connection that we are started from (SSH_CONNECTION: sshd(8)). What it matches is to be left out. Returns text.
 */
char *exclude_text(char text[EXCLUDE_TEXT_SIZE]);

#endif
