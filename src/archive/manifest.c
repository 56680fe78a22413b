#include "archive/manifest.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "archive/compress.h"
#include "base/clock.h"
#include "base/version.h"

/* A file's line is below 400 bytes, an interface's part below 1 KiB; the rest is below 64 KiB but for the filter, which
 * may be escaped. */
#define LINE_SIZE 400
#define INTERFACE_SIZE 1024
#define TEXT_SIZE \
	((size_t)MANIFEST_FILES * LINE_SIZE + (size_t)INTERFACES_MAX * INTERFACE_SIZE + 65536 + \
	 6 * (size_t)FILTER_MAX_LENGTH)
#define COMMAND_MAX 4096 /* bytes of words before the filter that are recorded; the rest is "..." */

struct file {
	struct series *series;
	uint32_t number;
	uint64_t packets, bytes, stored, first, last, dropped;
};

struct manifest {
	struct manifest_setup setup;
	uint64_t started; /* ns since the epoch */
	uint64_t clock_offset;
	unsigned count, parts;
	uint64_t files, packets, bytes; /* in all */
	struct file *table;
	char *text;
	size_t used;
	bool overflow;
};

/* A cause's one name. */
static const char *const causes[] = {
	[CAUSE_NONE] = "none",
	[CAUSE_COUNT] = "packet count",
	[CAUSE_BYTES] = "byte limit",
	[CAUSE_DURATION] = "duration",
	[CAUSE_SEGMENTS] = "segment count",
	[CAUSE_SIGNAL] = "signal",
	[CAUSE_STDIN_CLOSED] = "stdin closed",
	[CAUSE_END_OF_FILE] = "end of file",
	[CAUSE_INTERFACE_GONE] = "interface gone",
	[CAUSE_INPUT_FAILED] = "input failed",
	[CAUSE_OUTPUT_FAILED] = "output failed",
	[CAUSE_FEEDBACK] = "feedback",
};

/* What to add to boot time to get real time: when it changes during a capture, somebody set the clock. */
static uint64_t clock_offset(void)
{
	return clock_real() - clock_boot();
}

struct manifest *manifest_open(const struct manifest_setup *setup, struct err *err)
{
	struct manifest *manifest = calloc(1, sizeof(*manifest));

	if (manifest) {
		manifest->setup = *setup;
		manifest->started = clock_real();
		manifest->clock_offset = clock_offset();
		manifest->table = malloc(MANIFEST_FILES * sizeof(*manifest->table));
		manifest->text = malloc(TEXT_SIZE);
	}
	if (!manifest || !manifest->table || !manifest->text) {
		err_sys(err, ENOMEM, "memory for the manifest");
		manifest_close(manifest);
		return NULL;
	}
	return manifest;
}

void manifest_close(struct manifest *manifest)
{
	if (!manifest)
		return;
	free(manifest->table);
	free(manifest->text);
	free(manifest);
}

size_t manifest_memory(void)
{
	return TEXT_SIZE + MANIFEST_FILES * sizeof(struct file);
}

static const char *format_name(bool pcapng)
{
	return pcapng ? "pcapng" : "pcap";
}

static const char *format(const struct options *options)
{
	return format_name(options->format == FORMAT_PCAPNG);
}

static char *file_name(const struct series *series, uint32_t number, uint64_t first, bool compressed,
		       char name[MANIFEST_NAME_SIZE])
{
	char time[CLOCK_TEXT_SIZE];

	snprintf(name, MANIFEST_NAME_SIZE, "%.32s_%05" PRIu32 "_%.20s.%s%s", series->name, number,
		 clock_compact(first, time), format_name(series->format.pcapng), compressed ? ".zst" : "");
	return name;
}

char *manifest_file_name(const struct segment *segment, char name[MANIFEST_NAME_SIZE])
{
	return file_name(segment->series, segment->number, segment->first, segment->stored < segment->used, name);
}

bool manifest_full(const struct manifest *manifest)
{
	return manifest->count == MANIFEST_FILES;
}

