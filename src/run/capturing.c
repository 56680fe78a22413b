#include "run/capturing.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "capture/exclude.h"
#include "capture/file_header.h"
#include "request/plan.h"
#include "run/link_watch.h"
#include "run/loop.h"
#include "run/report.h"
#include "run/say.h"
#include "system/container.h"
#include "system/sandbox.h"

#define NUMBERED_MOST 9999 /* of files beside one whose name was there */

void capturing_init(struct capturing *c)
{
	memset(c, 0, sizeof(*c));
	c->area_fd = -1;
	c->sink.fd = c->signals.fd = c->signals.stop_fd = c->output_fd = c->links_fd = -1;
}

static int open_capture(struct capturing *c, const struct options *options, struct err *err)
{
	/*
	 * Reading a file has to see a signal from its first byte on, and to close the archive. A live capture has
	 * nothing yet while names in the filter are looked up: then a signal simply ends it.
	 */
	if (options->read_file) {
		if (signals_open(&c->signals, err) < 0)
			return -1;
		return capture_set_open_file(&c->captures, options, c->signals.stop_fd, err);
	}
	signals_end_at_once();
	/* First, so that an interface which comes up in between is either found or told of. */
	if (options_all_interfaces(options) && (c->links_fd = link_watch_open(err)) < 0)
		return -1;
	if (capture_set_open_live(&c->captures, options, err) < 0)
		return -1;
	return signals_open(&c->signals, err);
}

/* Why a file cannot be made, and what helps in a container, where it mostly happens. */
static int cannot_write(const char *path, int errnum, struct err *err)
{
	if (errnum == EACCES || errnum == EPERM)
		return err_set(
			err, STATUS_FAILED,
			"-w %.200s: %s: uid %d may not write there; with docker add --user \"$(id -u)\", in a pod "
			"securityContext.fsGroup, or let that uid write to the directory",
			path, strerror(errnum), (int)geteuid());
	if (errnum == EROFS || errnum == ENOENT)
		return err_set(
			err, STATUS_FAILED,
			"-w %.200s: %s: name a directory that is there and writable; with docker -v \"$PWD:/out\" "
			"--user \"$(id -u)\" makes this one /out",
			path, strerror(errnum));
	return err_sys(err, errnum, "-w %.200s", path);
}

/* x.tar, x-2.tar, x-3.tar */
static void numbered_name(const char *path, unsigned number, char name[PATH_MAX])
{
	size_t length = strlen(path);
	bool tar = length > 4 && strcmp(path + length - 4, ".tar") == 0;

	snprintf(name, PATH_MAX, "%.*s-%u%s", (int)(length - (tar ? 4 : 0)), path, number, tar ? ".tar" : "");
}

/* A recorder's file destroys none that is there, as a restart would. What is no file is written to as it is. */
static int open_new_file(const char *path, struct err *err)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY;
	char name[PATH_MAX];
	struct stat status;
	int fd = open(path, flags, 0600);

	if (fd < 0 && errno == EEXIST && stat(path, &status) == 0 && !S_ISREG(status.st_mode))
		return -1;
	for (unsigned number = 2; fd < 0 && errno == EEXIST && number <= NUMBERED_MOST; number++) {
		numbered_name(path, number, name);
		fd = open(name, flags, 0600);
		if (fd >= 0)
			say("-w %.200s: is there already: writing to %.200s", path, name);
	}
	return fd < 0 ? cannot_write(path, errno, err) : fd;
}

/* Like open(2), but while a FIFO has no reader yet, a signal can still end us. */
static int open_file(const char *path, int stop_fd, struct err *err)
{
	/* Packets are private: only their owner may read them. */
	const int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
	struct pollfd stop = {.fd = stop_fd, .events = POLLIN};
	int fd;

	while ((fd = open(path, flags, 0600)) < 0 && errno == ENXIO) {
		if (poll(&stop, 1, 100) > 0)
			return err_set(err, STATUS_READER, "-w %.200s: ended before a reader came", path);
	}
	if (fd < 0)
		return cannot_write(path, errno, err);
	if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK) < 0)
		err_sys(err, errno, "-w %.200s", path);
	return fd;
}

