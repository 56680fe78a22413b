#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "command.h"
#include "run/say.h"
#include "system/container.h"
#include "system/privileges.h"

#define END_TIME (7 * CLOCK_SECOND) /* for a hold that waits 6 s for its captures */

static void stop_help(void)
{
	printf("usage: tarcap stop\n"
	       "Ends the hold and every capture in this container; the archives are closed with their manifests.\n\n"
	       "    docker exec cap tarcap stop\n"
	       "    kubectl exec POD -c CONTAINER -- tarcap stop\n");
}

/* A hold ends its captures itself; a capture that is told twice would end at once, with its archive cut. */
static size_t end_all(struct err *err)
{
	struct container_process found[CONTAINER_PROCESSES];
	size_t count = container_find(found), holds = 0;

	for (size_t i = 0; i < count; i++)
		holds += found[i].role == CONTAINER_HOLD;
	for (size_t i = 0; i < count; i++) {
		if ((!holds || found[i].role == CONTAINER_HOLD) && kill(found[i].pid, SIGTERM) < 0 && errno != ESRCH)
			err_sys(err, errno, "stop: process %d (run it as the same user)", (int)found[i].pid);
	}
	return count;
}

/* What records may take long to send what it has: its first signal only lets it begin. */
static int say_late(struct err *err)
{
	struct container_process found[CONTAINER_PROCESSES];
	size_t count = container_find(found), recorders = 0;

	for (size_t i = 0; i < count; i++)
		recorders += found[i].records;
	return err_set(err, STATUS_FAILED,
		       recorders ? "stop: a recorder is still sending what it has; another stop has it drop the rest"
				 : "stop: not every capture has ended");
}

/*
 * While there is a hold, only the captures are waited for: with the hold this process ends, too, and whoever called it
 * would not learn that all went well.
 */
static int await_end(struct err *err)
{
	const struct timespec moment = {.tv_nsec = 50000000};
	uint64_t give_up_at = clock_boot() + END_TIME;

	while (container_captures() > 0) {
		if (clock_boot() >= give_up_at)
			return say_late(err);
		nanosleep(&moment, NULL);
	}
	return 0;
}

enum status command_stop(int argc, char **argv, struct err *err)
{
	if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
		stop_help();
	else if (argc > 1)
		err_set(err, STATUS_USAGE, "stop '%.100s': takes no arguments", argv[1]);
	else if (!container_is_visible())
		err_set(err, STATUS_FAILED, "stop: /proc is not there, and nothing else tells which processes to end");
	else if (privileges_drop(PRIVILEGES_KILL, err) == 0 && end_all(err) == 0)
		say("nothing to stop: there is neither a hold nor a capture in this container");
	else if (!err->status)
		await_end(err);
	return err->status;
}
