#include <inttypes.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "capture/capture_set.h"
#include "capture/filter.h"
#include "command.h"
#include "record/area.h"
#include "request/command_line.h"
#include "request/number.h"
#include "request/options.h"
#include "request/recipients.h"
#include "run/report.h"
#include "system/cgroup.h"
#include "system/privileges.h"
#include "system/sandbox.h"

#define ROW "%-14s "
#define INTERFACES_SHOWN 100 /* rows */

static const char *yes_no(bool yes)
{
	return yes ? "yes" : "no";
}

static void print_privileges(void)
{
	struct privileges privileges;

	privileges_read(&privileges);
	printf(ROW "%u:%u%s\n", "user", privileges.uid, privileges.gid,
	       privileges.whole_range ? "" : ", in a user namespace");
	printf(ROW "effective %s, permitted %s, in the container's bounding set %s\n", "NET_RAW",
	       yes_no(privileges.effective & PRIVILEGES_NET_RAW), yes_no(privileges.permitted & PRIVILEGES_NET_RAW),
	       yes_no(privileges.bounding & PRIVILEGES_NET_RAW));
	printf(ROW "effective %016" PRIx64 ", permitted %016" PRIx64 ", bounding %016" PRIx64 "\n", "capabilities",
	       privileges.effective, privileges.permitted, privileges.bounding);
	printf(ROW "%s\n", "no_new_privs", yes_no(privileges.no_new_privs));
	printf(ROW "%s\n", "seccomp",
	       privileges.seccomp < 0	 ? "unknown"
	       : privileges.seccomp == 0 ? "none"
					 : "the container's filter");
}

static const char *state_of(const char *name, int fd)
{
	struct ifreq request = {0};

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (ioctl(fd, SIOCGIFFLAGS, &request) < 0)
		return "gone";
	return request.ifr_flags & IFF_UP ? "up" : "down";
}

/* /proc/net/dev: a name, ':', 8 numbers of what came in, 8 of what went out, each beginning with bytes and packets. */
static void print_interfaces(void)
{
	FILE *devices = fopen("/proc/net/dev", "re");
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), rows = 0;
	char line[512], name[IFNAMSIZ];
	uint64_t in[2], out[2];

	while (devices && rows < INTERFACES_SHOWN && fgets(line, sizeof(line), devices)) {
		if (sscanf(line, " %15[^:]: %" SCNu64 " %" SCNu64 " %*s %*s %*s %*s %*s %*s %" SCNu64 " %" SCNu64, name,
			   &in[0], &in[1], &out[0], &out[1]) != 5)
			continue;
		rows++;
		printf(ROW "%s: %s; in %" PRIu64 " packets, %" PRIu64 " bytes; out %" PRIu64 " packets, %" PRIu64
			   " bytes\n",
		       "interface", name, state_of(name, fd), in[1], in[0], out[1], out[0]);
	}
	if (!rows)
		printf(ROW "none, or /proc is not there\n", "interface");
	if (devices)
		fclose(devices);
	if (fd >= 0)
		close(fd);
}

