#include "archive/manifest.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive/manifest_json.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/version.h"

/* A file's line is below 400 bytes, an interface's part below 1 KiB; the rest is below 64 KiB but for the filter, which
 * may be escaped. */
#define LINE_SIZE 400
#define INTERFACE_SIZE 1024
#define TEXT_SIZE \
	((size_t)MANIFEST_FILES * LINE_SIZE + (size_t)INTERFACES_MAX * INTERFACE_SIZE + 65536 + \
	 6 * (size_t)FILTER_MAX_LENGTH)

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
	uint64_t files, packets, bytes;		/* in all */
	struct manifest_window earlier, before; /* of the files in parts; the same without the last part */
	struct file *table;
	char *text;
	size_t used;
	bool overflow;
	char event_member[MANIFEST_NAME_SIZE]; /* where the event's packet is; "": in no file that was sent */
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
	[CAUSE_EVENT] = "event",
	[CAUSE_SNAPSHOT] = "snapshot",
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
		manifest->started = setup->told_started ? setup->told_started : clock_real();
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

struct manifest_totals manifest_totals(const struct manifest *manifest)
{
	return (struct manifest_totals){manifest->files, manifest->packets, manifest->bytes};
}

size_t manifest_memory(void)
{
	return TEXT_SIZE + MANIFEST_FILES * sizeof(struct file);
}

static char *file_name(const struct series *series, uint32_t number, uint64_t first, bool compressed,
		       char name[MANIFEST_NAME_SIZE])
{
	char time[CLOCK_TEXT_SIZE];

	snprintf(name, MANIFEST_NAME_SIZE, "%.32s_%05" PRIu32 "_%.20s.%s%s", series->name, number,
		 clock_compact(first, time), manifest_json_format(series->format.pcapng), compressed ? ".zst" : "");
	return name;
}

char *manifest_file_name(const struct segment *segment, char name[MANIFEST_NAME_SIZE])
{
	return file_name(segment->series, segment->number, segment->first, segment->stored < segment->used, name);
}

static bool has_event(const struct manifest *manifest, const struct series *series, uint32_t number)
{
	const struct capture_event *event = &manifest->setup.captures->event;

	return event->number && event->number == number && event->series == series;
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
	if (has_event(manifest, segment->series, segment->number))
		manifest_file_name(segment, manifest->event_member);
}

static void forget_event(struct manifest *manifest, const struct series *series, uint32_t number)
{
	if (has_event(manifest, series, number))
		manifest->event_member[0] = '\0';
}

void manifest_take_back(struct manifest *manifest, const struct segment *segment)
{
	manifest->count--;
	manifest->files--;
	manifest->packets -= segment->packets;
	manifest->bytes -= segment->used;
	segment->series->dropped -= segment->dropped;
	forget_event(manifest, segment->series, segment->number);
}

bool manifest_cut_last(struct manifest *manifest, uint64_t *packets, uint64_t *stored)
{
	const struct file *file = &manifest->table[manifest->count - 1];

	if (manifest->count == 0)
		return false;
	*packets = file->packets;
	*stored = file->stored;
	forget_event(manifest, file->series, file->number);
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
	manifest->earlier = manifest->before;
	manifest->parts--;
	manifest->count = MANIFEST_FILES;
}

struct manifest_window manifest_window(const struct manifest *manifest)
{
	struct manifest_window window = manifest->earlier;

