#include <stdio.h>
#include <unistd.h>

#include "archive/encrypt.h"
#include "archive/tar.h"
#include "base/json.h"
#include "base/version.h"
#include "capture/capture_set.h"
#include "capture/filter.h"
#include "capture/interfaces.h"
#include "command.h"
#include "read/decompress.h"
#include "request/command_line.h"
#include "request/options.h"
#include "run/capturing.h"
#include "system/privileges.h"

#ifndef TARCAP_SOURCES
#define TARCAP_SOURCES "not recorded in this build"
#endif

#ifndef TARCAP_COMMIT
#define TARCAP_COMMIT "unknown"
#endif

static enum status show_version(void)
{
	printf("tarcap %s\ncommit %s\n%s\n%s\n%s\n%s\n%s\nbuilt from the source packages %s\n", VERSION_TEXT,
	       TARCAP_COMMIT, capture_library(), tar_library(), decompress_library(), json_library(), encrypt_library(),
	       TARCAP_SOURCES);
	return STATUS_OK;
}

/* Of several interfaces, for the first: it differs with the link type. */
static enum status dump_filter(struct capture_set *captures, const struct options *options, struct err *err)
{
	int result;

	if (options->read_file)
		result = capture_set_open_file(captures, options, -1, err);
	else if (options->interface_count)
		result = capture_set_open_live(captures, options, err);
	else
		result = filter_dump_unopened(options->link_type, options->filter, (int)options->snaplen,
					      options->headers, options->dump_level, err);
	if (result == 0 && captures->count)
		result = filter_dump(captures->list[0].capture.pcap, options->filter, options->headers,
				     options->dump_level, err);
	capture_set_close(captures);
	return result < 0 ? err_status(err) : STATUS_OK;
}

static enum status list_link_types(struct capture_set *captures, const struct options *options, struct err *err)
{
	int result = capture_set_open_live(captures, options, err);

	for (unsigned i = 0; result == 0 && i < captures->count; i++)
		result = interfaces_list_link_types(captures->list[i].capture.pcap, captures->list[i].capture.interface,
						    err);
	capture_set_close(captures);
	return result < 0 ? err_status(err) : STATUS_OK;
}

static int refuse_terminal(const struct options *options, struct err *err)
{
	if (options->write_file || !isatty(STDOUT_FILENO))
		return 0;
	if (options->recipients)
		return err_set(err, STATUS_USAGE,
			       "stdout is a terminal, and what is written is encrypted: add '> capture.%s.age' (with "
			       "docker run or kubectl exec: -i, but no -t)",
			       !options->raw			  ? "tar"
			       : options->format == FORMAT_PCAPNG ? "pcapng"
								  : "pcap");
	if (options->raw)
		return err_set(err, STATUS_USAGE,
			       "stdout is a terminal, and what is written is a %s file: add '| wireshark -k -i -', "
			       "or '> x.%s'",
			       options->format == FORMAT_PCAPNG ? "pcapng" : "pcap",
			       options->format == FORMAT_PCAPNG ? "pcapng" : "pcap");
	return err_set(err, STATUS_USAGE,
		       "stdout is a terminal, and what is written is a tar: add '> capture.tar' (with docker run or "
		       "kubectl exec: -i, but no -t)");
}

static enum status capture_now(struct capturing *c, const struct options *options, struct err *err)
{
	enum status status;

	if (refuse_terminal(options, err) < 0)
		return err_status(err);
	status = capturing_open(c, options, err) < 0 ? err_status(err) : capturing_run(c, options, err);
	capturing_close(c);
	return status;
}

enum status capture_as_asked(const struct options *options, struct err *err)
{
	static struct capturing c; /* too large for a small stack */
	enum status status = STATUS_OK;

	capturing_init(&c); /* the fuzz target calls this many times */
	if (!options_only_print(options) && !options->read_file)
		privileges_stand_back();
	if (options->no_optimize)
		filter_no_optimize();
	switch (options->action) {
	case ACTION_HELP:
		command_line_help();
		break;
	case ACTION_UNTIL_HELP:
		event_names_help();
		break;
	case ACTION_VERSION:
		status = show_version();
		break;
	case ACTION_LIST_INTERFACES:
		status = interfaces_list(err) < 0 ? err_status(err) : STATUS_OK;
		break;
	case ACTION_LIST_LINK_TYPES:
		status = list_link_types(&c.captures, options, err);
		break;
	case ACTION_DUMP_FILTER:
		status = dump_filter(&c.captures, options, err);
		break;
	case ACTION_CAPTURE:
		status = capture_now(&c, options, err);
		break;
	}
	return status;
}

enum status command_capture(int argc, char **argv, struct err *err)
{
	struct options options;
	enum status status;

	if (command_line_parse(&options, argc, argv, err) < 0)
		status = err_status(err);
	else
		status = capture_as_asked(&options, err);
	options_free(&options);
	return status;
}
