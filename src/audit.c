#include "audit.h"

#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Everywhere the same number; headers from before Linux 5.3 lack it. */
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

/* As a shell would need it, when something in the word is not plain. */
static const char *quotes_for(const char *word)
{
	const char *plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:=,+@%";

	return *word && strspn(word, plain) == strlen(word) ? "" : "'";
}

char *audit_text(int uid, char *const *words, char text[AUDIT_TEXT_SIZE])
{
	int used = snprintf(text, AUDIT_TEXT_SIZE, "uid %d:", uid);

	for (; *words && used < AUDIT_TEXT_SIZE; words++) {
		const char *quote = quotes_for(*words);

		used += snprintf(text + used, (size_t)(AUDIT_TEXT_SIZE - used), " %s%s%s", quote, *words, quote);
	}
	if (used >= AUDIT_TEXT_SIZE)
		memcpy(text + AUDIT_TEXT_SIZE - 4, "...", 4);
	return text;
}

void audit_begin(struct audit *audit, pid_t pid, uint64_t now)
{
	int fd;

	if (audit->count == AUDIT_MAX)
		return;
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fd >= 0)
		audit->captures[audit->count++] = (struct audited){pid, fd, now};
}

void audit_poll(const struct audit *audit, struct pollfd polled[AUDIT_MAX])
{
	for (unsigned i = 0; i < audit->count; i++)
		polled[i] = (struct pollfd){.fd = audit->captures[i].fd, .events = POLLIN};
}

static bool has_ended(const struct audited *capture)
{
	struct pollfd polled = {.fd = capture->fd, .events = POLLIN};

	return poll(&polled, 1, 0) > 0;
}

pid_t audit_ended(struct audit *audit, uint64_t *since)
{
	for (unsigned i = 0; i < audit->count; i++) {
		struct audited capture = audit->captures[i];

		if (!has_ended(&capture))
			continue;
		close(capture.fd);
		audit->captures[i] = audit->captures[--audit->count];
		*since = capture.since;
		return capture.pid;
	}
	return 0;
}