	for (unsigned i = 0; i < manifest->count; i++) {
		const struct file *file = &manifest->table[i];

		if (!window.any || file->first < window.from)
			window.from = file->first;
		if (!window.any || file->last > window.to)
			window.to = file->last;
		window.any = true;
	}
	return window;
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

/* What was appended is the text, if all of it found room. */
static int finish_text(const struct manifest *manifest, const char **text, size_t *size, struct err *err)
{
	*text = manifest->text;
	*size = manifest->used;
	return manifest->overflow ? err_set(err, STATUS_FAILED, "the manifest: too long") : 0;
}

int manifest_capture_text(struct manifest *manifest, const char **text, size_t *size, struct err *err)
{
	manifest->used = 0;
	if (append_json(manifest, manifest_json_capture(&manifest->setup, manifest->started, manifest->clock_offset),
			JSON_INDENT(2), err) < 0)
		return -1;
	append_text(manifest, "\n");
	return finish_text(manifest, text, size, err);
}

/*
 * A line of the table, as jansson would make it of an object of its own, in a third of the instructions: where there
 * are many files, these are most of what a file costs. Only an interface's name may have what is to be escaped.
 */
static int append_file(struct manifest *manifest, const struct file *file, struct err *err)
{
	char name[MANIFEST_NAME_SIZE], first[CLOCK_TEXT_SIZE], last[CLOCK_TEXT_SIZE], line[LINE_SIZE];

	file_name(file->series, file->number, file->first, file->stored < file->bytes, name);
	append_text(manifest, "{\"name\":\"");
	append_text(manifest, name);
	append_text(manifest, "\",\"interface\":");
	if (append_json(manifest, json_text(file->series->interface), JSON_ENCODE_ANY, err) < 0)
		return -1;
	snprintf(line, sizeof(line),
		 ",\"packets\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"stored_bytes\":%" PRIu64
		 ",\"first\":\"%s\",\"last\":\"%s\",\"dropped\":%" PRIu64 "}",
		 file->packets, file->bytes, file->stored, clock_rfc3339(file->first, first),
		 clock_rfc3339(file->last, last), file->dropped);
	append_text(manifest, line);
	return 0;
}

/*
 * As jansson would, which takes as long for these 32 lines as all else at an end: it builds each up and throws it away,
 * and musl gives the pages back every time. No name and no reason has what would have to be escaped.
 */
static void append_member(struct manifest *manifest, enum context_moment moment, size_t source)
{
	const struct context *context = manifest->setup.context;
	const struct context_member *member = &context->members[moment][source];
	char name[CONTEXT_NAME_SIZE], time[CLOCK_TEXT_SIZE], line[LINE_SIZE];

	context_name(context, moment, source, name);
	if (member->sent)
		snprintf(line, sizeof(line),
			 "{\"name\":\"%s\",\"bytes\":%zu,\"stored_bytes\":%zu,\"time\":\"%s\",\"cut\":%s}", name,
			 member->size, member->size, clock_rfc3339(member->time, time), member->cut ? "true" : "false");
	else
		snprintf(line, sizeof(line), "{\"name\":\"%s\",\"left_out\":\"%s\"}", name,
			 member->left_out ? member->left_out : "");
	append_text(manifest, line);
}

/* Whether a member of the context was sent, and of each that was not, why. */
static void append_context(struct manifest *manifest)
{
	const struct context *context = manifest->setup.context;
	size_t count = context ? context->count : 0;

	append_text(manifest, ",\n  \"context\": [");
	for (size_t i = 0; i < CONTEXT_MOMENTS * count; i++) {
		append_text(manifest, i ? ",\n    " : "\n    ");
		append_member(manifest, i / count, i % count);
	}
	append_text(manifest, count ? "\n  ]" : "]");
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
		if (append_file(manifest, &manifest->table[i], err) < 0)
			return -1;
	}
	append_text(manifest, "\n  ]\n}\n");
	return 0;
}

static json_t *json_part(const struct manifest *manifest)
{
	json_t *head = json_object();

	json_put_number(&head, "tarcap_manifest", manifest_json_version(&manifest->setup));
	json_put_number(&head, "part", manifest->parts);
	return head;
}

int manifest_part_text(struct manifest *manifest, char name[MANIFEST_NAME_SIZE], const char **text, size_t *size,
		       struct err *err)
{
	manifest->parts++;
	snprintf(name, MANIFEST_NAME_SIZE, "manifest_%05u.json", manifest->parts);
	if (append_head(manifest, json_part(manifest), err) < 0 || append_files(manifest, err) < 0)
		return -1;
	manifest->before = manifest->earlier;
	manifest->earlier = manifest_window(manifest);
	manifest->count = 0;
	return finish_text(manifest, text, size, err);
}

