#include "request/options.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool options_all_interfaces(const struct options *options)
{
	return options->interface_count == 1 && strcmp(options->interfaces[0], "all") == 0;
}

bool options_only_print(const struct options *options)
{
	return options->action == ACTION_HELP || options->action == ACTION_UNTIL_HELP ||
	       options->action == ACTION_VERSION;
}

void options_free(struct options *options)
{
	free(options->filter);
	free(options->recipients);
	options->recipients = NULL;
	options->filter = NULL;
}

void options_safe_name(const char *text, char *name, size_t size)
{
	size_t i;

	for (i = 0; i < size - 1 && text[i]; i++) {
		int c = (unsigned char)text[i];
		int keep = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '.' ||
			   c == '_' || c == '-';
		name[i] = (char)(keep ? c : '-');
	}
	name[i] = '\0';
}

int options_set_name(char *name, const char *flag, const char *argument, struct err *err)
{
	options_safe_name(argument, name, NAME_MAX_LENGTH + 1);
	if (strcmp(argument, name) != 0 || !*argument || strcmp(argument, ".") == 0 || strcmp(argument, "..") == 0)
		return err_set(err, STATUS_USAGE, "%s '%.80s': allowed is 1 to %d of A-Z a-z 0-9 . _ -, not . or ..",
			       flag, argument, NAME_MAX_LENGTH);
	return 0;
}

int options_check_reason(const char *reason, struct err *err)
{
	if (!reason || strlen(reason) <= REASON_MAX_LENGTH)
		return 0;
	return err_set(err, STATUS_USAGE, "--reason '%.40s...': allowed is at most %d bytes", reason,
		       REASON_MAX_LENGTH);
}

void options_default_name(char *name)
{
	char host[256] = "";

	/* POSIX leaves a truncated name unterminated. */
	if (gethostname(host, sizeof(host) - 1) < 0 || !host[0] || host[0] == '.')
		strcpy(host, "capture");
	options_safe_name(host, name, NAME_MAX_LENGTH + 1);
}