void manifest_add(struct manifest *manifest, const struct segment *segment)
{
	manifest->table[manifest->count++] = (struct file){
		.series = segment->series,
		.number = segment->number,
		.packets = segment->packets,
		.bytes = segment->used,
		.stored = segment->stored,
		.first = segment->first,
		.last = segment->last,
		.dropped = segment->dropped,
	};
	manifest->files++;
	manifest->packets += segment->packets;
	manifest->bytes += segment->used;
	segment->series->dropped += segment->dropped;
}

void manifest_take_back(struct manifest *manifest, const struct segment *segment)
{
	manifest->count--;
	manifest->files--;
	manifest->packets -= segment->packets;
	manifest->bytes -= segment->used;
	segment->series->dropped -= segment->dropped;
}

bool manifest_cut_last(struct manifest *manifest, uint64_t *packets, uint64_t *stored)
{
	const struct file *file = &manifest->table[manifest->count - 1];

	if (manifest->count == 0)
		return false;
	*packets = file->packets;
	*stored = file->stored;
	file->series->given_up += file->packets;
	file->series->dropped -= file->dropped;
	manifest->count--;
	manifest->files--;
	manifest->packets -= file->packets;
	manifest->bytes -= file->bytes;
	return true;
}

void manifest_take_back_part(struct manifest *manifest)
{
	manifest->parts--;
	manifest->count = MANIFEST_FILES;
}

static int append(const char *data, size_t size, void *context)
{
	struct manifest *manifest = context;

	if (size > TEXT_SIZE - manifest->used) {
		manifest->overflow = true;
		return -1;
	}
	memcpy(manifest->text + manifest->used, data, size);
	manifest->used += size;
	return 0;
}

static void append_text(struct manifest *manifest, const char *text)
{
	append(text, strlen(text), manifest);
}

/* Append value and release it. NULL, which is how jansson says that it had no memory, is an error. */
static int append_json(struct manifest *manifest, json_t *value, size_t flags, struct err *err)
{
	int result = value ? json_dump_callback(value, append, manifest, flags | JSON_ENSURE_ASCII) : -1;

	json_decref(value);
	if (result < 0)
		return err_set(err, STATUS_FAILED, "the manifest: %s",
			       manifest->overflow ? "too long" : "out of memory");
	return 0;
}

/* text as JSON; bytes that are no UTF-8 become '?', where a name or a path has such. */
static json_t *json_text(const char *text)
{
	json_t *value;
	char *copy;

	if (!text)
		return json_null();
	value = json_string(text);
	if (value)
		return value;
	copy = strdup(text);
	if (!copy)
		return NULL;
	for (char *p = copy; *p; p++) {
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	}
	value = json_string(copy);
	free(copy);
	return value;
}

static json_t *json_limit(uint64_t value)
{
	return value ? json_integer((json_int_t)value) : json_null();
}

static json_t *json_time(uint64_t real)
{
	char text[CLOCK_TEXT_SIZE];

	return json_string(clock_rfc3339(real, text));
}

/* As text: a double has no room for nanoseconds since 1970. */
static json_t *json_seconds(uint64_t nanoseconds)
{
	char text[CLOCK_TEXT_SIZE];

	return json_string(clock_seconds(nanoseconds, text));
}

/* A duration, which is whole milliseconds. */
static json_t *json_duration(uint64_t nanoseconds)
{
	uint64_t milliseconds = nanoseconds / 1000000;

	return nanoseconds ? json_real((double)milliseconds / 1000.0) : json_null();
}

static json_t *json_limits(const struct options *options)
{
	return json_pack("{s:o, s:o, s:o, s:o}", "duration_seconds", json_duration(options->duration), "max_bytes",
			 json_limit(options->max_bytes), "packets", json_limit(options->count), "segments",
			 json_limit(options->segments));
}