int capturing_open_output(struct capturing *c, const struct options *options, struct err *err)
{
	c->output_fd = STDOUT_FILENO;
	if (options->write_file && options->record)
		c->output_fd = open_new_file(options->write_file, err);
	if (options->write_file && c->output_fd <= STDOUT_FILENO && !err->status)
		c->output_fd = open_file(options->write_file, c->signals.stop_fd, err);
	return err->status ? -1 : sink_init(&c->sink, c->output_fd, err);
}

/*
 * The first part of the files' names: the interface, or the name of the file that is read. Of two interfaces whose
 * names come to the same, the later gets its place in the list.
 */
static void name_series(struct capturing *c, unsigned place, const struct options *options)
{
	struct interface *interface = &c->captures.list[place];
	const char *whole = interface->capture.interface, *slash = strrchr(whole, '/');
	const char *name = options->read_file && slash ? slash + 1 : whole;
	struct series *series = &interface->series;
	char *dot;

	if (options->read_file && strcmp(name, "-") == 0)
		name = "stdin";
	options_safe_name(name, series->name, sizeof(series->name));
	for (char *p = series->name; *p; p++) {
		if (*p == '_')
			*p = '-';
	}
	dot = strrchr(series->name, '.');
	if (options->read_file && dot && dot != series->name)
		*dot = '\0';
	for (unsigned i = 0; i < place; i++) {
		if (strcmp(c->captures.list[i].series.name, series->name) == 0)
			snprintf(series->name + strlen(series->name), sizeof(series->name) - strlen(series->name),
				 "-%u", place);
	}
	/* Reading a file, the series stands for the interface: nobody knows its name. */
	series->interface = options->read_file ? series->name : whole;
}

/* A file's packets are of another place and time, and a pcap file has no room for it. */
static bool has_context(const struct options *options)
{
	return !options->no_context && !options->read_file && !options->raw;
}

static int add_series(struct capturing *c, unsigned place, const struct options *options, struct err *err)
{
	struct interface *interface = &c->captures.list[place];
	struct segments_format format = {
		.pcapng = options->format == FORMAT_PCAPNG,
		.snaplen = interface->capture.snaplen,
		.tick = interface->capture.tick,
		.interface = options->raw ? place : 0,
	};
	unsigned char front[PCAPNG_FRONT_MAX];

	name_series(c, place, options);
	if (options->raw) {
		segments_add_series(&c->segments, &interface->series, &format);
		return 0;
	}
	format.front = front;
	format.front_size = file_header_make(front, options, &interface->capture, interface->series.interface, err);
	if (!format.front_size)
		return -1;
	segments_add_series(&c->segments, &interface->series, &format);
	return 0;
}

/* One front for all, and room for what stands at the end. */
static int make_raw(struct capturing *c, const struct options *options, struct err *err)
{
	unsigned count = c->captures.count;
	size_t size, more;

	c->front = malloc(PCAPNG_FRONT_MAX + count * PCAPNG_INTERFACE_MAX);
	c->trailer = malloc(count * (size_t)PCAPNG_STATISTICS_SIZE);
	if (!c->front || !c->trailer)
		return err_sys(err, ENOMEM, "memory for --raw");
	size = more = file_header_make(c->front, options, &c->captures.list[0].capture,
				       c->captures.list[0].series.interface, err);
	for (unsigned i = 1; i < count && more; i++) {
		struct interface *interface = &c->captures.list[i];

		more = file_header_interface(c->front + size, options, &interface->capture, interface->series.interface,
					     err);
		size += more;
	}
	c->delivery.raw = true;
	c->delivery.front = c->front;
	c->delivery.front_size = size;
	c->delivery.trailer = c->trailer;
	return more ? 0 : -1;
}

static int open_segments(struct capturing *c, const struct options *options, struct err *err)
{
	const struct segments_limits limits = {
		.packets = options->count,
		.bytes = options->record ? 0 : options->max_bytes,
		.segments = options->segments,
		.duration = options->duration,
	};
	uint64_t largest, segment_size = plan_segment_share(options, c->captures.count, &largest);

	if (pool_open(&c->pool, options->memory, segment_size, largest, err) < 0)
		return -1;
	if (options->compression != COMPRESSION_NONE && !(c->compress = compress_open(largest, err)))
		return -1;
	segments_init(&c->segments, &c->pool, &limits);
	for (unsigned i = 0; i < c->captures.count; i++) {
		if (add_series(c, i, options, err) < 0)
			return -1;
	}
	return 0;
}

