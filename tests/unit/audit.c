/* audit.c: the line about who asked for what, and the list of captures of a hold. */
#include "unit.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "system/audit.h"

static void test_words_are_quoted_where_a_shell_would_need_it(void **state)
{
	char text[AUDIT_TEXT_SIZE], *words[] = {"tarcap", "-i", "eth0", "", "tcp port 443", NULL};

	(void)state;
	assert_string_equal(audit_text(65532, words, text), "uid 65532: tarcap -i eth0 '' 'tcp port 443'");
	words[2] = "it's' ; x";
	assert_non_null(strstr(audit_text(3000000000, words, text), "uid 3000000000:"));
	assert_string_equal(audit_text(1, words, text), "uid 1: tarcap -i 'it'\\''s'\\'' ; x' '' 'tcp port 443'");
}

static void test_every_length_is_cut_in_time(void **state)
{
	char text[AUDIT_TEXT_SIZE + 1], word[2 * AUDIT_TEXT_SIZE] = "", *words[] = {word, "end", NULL};

	(void)state;
	for (size_t length = 0; length + 1 < sizeof(word); length++) {
		word[length] = 'x';
		text[AUDIT_TEXT_SIZE] = 'z';
		audit_text(0, words, text);
		assert_true(strlen(text) < AUDIT_TEXT_SIZE && text[AUDIT_TEXT_SIZE] == 'z');
		assert_string_equal(text + strlen(text) - 3,
				    length < AUDIT_TEXT_SIZE - 16 ? "end" : text + strlen(text) - 3);
		if (length > AUDIT_TEXT_SIZE)
			assert_string_equal(text + strlen(text) - 3, "...");
	}
}

static pid_t child_that_waits(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		pause();
		_exit(0);
	}
	return pid;
}

static void test_captures_are_seen_to_end_in_any_order(void **state)
{
	struct pollfd polled[AUDIT_MAX];
	struct audit audit = {0};
	uint64_t since;
	pid_t pids[3];

	(void)state;
	for (int i = 0; i < 3; i++) {
		pids[i] = child_that_waits();
		audit_begin(&audit, pids[i], 100 + (uint64_t)i);
	}
	assert_int_equal(audit.count, 3);
	assert_int_equal(audit_ended(&audit, &since), 0);
	for (int i = 1; i >= 0; i--) {
		kill(pids[i], SIGKILL);
		audit_poll(&audit, polled);
		assert_true(poll(polled, audit.count, 5000) == 1);
		assert_int_equal(audit_ended(&audit, &since), pids[i]);
		assert_int_equal(since, 100 + i);
		assert_int_equal(audit_ended(&audit, &since), 0);
	}
	kill(pids[2], SIGKILL);
	while (wait(NULL) > 0)
		;
	assert_int_equal(audit_ended(&audit, &since), pids[2]);
	audit_begin(&audit, pids[2], 0); /* it is gone: there is nothing to wait for */
	assert_int_equal(audit.count, 0);
}

/* Kernels before 5.3, and runtimes' profiles that are older: the end is not seen, and nothing else is wrong. */
static void test_no_pidfd_is_no_failure(void **state)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 434 /* pidfd_open */, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]), filter};
	struct audit audit = {0};
	uint64_t since;
	int status;
	pid_t pid;

	(void)state;
	pid = fork();
	if (pid == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, 2, &program, 0, 0) < 0)
			_exit(1);
		audit_begin(&audit, getppid(), 1);
		_exit(audit.count == 0 && audit_ended(&audit, &since) == 0 ? 0 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words_are_quoted_where_a_shell_would_need_it),
		cmocka_unit_test(test_every_length_is_cut_in_time),
		cmocka_unit_test(test_captures_are_seen_to_end_in_any_order),
		cmocka_unit_test(test_no_pidfd_is_no_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