static json_t *json_memory(const struct manifest_setup *setup)
{
	struct capture_set_sum sum = capture_set_sum(setup->captures);
	json_t *ring = sum.ring_unknown ? json_null() : json_integer((json_int_t)sum.ring);

	return json_pack("{s:o, s:I, s:I, s:I, s:I, s:I}", "ring_bytes", ring, "pool_bytes",
			 (json_int_t)setup->pool->count * (json_int_t)setup->pool->segment_size, "segment_bytes",
			 (json_int_t)setup->pool->segment_size, "compressor_bytes",
			 (json_int_t)setup->options->compressor, "manifest_bytes", (json_int_t)manifest_memory(),
			 "context_bytes", setup->context ? (json_int_t)CONTEXT_MEMORY : 0);
}

static json_t *json_interface(const struct manifest_setup *setup, const struct interface *interface)
{
	const struct capture *capture = &interface->capture;

	return json_pack("{s:o, s:o, s:I, s:I, s:b, s:s}", "name", json_text(interface->series.interface), "link_type",
			 json_text(capture->link_type), "link_type_number", (json_int_t)capture->link_type_number,
			 "snapshot_length", (json_int_t)capture->snaplen, "headers", setup->options->headers,
			 "time_stamp_precision", capture->tick == PACKET_TICK_NANO ? "nano" : "micro");
}

