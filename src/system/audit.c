#include "system/audit.h"

#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Everywhere the same number; headers from before Linux 5.3 lack it. */
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

static void append_part(char text[AUDIT_TEXT_SIZE], size_t *used, const char *part)
{
	while (*part && *used < AUDIT_TEXT_SIZE)
		text[(*used)++] = *part++;
}

/* As a shell would need it, when something in the word is not plain. */
static void append_word(char text[AUDIT_TEXT_SIZE], size_t *used, const char *word)
{
	const char *plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:=,+@%";
	bool quoted = !*word || word[strspn(word, plain)];

	append_part(text, used, quoted ? " '" : " ");
	for (; *word; word++)
		append_part(text, used, *word == '\'' ? "'\\''" : (const char[]){*word, '\0'});
	append_part(text, used, quoted ? "'" : "");
}

char *audit_text(uid_t uid, char *const *words, char text[AUDIT_TEXT_SIZE])
{
	size_t used = (size_t)snprintf(text, AUDIT_TEXT_SIZE, "uid %u:", uid);

	for (; *words && used < AUDIT_TEXT_SIZE; words++)
		append_word(text, &used, *words);
	if (used < AUDIT_TEXT_SIZE)
		text[used] = '\0';
	else
		memcpy(text + AUDIT_TEXT_SIZE - 4, "...", 4);
	return text;
}

bool audit_begin(struct audit *audit, pid_t pid, uint64_t now)
{
	int fd;

	for (unsigned i = 0; i < audit->count; i++) {
		if (audit->captures[i].pid == pid)
			return false;
	}
	if (audit->count == AUDIT_MAX)
		return true;
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fd >= 0)
		audit->captures[audit->count++] = (struct audited){pid, fd, now};
	return true;
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
