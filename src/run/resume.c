#include "run/resume.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "record/held.h"

#define NAME "tarcap-resume" /* no capture: see container.h */

/* Without the archive's descriptor: nothing is to wait for this process. */
static void wait_for_word(int fd, pid_t hold, uint64_t account)
{
	struct err ignored = {0};
	char word;

	(void)prctl(PR_SET_NAME, NAME);
	for (int standard = STDIN_FILENO; standard <= STDERR_FILENO; standard++)
		close(standard);
	if (read(fd, &word, sizeof(word)) != sizeof(word))
		_exit(0);
	_exit(held_ask_to_resume(hold, account, &ignored) < 0 ? 1 : 0);
}

int resume_prepare(pid_t hold, uint64_t account, struct err *err)
{
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(err, errno, "snapshot: a pipe for --resume");
	signal(SIGCHLD, SIG_IGN);
	pid = fork();
	if (pid == 0) {
		close(ends[1]);
		wait_for_word(ends[0], hold, account);
	}
	close(ends[0]);
	return pid < 0 ? err_sys(err, errno, "snapshot: a process for --resume") : ends[1];
}

void resume_now(int fd)
{
	const char word = 1;

	(void)!write(fd, &word, sizeof(word));
}
