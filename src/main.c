#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "err.h"
#include "relro.h"
#include "say.h"

/*
 * Whoever starts us may have closed 0, 1 or 2. The next descriptor opened would take the place, and what is meant
 * for stderr would be sent by the packet socket. Read only, so that a closed stdout is still no output.
 */
static int fill_standard_descriptors(struct err *err)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		/* cppcheck-suppress leakReturnValNotUsed ; it stays open, as it would have come */
		/* NOLINTNEXTLINE(android-cloexec-open): and is handed on, as 0, 1 and 2 are */
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY) != fd)
			return err_sys(err, errno, "descriptor %d is closed, and so is /dev/null", fd);
	}
	return 0;
}

/* clang-format off */
static const struct command {
	const char *name;
	enum status (*call)(int argc, char **argv, struct err *err);
} commands[] = {
	{"check", command_check},
	{"hold", command_hold},
	{"join", command_join},
	{"stop", command_stop},
	{"summary", command_summary},
	{"tar", command_tar},
};
/* clang-format on */

/* No filter can begin with a command's name: what is no command is a capture. */
static enum status call_command(int argc, char **argv, struct err *err)
{
	const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;

	/* The image has us under this name, too, because kubectl cp calls it. */
	if (argc > 0 && strcmp(slash ? slash + 1 : argv[0], "tar") == 0)
		return command_tar(argc, argv, err);
	for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].call(argc - 1, argv + 1, err);
	}
	return command_capture(argc, argv, err);
}

int main(int argc, char **argv)
{
	struct err err = {0};
	enum status status = STATUS_FAILED;

	relro_protect();
	if (fill_standard_descriptors(&err) == 0)
		status = call_command(argc, argv, &err);
	/* Help, lists and filters are printed: they may not have fitted where stdout goes. */
	if (status == STATUS_OK && (fflush(stdout) != 0 || ferror(stdout))) {
		err_set(&err, STATUS_FAILED, "stdout did not take everything");
		status = err.status;
	}
	if (err.status)
		say("%s", err.text);
	return (int)status;
}