static void print_memory_limit(void)
{
	struct cgroup_memory group = cgroup_memory("");
	char limit[NUMBER_TEXT_SIZE];

	printf(ROW "%s\n", "memory limit",
	       !group.seen    ? "unknown"
	       : !group.limit ? "none"
			      : number_format(NUMBER_SIZE, group.limit, limit));
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

static void print_stdout(void)
{
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

/* Whom it is for, all of them: who asks wants to see that nobody is missing, and nobody is too many. */
static void print_recipients(const struct recipients *recipients)
{
	printf(ROW "%s", "encrypted", recipients ? "to" : "no");
	for (unsigned i = 0; recipients && i < recipients->count; i++)
		printf(" %s", recipients->list[i].text);
	printf("%s\n", recipients && recipients->by_environment ? " (TARCAP_TO)" : "");
}

/* --record: is there the memory, and does the kernel keep others from writing to it? */
static int try_area(const struct options *options, struct err *err)
{
	struct area area = {0};
	char size[NUMBER_TEXT_SIZE];
	int fd = options->record ? area_create(options->record, err) : -1;
	int result = fd >= 0 ? area_map(&area, fd, err) : err->status ? -1 : 0;

	if (fd >= 0 && result == 0)
		printf(ROW "%s%s\n", "record", number_format(NUMBER_SIZE, options->record, size),
		       area_is_read_only(fd) ? ", which nobody else can write to"
					     : ", which its uid can write to (Linux 5.1 could seal it)");
	area_unmap(&area);
	if (fd >= 0)
		close(fd);
	return result;
}

static void print_capture(const struct capture_set *captures, const struct options *options)
{
	struct capture_set_sum sum = capture_set_sum(captures);
	char lowered[REPORT_LOWERED_SIZE], granted[NUMBER_TEXT_SIZE], asked[NUMBER_TEXT_SIZE], pool[NUMBER_TEXT_SIZE],
		compressor[NUMBER_TEXT_SIZE];

	for (unsigned i = 0; i < captures->count; i++) {
		const struct capture *capture = &captures->list[i].capture;

		printf(ROW "%s, link-type %s\n", "capture", capture->interface,
		       capture->link_type ? capture->link_type : "?");
	}
	for (unsigned i = 0; i < captures->left_out_count && i < MANIFEST_LEFT_OUT; i++)
		printf(ROW "not %s: %s\n", "capture", captures->left_out[i].name, captures->left_out[i].why);
	printf(ROW "ring %s%s of %s, pool %s%s%s%s\n", "memory", sum.ring_unknown ? "unknown, at most " : "",
	       number_format(NUMBER_SIZE, sum.ring, granted),
	       number_format(NUMBER_SIZE, options->buffer_kib * 1024, asked),
	       number_format(NUMBER_SIZE, options->memory, pool), options->compressor ? ", compressor " : "",
	       options->compressor ? number_format(NUMBER_SIZE, options->compressor, compressor) : "",
	       report_lowered(options, lowered));
	if (captures->list[0].capture.excluded[0])
		printf(ROW "%s\n", "left out", captures->list[0].capture.excluded);
}

/* As a capture does it, up to its first packet. */
static void try(const struct options *options, struct err *err)
{
	static struct capture_set captures;
	char text[SANDBOX_TEXT_SIZE];
	struct sandbox sandbox;

	privileges_stand_back();
	if (try_area(options, err) == 0 && capture_set_open_live(&captures, options, err) == 0) {
		print_capture(&captures, options);
		if (sandbox_enter(SANDBOX_CAPTURE, &sandbox, err) == 0) {
			printf(ROW "%s\n", "sandbox", sandbox_text(&sandbox, text));
			printf("a capture would work\n");
		}
	}
	capture_set_close(&captures);
}

enum status command_check(int argc, char **argv, struct err *err)
{
	struct options options;

	if (command_line_parse(&options, argc, argv, err) == 0 && options.action == ACTION_HELP) {
		printf("usage: tarcap check [OPTION]... [FILTER]\n"
		       "Says whether a capture with these options would work here, and if not, why. Captures "
		       "nothing.\n\n"
		       "    docker run --rm --network container:web tarcap check\n"
		       "    tarcap check -i eth1 'tcp port 443'\n");
	} else if (!err->status && (options.action != ACTION_CAPTURE || options.read_file)) {
		err_set(err, STATUS_USAGE, "check: -r and the listing options (-D, -L, -d) make no sense here");
	} else if (!err->status) {
		if (options.no_optimize)
			filter_no_optimize();
		print_privileges();
		print_interfaces();
		print_memory_limit();
		print_stdout();
		print_limits(&options);
		print_recipients(options.recipients);
		try(&options, err);
	}
	options_free(&options);
	return err->status;
}