/* An array of what make() says of each interface. */
static json_t *json_interfaces(const struct manifest_setup *setup,
			       json_t *(*make)(const struct manifest_setup *, const struct interface *))
{
	json_t *array = json_array();

	for (unsigned i = 0; array && i < setup->captures->count; i++) {
		if (json_array_append_new(array, make(setup, &setup->captures->list[i])) < 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

static json_t *json_excluded(const struct capture_set *captures)
{
	const char *excluded = capture_set_excluded(captures);

	return json_text(excluded[0] ? excluded : NULL);
}

static bool filtered_in_user_space(const struct capture_set *captures)
{
	for (unsigned i = 0; i < captures->count; i++) {
		if (captures->list[i].capture.user_filter)
			return true;
	}
	return false;
}

static json_t *json_left_out(const struct capture_set *captures)
{
	json_t *array = json_array();

	for (unsigned i = 0; array && i < captures->left_out_count && i < CAPTURE_SET_LEFT_OUT; i++) {
		const struct left_out *left_out = &captures->left_out[i];
		json_t *object =
			json_pack("{s:o, s:o}", "name", json_text(left_out->name), "why", json_text(left_out->why));

		if (json_array_append_new(array, object) < 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

static json_t *json_compression(const struct options *options)
{
	if (options->compression == COMPRESSION_NONE)
		return json_null();
	return json_pack("{s:s, s:i}", "format", "zstd", "level", COMPRESS_LEVEL);
}

static json_t *json_machine(void)
{
	struct utsname system = {0};

	uname(&system);
	return json_pack("{s:o, s:o, s:o}", "host", json_text(system.nodename), "kernel", json_text(system.release),
			 "machine", json_text(system.machine));
}

/* The words before the filter, which has a place of its own. */
static json_t *json_command(const struct options *options)
{
	json_t *words = json_array();
	size_t left = COMMAND_MAX;

	for (int i = 0; words && i < options->words; i++) {
		size_t length = strlen(options->argv[i]);
		bool fits = length < left;

		if (json_array_append_new(words, json_text(fits ? options->argv[i] : "...")) < 0) {
			json_decref(words);
			return NULL;
		}
		if (!fits)
			break;
		left -= length + 1;
	}
	return words;
}

/* What was appended is the text, if all of it found room. */
static int finish_text(const struct manifest *manifest, const char **text, size_t *size, struct err *err)
{
	*text = manifest->text;
	*size = manifest->used;
	return manifest->overflow ? err_set(err, STATUS_FAILED, "the manifest: too long") : 0;
}

int manifest_capture_text(struct manifest *manifest, const char **text, size_t *size, struct err *err)
{
	const struct options *options = manifest->setup.options;
	json_t *root;

	root = json_pack(
		"{s:i, s:s, s:o, s:o, s:s, s:o, s:{s:I, s:I}, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:s, s:b, s:b, s:o, "
		"s:s, s:o, s:o, s:o, s:b}",
		"tarcap_capture", MANIFEST_VERSION, "version", VERSION_TEXT, "started", json_time(manifest->started),
		"clock_offset_seconds", json_seconds(manifest->clock_offset), "name", options->name, "system",
		json_machine(), "user", "uid", (json_int_t)getuid(), "gid", (json_int_t)getgid(), "command",
		json_command(options), "reason", json_text(options->reason), "source",
		options->read_file ? "file" : "interface", "file", json_text(options->read_file), "interfaces",
		json_interfaces(&manifest->setup, json_interface), "filter", json_text(options->filter), "excluded",
		json_excluded(manifest->setup.captures), "direction",
		options->direction == DIRECTION_IN    ? "in"
		: options->direction == DIRECTION_OUT ? "out"
						      : "inout",
		"promiscuous", capture_set_promiscuous(manifest->setup.captures), "filter_in_user_space",
		filtered_in_user_space(manifest->setup.captures), "segment_seconds",
		json_duration(options->segment_time), "format", format(options), "compression",
		json_compression(options), "limits", json_limits(options), "memory", json_memory(&manifest->setup),
		"context", manifest->setup.context != NULL);
	manifest->used = 0;
	if (append_json(manifest, root, JSON_INDENT(2), err) < 0)
		return -1;
	append_text(manifest, "\n");
	return finish_text(manifest, text, size, err);
}

static json_t *json_file(const struct file *file)
{
	char name[MANIFEST_NAME_SIZE];

	return json_pack("{s:s, s:o, s:I, s:I, s:I, s:o, s:o, s:I}", "name",
			 file_name(file->series, file->number, file->first, file->stored < file->bytes, name),
			 "interface", json_text(file->series->interface), "packets", (json_int_t)file->packets, "bytes",
			 (json_int_t)file->bytes, "stored_bytes", (json_int_t)file->stored, "first",
			 json_time(file->first), "last", json_time(file->last), "dropped", (json_int_t)file->dropped);
}

static json_t *json_context(const struct context *context, enum context_moment moment, size_t source)
{
	const struct context_member *member = &context->members[moment][source];
	char name[CONTEXT_NAME_SIZE];

	context_name(context, moment, source, name);
	if (!member->sent)
		return json_pack("{s:s, s:s}", "name", name, "left_out", member->left_out ? member->left_out : "");
	return json_pack("{s:s, s:I, s:I, s:o, s:b}", "name", name, "bytes", (json_int_t)member->size, "stored_bytes",
			 (json_int_t)member->size, "time", json_time(member->time), "cut", member->cut);
}

/* Whether a member of the context was sent, and of each that was not, why. */
static int append_context(struct manifest *manifest, struct err *err)
{
	const struct context *context = manifest->setup.context;
	size_t count = context ? context->count : 0;

	append_text(manifest, ",\n  \"context\": [");
	for (size_t i = 0; i < CONTEXT_MOMENTS * count; i++) {
		append_text(manifest, i ? ",\n    " : "\n    ");
		if (append_json(manifest, json_context(context, i / count, i % count), JSON_COMPACT, err) < 0)
			return -1;
	}
	append_text(manifest, count ? "\n  ]" : "]");
	return 0;
}

/* An object to which more is to be appended: its closing brace is taken away. */
static int append_head(struct manifest *manifest, json_t *head, struct err *err)
{
	manifest->used = 0;
	if (append_json(manifest, head, JSON_INDENT(2), err) < 0)
		return -1;
	manifest->used -= strlen("\n}");
	return 0;
}

/* The table of files, a line each, and the closing brace. */
static int append_files(struct manifest *manifest, struct err *err)
{
	append_text(manifest, ",\n  \"files\": [");
	for (unsigned i = 0; i < manifest->count; i++) {
		append_text(manifest, i ? ",\n    " : "\n    ");
		if (append_json(manifest, json_file(&manifest->table[i]), JSON_COMPACT, err) < 0)
			return -1;
	}
	append_text(manifest, "\n  ]\n}\n");
	return 0;
}

int manifest_part_text(struct manifest *manifest, char name[MANIFEST_NAME_SIZE], const char **text, size_t *size,
		       struct err *err)
{
	manifest->parts++;
	snprintf(name, MANIFEST_NAME_SIZE, "manifest_%05u.json", manifest->parts);
	if (append_head(
		    manifest,
		    json_pack("{s:i, s:I}", "tarcap_manifest", MANIFEST_VERSION, "part", (json_int_t)manifest->parts),
		    err) < 0 ||
	    append_files(manifest, err) < 0)
		return -1;
	manifest->count = 0;
	return finish_text(manifest, text, size, err);
}

static json_t *json_account(const struct account *account)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "received_by_filter",
			 (json_int_t)account->received, "written", (json_int_t)account->written, "dropped_by_kernel",
			 (json_int_t)account->dropped, "dropped_by_kernel_while_reader_slow",
			 (json_int_t)account->dropped_reader_slow, "dropped_at_stop",
			 (json_int_t)account->dropped_at_stop, "dropped_output_failed",
			 (json_int_t)account->dropped_output_failed, "after_limit", (json_int_t)account->after_limit,
			 "filtered_in_user_space", (json_int_t)account->filtered_in_user_space);
}

static json_t *json_interface_account(const struct manifest_setup *setup, const struct interface *interface)
{
	json_t *object = json_interface(setup, interface);
	json_t *numbers = json_account(&interface->account);
	json_t *gone = interface->gone ? json_time(interface->gone_at) : json_null();
	uint64_t rest = interface->account.dropped - interface->series.dropped;

	if (!numbers || !gone || !object || json_object_update(object, numbers) < 0 ||
	    json_object_set_new(object, "dropped_before_no_file", json_integer((json_int_t)rest)) < 0 ||
	    json_object_set(object, "gone", gone) < 0) {
		json_decref(object);
		object = NULL;
	}
	json_decref(gone);
	json_decref(numbers);
	return object;
}

int manifest_text(struct manifest *manifest, enum cause cause, const char *detail, const char **text, size_t *size,
		  struct err *err)
{
	const struct capture_set *captures = manifest->setup.captures;
	json_t *head = json_pack(
		"{s:i, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:{s:s, s:o}, s:s, s:o, s:o, s:o, s:o, s:I, s:b, s:{s:I, "
		"s:I, "
		"s:I}, "
		"s:I}",
		"tarcap_manifest", MANIFEST_VERSION, "version", VERSION_TEXT, "name", manifest->setup.options->name,
		"reason", json_text(manifest->setup.options->reason), "started", json_time(manifest->started), "ended",
		json_time(clock_real()), "clock_offset_seconds_at_start", json_seconds(manifest->clock_offset),
		"clock_offset_seconds_at_end", json_seconds(clock_offset()), "ended_by", "cause", causes[cause],
		"detail", json_text(detail), "format", format(manifest->setup.options), "limits",
		json_limits(manifest->setup.options), "memory", json_memory(&manifest->setup), "interfaces",
		json_interfaces(&manifest->setup, json_interface_account), "not_captured", json_left_out(captures),
		"not_captured_count", (json_int_t)captures->left_out_count, "not_captured_at_least",
		captures->left_out_at_least, "totals", "files", (json_int_t)manifest->files, "packets",
		(json_int_t)manifest->packets, "bytes", (json_int_t)manifest->bytes, "parts",
		(json_int_t)manifest->parts);

	if (append_head(manifest, head, err) < 0 || append_context(manifest, err) < 0 ||
	    append_files(manifest, err) < 0)
		return -1;
	return finish_text(manifest, text, size, err);
}

const char *manifest_library(void)
{
	return "jansson " JANSSON_VERSION;
}
