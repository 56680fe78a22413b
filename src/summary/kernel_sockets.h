/*
 * What the kernel knew of each TCP socket when the capture began and ended: context's sockets.json. It is told behind
 * the findings that name such a connection. Nothing in it is trusted.
 */
#ifndef TARCAP_KERNEL_SOCKETS_H
#define TARCAP_KERNEL_SOCKETS_H

#include <stddef.h>

#include "base/err.h"
#include "base/sizes.h"
#include "summary/conversations.h"
#include "summary/findings.h"
#include "summary/sighting.h"

#define KERNEL_SOCKETS_MAX TABLE_OF(768) /* of each moment: more do not fit into 64 KiB of JSON */

struct kernel_sockets;

struct kernel_sockets *kernel_sockets_open(struct err *err);
void kernel_sockets_close(struct kernel_sockets *sockets);

/* A member of the context; others than sockets.json say nothing. */
void kernel_sockets_take(struct kernel_sockets *sockets, const char *name, const char *text, size_t size);

/* All findings are there: more to the sentences of those that are about a socket. */
void kernel_sockets_finish(const struct kernel_sockets *sockets, struct conversations *conversations,
			   const struct circumstances *circumstances, struct findings *findings);

#endif