static json_t *json_ended_by(enum cause cause, const char *detail)
{
	json_t *object = json_object();

	json_put_text(&object, "cause", causes[cause]);
	json_put_text(&object, "detail", detail);
	return object;
}

static json_t *json_totals(const struct manifest *manifest)
{
	static const struct json_field fields[] = {
		{"files", offsetof(struct manifest, files)},
		{"packets", offsetof(struct manifest, packets)},
		{"bytes", offsetof(struct manifest, bytes)},
		{0},
	};

	return json_numbers(fields, manifest);
}

/* From the first to the last packet; null where there is none. */
static json_t *json_window(const struct manifest *manifest)
{
	const struct manifest_window window = manifest_window(manifest);
	json_t *object;

	if (!window.any)
		return json_null();
	object = json_object();
	json_put(&object, "from", json_time(window.from));
	json_put(&object, "to", json_time(window.to));
	return object;
}

/* What a recorder's has more. */
static void put_record(json_t **head, const struct manifest *manifest)
{
	const struct account account = capture_set_account(manifest->setup.captures);

	json_put(head, "window", json_window(manifest));
	json_put(head, "overwritten", manifest_json_overwritten(&account.overwritten));
	if (manifest->setup.told_live)
		json_put_number(head, "not_yet_stored", account.not_yet_stored);
}

/* What --until and --first have to tell; nothing without them. */
static void put_looked(json_t **head, const struct manifest *manifest)
{
	const struct capture_set *captures = manifest->setup.captures;
	const struct account account = capture_set_account(captures);

	if (captures->until) {
		json_put(head, "event",
			 manifest_json_event(&captures->event,
					     manifest->event_member[0] ? manifest->event_member : NULL));
		json_put_number(head, "events", captures->event.count);
	}
	if (captures->first)
		json_put(head, "cut_by_first", manifest_json_cut(&account));
}

/* All but the context and the files, of which each has a line. */
static json_t *json_head(const struct manifest *manifest, enum cause cause, const char *detail)
{
	const struct manifest_setup *setup = &manifest->setup;
	json_t *head = json_object();

	json_put_number(&head, "tarcap_manifest", manifest_json_version(&manifest->setup));
	json_put_text(&head, "version", VERSION_TEXT);
	json_put_text(&head, "name", setup->options->name);
	json_put_text(&head, "reason", setup->options->reason);
	json_put(&head, "started", json_time(manifest->started));
	json_put(&head, "ended", json_time(clock_real()));
	json_put(&head, "clock_offset_seconds_at_start",
		 setup->told ? manifest_json_told(setup->told, "clock_offset_seconds")
			     : json_seconds(manifest->clock_offset));
	json_put(&head, "clock_offset_seconds_at_end", json_seconds(clock_offset()));
	json_put(&head, "ended_by", json_ended_by(cause, detail));
	json_put_text(&head, "format", manifest_json_format(setup->options->format == FORMAT_PCAPNG));
	json_put(&head, "limits", manifest_json_limits(setup));
	json_put(&head, "memory", manifest_json_memory(setup));
	json_put(&head, "interfaces", manifest_json_interfaces(setup, true));
	manifest_json_put_left_out(&head, setup->captures);
	json_put(&head, "totals", json_totals(manifest));
	if (manifest_json_records(setup))
		put_record(&head, manifest);
	put_looked(&head, manifest);
	json_put_number(&head, "parts", manifest->parts);
	return head;
}

int manifest_text(struct manifest *manifest, enum cause cause, const char *detail, const char **text, size_t *size,
		  struct err *err)
{
	if (append_head(manifest, json_head(manifest, cause, detail), err) < 0)
		return -1;
	append_context(manifest);
	if (append_files(manifest, err) < 0)
		return -1;
	return finish_text(manifest, text, size, err);
}
