#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "command.h"
#include "request/advice.h"
#include "run/say.h"
#include "system/relro.h"

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

static enum status command_help(int argc, char **argv, struct err *err);

/* clang-format off */
static const struct command {
	const char *name;
	enum status (*call)(int argc, char **argv, struct err *err);
} commands[] = {
	{"check", command_check},
	{"help", command_help},
	{"hold", command_hold},
	{"join", command_join},
	{"snapshot", command_snapshot},
	{"stop", command_stop},
	{"summary", command_summary},
	{"tar", command_tar},
};
/* clang-format on */

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(name, commands[i].name) == 0)
			return &commands[i];
	}
	return NULL;
}

/* "help join" is "join --help". */
static enum status command_help(int argc, char **argv, struct err *err)
{
	const struct command *command = argc == 2 ? find_command(argv[1]) : NULL;
	char *words[] = {argc > 1 ? argv[1] : argv[0], "--help", NULL}, advice[ADVICE_SIZE];

	if (argc == 1 || (argc == 2 && (argv[1][0] == '-' || command == find_command("help"))))
		return command_capture(2, words, err);
	if (command)
		return command->call(2, words, err);
	err_set(err, STATUS_USAGE, "help '%.60s': %s (see tarcap --help)", argv[1],
		argc > 2			    ? "allowed is one COMMAND"
		: advice_no_filter(argv[1], advice) ? advice
						    : "there is no such command");
	return err->status;
}

/* No filter can begin with a command's name: what is no command is a capture. */
static enum status call_command(int argc, char **argv, struct err *err)
{
	const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
	const struct command *command;

	/* The image has us under this name, too, because kubectl cp calls it. */
	if (argc > 0 && strcmp(slash ? slash + 1 : argv[0], "tar") == 0)
		return command_tar(argc, argv, err);
	command = argc > 1 ? find_command(argv[1]) : NULL;
	if (command)
		return command->call(argc - 1, argv + 1, err);
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
