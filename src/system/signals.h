/* Signals, read as data. */
#ifndef TARCAP_SIGNALS_H
#define TARCAP_SIGNALS_H

#include <signal.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct signals {
	int fd;	     /* a signalfd that gives them all */
	int stop_fd; /* readable when one of those that end a capture is waiting; only to be polled */
};

/*
 * Until signals_open(): SIGINT, SIGTERM and SIGHUP end the program at once, with status 128 + their number, also in
 * PID 1, which the kernel spares a signal that has no handler (pid_namespaces(7)).
 */
void signals_end_at_once(void);

/*
 * Block SIGINT, SIGTERM, SIGHUP, SIGUSR1 and SIGUSR2, to be read from signals->fd; ignore SIGPIPE and
 * SIGXFSZ.
 * SIGHUP is left alone where it was inherited ignored (nohup). SIGINT is not: a background job of a
 * script inherits it ignored, and must still end by it. A blocked signal reaches the descriptor even
 * when it is ignored, and in PID 1 (kernel/signal.c: sig_ignored() looks at the mask first).
 */
int signals_open(struct signals *signals, struct err *err);

#define SIGNALS_RESUME SIGURG /* ignored by whoever does not wait for it */
#define SIGNALS_SEAL SIGRTMIN /* queued: one for each that is sent, and the kernel says by whom; signal(7) */

/* The same, and these besides: for a hold that may have a recorder. */
int signals_open_for_hold(struct signals *signals, struct err *err);
void signals_close(struct signals *signals);

/* The next signal that has come, or 0. */
int signals_next(const struct signals *signals);

/* The same, and the process that sent it (0 if it is in another PID namespace) with what value (sigqueue(3)). */
int signals_next_from(const struct signals *signals, pid_t *sender, uint64_t *value);

#endif