/* First of all, so that what fails, fails then. Nobody else is to reach it, unless it was given. */
static int open_area(struct capturing *c, const struct options *options, struct err *err)
{
	int fd = c->area_fd, result;

	if (!options->record)
		return 0;
	if (fd < 0 && (fd = area_create(options->record, err)) < 0)
		return -1;
	result = area_map(&c->recorder.area, fd, err);
	if (fd != c->area_fd)
		close(fd);
	return result;
}

static void open_recorder(struct capturing *c, const struct options *options)
{
	recorder_init(&c->recorder, &c->captures, &c->segments, c->compress);
	c->recorder.keep = options->keep;
	c->recorder.max_bytes = options->max_bytes;
	c->delivery.store = recorder_store(&c->recorder);
	c->delivery.compress = NULL;
}

static int open_pipeline(struct capturing *c, const struct options *options, struct err *err)
{
	struct context *context = has_context(options) ? &c->context : NULL;
	struct manifest_setup setup = {options, &c->captures, &c->pool, context};

	if (open_segments(c, options, err) < 0 ||
	    (context && context_open(context, context_sources, context_source_count, err) < 0))
		return -1;
	outbox_init(&c->delivery.outbox);
	if (!(c->manifest = manifest_open(&setup, err)) ||
	    !(c->tar = tar_open(&c->delivery.outbox, options->name, err)))
		return -1;
	if (options->raw && make_raw(c, options, err) < 0)
		return -1;
	if (options->recipients && !c->words && !(c->encrypt = encrypt_open(options->recipients, getentropy, err)))
		return -1;
	c->delivery.compress = c->compress;
	c->delivery.encrypt = c->encrypt;
	c->delivery.context = context;
	if (options->record)
		open_recorder(c, options);
	return deliver_start(&c->delivery, &c->segments, &c->sink, c->tar, c->manifest, clock_boot(), err);
}

int capturing_open(struct capturing *c, const struct options *options, struct err *err)
{
	/* A mistake in an expression of --until must not cost the file that -w names. */
	if (open_area(c, options, err) < 0 || open_capture(c, options, err) < 0 ||
	    looks_open(&c->looks, &c->captures, &c->segments, options, err) < 0 ||
	    capturing_open_output(c, options, err) < 0)
		return -1;
	return open_pipeline(c, options, err);
}

void capturing_close(struct capturing *c)
{
	tar_close(c->tar);
	manifest_close(c->manifest);
	compress_close(c->compress);
	area_unmap(&c->recorder.area);
	encrypt_close(c->encrypt);
	context_close(&c->context);
	free(c->front);
	free(c->trailer);
	looks_close(&c->looks);
	pool_close(&c->pool);
	if (c->sink.fd >= 0)
		sink_restore(&c->sink);
	if (c->output_fd > STDOUT_FILENO)
		close(c->output_fd);
	capture_set_close(&c->captures);
	if (c->links_fd >= 0)
		close(c->links_fd);
	idle_close(&c->idle);
	signals_close(&c->signals);
}

static int watched_stdin(const struct options *options)
{
	struct stat status;

	if (options->read_file && strcmp(options->read_file, "-") == 0)
		return -1;
	if (options->wait_reader)
		return STDIN_FILENO;
	if (options->stdin_mode != 0 || fstat(STDIN_FILENO, &status) < 0)
		return -1;
	return S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode) ? STDIN_FILENO : -1;
}

/* Before the sandbox, in which nobody else can be told. */
static void say_asked(const struct options *options)
{
	if (options->read_file)
		return;
	report_asked(options);
	container_tell_hold();
}

/* A guard that is not needed would cost loss, memory and time. */
static bool needs_guard(const struct capturing *c, const struct options *options)
{
	/* A recorder sends nothing while it captures. */
	if (options->read_file || options->record || options->exclude_stream == EXCLUDE_OFF)
		return false;
	return options->exclude_stream == EXCLUDE_ON || exclude_may_come_back(c->output_fd);
}

