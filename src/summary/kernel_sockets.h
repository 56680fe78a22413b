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

#define KERNEL_FULL 3 /* listening ones with a full queue that are named */

enum kernel_moment { KERNEL_START, KERNEL_END, KERNEL_MOMENTS };

/* When a member of the context is of, by its name. */
enum kernel_moment kernel_moment_of(const char *name);

struct kernel_sockets;

struct kernel_sockets *kernel_sockets_open(struct err *err);
void kernel_sockets_close(struct kernel_sockets *sockets);

/* A member of the context; others than sockets.json say nothing. */
void kernel_sockets_take(struct kernel_sockets *sockets, const char *name, const char *text, size_t size);

/* One that listened and whose accept queue was full at the end, as "10.9.0.2:8080"; NULL: there is no such one. */
const char *kernel_sockets_full(const struct kernel_sockets *sockets, size_t i);

/* All findings are there: more to the sentences of those that are about a socket. */
void kernel_sockets_finish(const struct kernel_sockets *sockets, struct conversations *conversations,
			   const struct circumstances *circumstances, struct findings *findings);

#endif
