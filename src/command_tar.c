#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "archive/copy.h"
#include "command.h"
#include "request/command_line.h"
#include "request/options.h"
#include "run/say.h"
#include "run/snapshot.h"
#include "system/container.h"
#include "system/privileges.h"

#define CAPTURE "capture"   /* the path that is none, but a capture that begins now */
#define SNAPSHOT "snapshot" /* the same, of what the hold has recorded */
#define TAR_ERROR 2	    /* what tar(1) exits with when something was missing: kubectl looks at it */

/* Is it /NAME, or /NAME/DURATION? Then *duration is that, or NULL. */
static bool is_path(const char *path, const char *name, const char **duration)
{
	const char *rest;

	path += strspn(path, "/");
	if (strncmp(path, name, strlen(name)) != 0)
		return false;
	rest = path + strlen(name);
	if (*rest && *rest != '/')
		return false;
	rest += strspn(rest, "/");
	*duration = *rest ? rest : NULL;
	return true;
}

static int too_many(struct err *err)
{
	return err_set(err, STATUS_USAGE, "the hold's capture has too many words");
}

/* The hold's words, with what the path asks for behind the options, where it counts more, and before the filter. */
static int parse_as_hold(struct options *options, const char *duration, struct err *err)
{
	static char *words[4200];
	char *asked[] = {"-w", "-", duration ? "--duration" : NULL, (char *)duration, NULL};
	char **hold = container_hold_words();
	int count = 0, at;

	words[count++] = "tarcap";
	for (; *hold; hold++) {
		if (count == 4096)
			return too_many(err);
		words[count++] = *hold;
	}
	words[count] = NULL;
	if (command_line_parse(options, count, words, err) < 0)
		return -1;
	at = options->words;
	if (strcmp(words[at - 1], "--") == 0)
		at--;
	options_free(options);
	for (char **word = asked; *word; word++) {
		memmove(&words[at + 1], &words[at], (size_t)(count - at + 1) * sizeof(words[0]));
		words[at++] = *word;
		count++;
	}
	return command_line_parse(options, count, words, err);
}

/* kubectl cp takes no member from outside the path that it asked for: it is the archive's name. */
static int take_as_name(const char *path, char name[NAME_MAX_LENGTH + 1], struct err *err)
{
	path += strspn(path, "/");
	if (strlen(path) > NAME_MAX_LENGTH)
		return err_set(err, STATUS_USAGE, "%.100s: too long", path);
	memcpy(name, path, strlen(path) + 1);
	for (size_t end = strlen(path); end > 0 && name[end - 1] == '/'; end--)
		name[end - 1] = '\0';
	return 0;
}

/* kubectl cp takes what comes apart as a tar, which an encrypted one is not. */
static int refuse_encrypted(const struct options *options, struct err *err)
{
	char words[RECIPIENTS_WORDS_SIZE];

	return err_set(err, STATUS_USAGE,
		       "/" CAPTURE
		       ": the output is encrypted here, to %s, and kubectl cp can take nothing but a tar: type "
		       "kubectl exec -i POD -c CONTAINER -- tarcap > x.tar.age",
		       recipients_words(options->recipients, words));
}

static enum status capture_path(const char *path, const char *duration, struct err *err)
{
	struct options options = {0};
	enum status status = STATUS_USAGE;

	if (parse_as_hold(&options, duration, err) == 0 &&
	    (!options.recipients || refuse_encrypted(&options, err) == 0) && take_as_name(path, options.name, err) == 0)
		status = capture_as_asked(&options, err);
	options_free(&options);
	return err->status ? err->status : status;
}

static enum status snapshot_path(const char *path, const char *duration, struct err *err)
{
	struct snapshot_asked asked = {.stall = SNAPSHOT_STALL, .as_tar = true};

	if (take_as_name(path, asked.name, err) < 0 ||
	    (duration && number_parse("/" SNAPSHOT, duration, &snapshot_duration, &asked.last, err) < 0))
		return err->status;
	return snapshot_take(&asked, err);
}

static void tell(const char *path, const char *what)
{
	say("tar: %.400s: %.100s", path, what);
}

static enum status copy_paths(char *const *paths, struct err *err)
{
	int missing;

	signal(SIGPIPE, SIG_IGN);
	if (privileges_drop(PRIVILEGES_READ_ALL, err) < 0)
		return err->status;
	missing = copy_trees(paths, STDOUT_FILENO, tell, err);
	if (missing < 0)
		return err->status;
	if (missing > 0)
		say("tar: exiting with failure status due to previous errors");
	return missing > 0 ? (enum status)TAR_ERROR : STATUS_OK;
}

static void tar_help(void)
{
	printf("usage: tarcap tar cf - PATH...\n"
	       "What 'kubectl cp' runs to copy from a container. PATH /" CAPTURE " or /" CAPTURE "/DURATION captures,\n"
	       "/" SNAPSHOT " or /" SNAPSHOT "/DURATION is what the hold has recorded, or the last DURATION of it,\n"
	       "any other PATH is copied. Nothing can be copied into this container.\n\n"
	       "    kubectl cp POD:/" CAPTURE "/30s ./x -c CONTAINER\n"
	       "    docker exec cap tarcap tar cf - /" CAPTURE "/30s > x.tar\n");
}

enum status command_tar(int argc, char **argv, struct err *err)
{
	const char *mode = argc > 1 ? argv[1] + strspn(argv[1], "-") : "", *duration;
	char **paths = argv + 3;

	if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		tar_help();
		return STATUS_OK;
	}
	if (argc < 4 || strcmp(mode, "cf") != 0 || strcmp(argv[2], "-") != 0) {
		err_set(err, STATUS_USAGE,
			"tar: only 'tar cf - PATH' is offered, as kubectl cp calls it to copy from a container; "
			"PATH /" CAPTURE " captures, /" SNAPSHOT
			" is what the hold has recorded (nothing can be copied into this container)");
		return err->status;
	}
	/* A file of that name is what is meant when there is one. */
	if (argc == 4 && is_path(paths[0], CAPTURE, &duration) && access(paths[0], F_OK) < 0)
		return capture_path(paths[0], duration, err);
	if (argc == 4 && is_path(paths[0], SNAPSHOT, &duration) && access(paths[0], F_OK) < 0)
		return snapshot_path(paths[0], duration, err);
	return copy_paths(paths, err);
}