static void say_window(const struct capturing *c, const struct options *options)
{
	const struct manifest_window window = manifest_window(c->manifest);

	report_window(&window, options);
}

static struct run_parts parts_of(struct capturing *c, const struct options *options)
{
	return (struct run_parts){
		.options = options,
		.captures = &c->captures,
		.segments = &c->segments,
		.delivery = &c->delivery,
		.recorder = options->record ? &c->recorder : NULL,
		.shared = c->words,
		.words = c->words,
		.signals = &c->signals,
		.idle = &c->idle,
		.links_fd = c->links_fd,
		.stdin_fd = watched_stdin(options),
		.watch_sink = c->sink.kind != SINK_BLOCKING,
	};
}

/* What a snapshot's archive begins with, and cannot know otherwise. Before the sandbox, which hides who and where we
 * are. */
static int add_texts(struct capturing *c, struct err *err)
{
	struct area *area = &c->recorder.area;
	const char *text;
	size_t size;

	if (manifest_capture_text(c->manifest, &text, &size, err) < 0)
		return -1;
	(void)area_add_text(area, "capture.json", clock_real(), text, size);
	return 0;
}

static void add_context(struct capturing *c)
{
	char name[CONTEXT_NAME_SIZE];

	for (size_t i = 0; i < c->context.count; i++) {
		const struct context_member *member = &c->context.members[CONTEXT_START][i];

		if (!member->left_out)
			(void)area_add_text(&c->recorder.area, context_name(&c->context, CONTEXT_START, i, name),
					    member->time, member->text, member->size);
	}
}

/* From where on nothing can be opened any more, to where the first packet may come. */
static int enter_sandbox(struct capturing *c, const struct options *options, struct err *err)
{
	struct sandbox sandbox;

	if ((c->words && add_texts(c, err) < 0) || sandbox_enter(SANDBOX_CAPTURE, &sandbox, err) < 0)
		return -1;
	if (c->delivery.context)
		context_read(c->delivery.context, CONTEXT_START);
	report_sandbox(&sandbox, options);
	report_warnings(&c->captures, options);
	if (c->words)
		add_context(c);
	if (options->record)
		recorder_start(&c->recorder);
	return 0;
}

enum status capturing_run(struct capturing *c, const struct options *options, struct err *err)
{
	struct run_parts parts = parts_of(c, options);
	enum status status;

	parts.live = !c->words && !options->quiet && say_live_open();
	parts.lines = !c->words && !options->quiet && !parts.live && (options->verbose || report_has_reader());
	parts.guarded = needs_guard(c, options);
	if (!c->words)
		say_asked(options);
	if (!options->read_file)
		idle_open(&c->idle);
	if (enter_sandbox(c, options, err) < 0)
		return err_status(err);
	status = loop_run(&parts, err);
	if (c->words)
		return status;
	report_account(&c->captures, options, &c->idle);
	if (options->record)
		say_window(c, options);
	if (status == STATUS_OK && c->encrypt && !options->raw)
		report_encrypted(manifest_totals(c->manifest), options);
	return status;
}

/* The kernel's counters begin anew at each look. */
static void begin_anew(struct interface *interface)
{
	struct capture *capture = &interface->capture;

	capture_count(capture);
	capture->received = capture->dropped = capture->read = capture->rejected = 0;
	capture->cut = (struct cut_by_first){0};
	interface->account = (struct account){0};
	interface->dropped_said = 0;
	ledger_init(&interface->ledger, capture, &interface->series, &interface->account);
}

int capturing_begin_anew(struct capturing *c, struct err *err)
{
	segments_begin_anew(&c->segments);
	c->captures.event = (struct capture_event){0};
	for (unsigned i = 0; i < c->captures.count; i++)
		begin_anew(&c->captures.list[i]);
	if (capture_set_fire(&c->captures, err) < 0)
		return -1;
	recorder_begin_anew(&c->recorder, clock_real());
	return 0;
}

enum status capturing_go_on(struct capturing *c, const struct options *options, struct err *err)
{
	const struct run_parts parts = parts_of(c, options);

	return loop_run(&parts, err);
}
