#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "capture.h"
#include "command.h"
#include "interfaces.h"
#include "number.h"
#include "options.h"

#define ROW "%-14s "

/* The line of /proc/self/status that begins with name, without name and white space; "?" where there is none. */
static char *own_status(const char *name, char *text, size_t size)
{
	FILE *status = fopen("/proc/self/status", "re");
	size_t length = strlen(name);
	char line[256];

	snprintf(text, size, "?");
	while (status && fgets(line, sizeof(line), status)) {
		if (strncmp(line, name, length) != 0 || line[length] != ':')
			continue;
		line[strcspn(line, "\n")] = '\0';
		snprintf(text, size, "%s", line + length + 1 + strspn(line + length + 1, " \t"));
	}
	if (status)
		fclose(status);
	return text;
}

static const char *kind_of_stdout(void)
{
	struct stat status;

	if (isatty(STDOUT_FILENO))
		return "a terminal (a capture needs a pipe or a file)";
	if (fstat(STDOUT_FILENO, &status) < 0)
		return "closed";
	return S_ISFIFO(status.st_mode)	  ? "a pipe"
	       : S_ISSOCK(status.st_mode) ? "a socket"
	       : S_ISREG(status.st_mode)  ? "a file"
					  : "a device";
}

static void print_self(void)
{
	char text[3][64], names[400];

	printf(ROW "%d:%d\n", "user", (int)getuid(), (int)getgid());
	printf(ROW "effective %s, permitted %s, bounding %s (NET_RAW is 0000000000002000)\n", "capabilities",
	       own_status("CapEff", text[0], sizeof(text[0])), own_status("CapPrm", text[1], sizeof(text[1])),
	       own_status("CapBnd", text[2], sizeof(text[2])));
	printf(ROW "%s\n", "no_new_privs", own_status("NoNewPrivs", text[0], sizeof(text[0])));
	printf(ROW "%s\n", "interfaces", interfaces_names(names, sizeof(names)));
	printf(ROW "%s\n", "stdout", kind_of_stdout());
}

static void print_limits(const struct options *options)
{
	char duration[NUMBER_TEXT_SIZE], bytes[NUMBER_TEXT_SIZE];

	printf(ROW "%s%s, %s%s, %" PRIu64 " bytes a packet%s\n", "limits",
	       options->duration ? number_format(NUMBER_DURATION, options->duration, duration) : "no duration",
	       options->lowered.duration ? " (TARCAP_MAX_DURATION)" : "",
	       options->max_bytes ? number_format(NUMBER_SIZE, options->max_bytes, bytes) : "no byte limit",
	       options->lowered.max_bytes ? " (TARCAP_MAX_BYTES)" : "", options->snaplen,
	       options->lowered.snaplen ? " (TARCAP_MAX_SNAPLEN)" : "");
}

static void print_capture(const struct capture *capture, const struct options *options)
{
	char granted[NUMBER_TEXT_SIZE], asked[NUMBER_TEXT_SIZE], pool[NUMBER_TEXT_SIZE];

	printf(ROW "%s, link-type %s\n", "capture", capture->interface, capture->link_type ? capture->link_type : "?");
	printf(ROW "ring %s of %s, pool %s%s\n", "memory", number_format(NUMBER_SIZE, capture->ring, granted),
	       number_format(NUMBER_SIZE, options->buffer_kib * 1024, asked),
	       number_format(NUMBER_SIZE, options->memory, pool),
	       options->lowered.memory ? " (TARCAP_MAX_MEMORY)" : "");
	if (capture->excluded[0])
		printf(ROW "%s\n", "left out", capture->excluded);
}

enum status command_check(int argc, char **argv, struct err *err)
{
	struct capture capture = {.fd = -1, .file = -1};
	struct options options;

	if (options_parse(&options, argc, argv, err) == 0 && options.action == ACTION_HELP) {
		printf("usage: tarcap check [OPTION]... [FILTER]\n"
		       "Says whether a capture with these options would work here, and if not, why. Captures "
		       "nothing.\n");
	} else if (!err->status && (options.action != ACTION_CAPTURE || options.read_file)) {
		err_set(err, STATUS_USAGE, "check: takes the options of a capture from an interface");
	} else if (!err->status) {
		print_self();
		print_limits(&options);
		if (capture_open_live(&capture, &options, err) == 0) {
			print_capture(&capture, &options);
			printf("a capture would work\n");
		}
	}
	capture_close(&capture);
	options_free(&options);
	return err->status;
}
