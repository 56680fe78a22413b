#include "archive/manifest_json.h"

#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "archive/compress.h"
#include "base/version.h"
#include "format/manifest_layout.h"

#define COMMAND_MAX 4096 /* bytes of words before the filter that are recorded; the rest is "..." */

const char *manifest_json_format(bool pcapng)
{
	return pcapng ? "pcapng" : "pcap";
}

static json_t *json_limit(uint64_t value)
{
	return value ? json_integer((json_int_t)value) : json_null();
}

/* A duration, which is whole milliseconds. */
static json_t *json_duration(uint64_t nanoseconds)
{
	uint64_t milliseconds = nanoseconds / 1000000;

	return nanoseconds ? json_real((double)milliseconds / 1000.0) : json_null();
}

bool manifest_json_records(const struct manifest_setup *setup)
{
	return setup->options->record || setup->told;
}

unsigned manifest_json_version(const struct manifest_setup *setup)
{
	bool new = manifest_json_records(setup) || setup->captures->until || setup->captures->first;

	return new ? MANIFEST_VERSION_RECORDER : MANIFEST_VERSION;
}

json_t *manifest_json_told(const json_t *told, const char *name)
{
	return json_incref(json_object_get(told, name));
}

json_t *manifest_json_limits(const struct manifest_setup *setup)
{
	const struct options *options = setup->options;
	json_t *limits;

	if (setup->told)
		return manifest_json_told(setup->told, "limits");
	limits = json_object();
	json_put(&limits, "duration_seconds", json_duration(options->duration));
	json_put(&limits, "max_bytes", json_limit(options->max_bytes));
	json_put(&limits, "packets", json_limit(options->count));
	json_put(&limits, "segments", json_limit(options->segments));
	return limits;
}

json_t *manifest_json_memory(const struct manifest_setup *setup)
{
	struct capture_set_sum sum;
	json_t *memory;

	if (setup->told)
		return manifest_json_told(setup->told, "memory");
	sum = capture_set_sum(setup->captures);
	memory = json_object();
	json_put(&memory, "ring_bytes", sum.ring_unknown ? json_null() : json_integer((json_int_t)sum.ring));
	json_put_number(&memory, "pool_bytes", pool_memory(setup->pool));
	json_put_number(&memory, "segment_bytes", setup->pool->segment_size);
	json_put_number(&memory, "compressor_bytes", setup->options->compressor);
	json_put_number(&memory, "manifest_bytes", manifest_memory());
	json_put_number(&memory, "context_bytes", setup->context ? CONTEXT_MEMORY : 0);
	if (setup->options->record)
		json_put_number(&memory, "record_bytes", setup->options->record);
	return memory;
}

static json_t *json_interface(const struct manifest_setup *setup, const struct interface *interface)
{
	const struct capture *capture = &interface->capture;
	json_t *object;

	if (setup->told)
		return json_copy(json_array_get(json_object_get(setup->told, "interfaces"),
						(size_t)(interface - setup->captures->list)));
	object = json_object();
	json_put_text(&object, "name", interface->series.interface);
	json_put_text(&object, "link_type", capture->link_type);
	json_put_number(&object, "link_type_number", capture->link_type_number);
	json_put_number(&object, "snapshot_length", capture->snaplen);
	json_put_flag(&object, "headers", setup->options->headers);
	json_put_text(&object, "time_stamp_precision", capture->tick == PACKET_TICK_NANO ? "nano" : "micro");
	return object;
}

json_t *manifest_json_overwritten(const struct overwritten *overwritten)
{
	return json_numbers(manifest_layout_overwritten, overwritten);
}

json_t *manifest_json_cut(const struct account *account)
{
	return json_numbers(manifest_layout_cut, &account->cut);
}

json_t *manifest_json_event(const struct capture_event *event, const char *member)
{
	json_t *object;

	if (!event->count)
		return json_null();
	object = json_object();
	json_put_text(&object, "what", event->what);
	json_put(&object, "time", json_time(event->time));
	json_put_text(&object, "interface", event->series ? event->series->interface : NULL);
	json_put_text(&object, "member", member);
	json_put(&object, "packet", member ? json_integer((json_int_t)event->packet) : json_null());
	return object;
}

static json_t *json_interface_account(const struct manifest_setup *setup, const struct interface *interface)
{
	static const struct json_field fields[] = {
		{"received_by_filter", offsetof(struct account, received)},
		{"written", offsetof(struct account, written)},
		{"dropped_by_kernel", offsetof(struct account, dropped)},
		{"dropped_by_kernel_while_reader_slow", offsetof(struct account, dropped_reader_slow)},
		{"dropped_at_stop", offsetof(struct account, dropped_at_stop)},
		{"dropped_output_failed", offsetof(struct account, dropped_output_failed)},
		{"after_limit", offsetof(struct account, after_limit)},
		{"filtered_in_user_space", offsetof(struct account, filtered_in_user_space)},
		{0},
	};
	const struct account *account = &interface->account;
	json_t *object = json_interface(setup, interface);

	json_put_numbers(&object, fields, account);
	if (manifest_json_records(setup))
		json_put(&object, "overwritten", manifest_json_overwritten(&account->overwritten));
	if (setup->told_live)
		json_put_number(&object, "not_yet_stored", account->not_yet_stored);
	json_put_number(&object, "dropped_before_no_file",
			account->dropped - account->overwritten.dropped - interface->series.dropped);
	if (setup->captures->first)
		json_put(&object, "cut_by_first", manifest_json_cut(account));
	json_put(&object, "gone", interface->gone ? json_time(interface->gone_at) : json_null());
	return object;
}

json_t *manifest_json_interfaces(const struct manifest_setup *setup, bool accounts)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < setup->captures->count; i++) {
		const struct interface *interface = &setup->captures->list[i];

		json_append(&list, (accounts ? json_interface_account : json_interface)(setup, interface));
	}
	return list;
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
	json_t *list = json_array();

	for (unsigned i = 0; i < captures->left_out_count && i < MANIFEST_LEFT_OUT; i++) {
		json_t *object = json_object();

		json_put_text(&object, "name", captures->left_out[i].name);
		json_put_text(&object, "why", captures->left_out[i].why);
		json_append(&list, object);
	}
	return list;
}

void manifest_json_put_left_out(json_t **head, const struct capture_set *captures)
{
	json_put(head, "not_captured", json_left_out(captures));
	json_put_number(head, "not_captured_count", captures->left_out_count);
	json_put_flag(head, "not_captured_at_least", captures->left_out_at_least);
}

static json_t *json_compression(const struct options *options)
{
	json_t *object = json_object();

	if (options->compression == COMPRESSION_NONE) {
		json_decref(object);
		return json_null();
	}
	json_put_text(&object, "format", "zstd");
	json_put_number(&object, "level", COMPRESS_LEVEL);
	return object;
}

static json_t *json_machine(void)
{
	struct utsname system = {0};
	json_t *object = json_object();

	uname(&system);
	json_put_text(&object, "host", system.nodename);
	json_put_text(&object, "kernel", system.release);
	json_put_text(&object, "machine", system.machine);
	return object;
}

static json_t *json_user(void)
{
	json_t *object = json_object();

	json_put_number(&object, "uid", getuid());
	json_put_number(&object, "gid", getgid());
	return object;
}

/* The words before the filter, which has a place of its own. */
static json_t *json_command(const struct options *options)
{
	json_t *words = json_array();
	size_t left = COMMAND_MAX;

	for (int i = 0; i < options->words; i++) {
		size_t length = strlen(options->argv[i]);
		bool fits = length < left;

		json_append(&words, json_text(fits ? options->argv[i] : "..."));
		if (!fits)
			break;
		left -= length + 1;
	}
	return words;
}

static const char *direction_name(enum direction direction)
{
	return direction == DIRECTION_IN ? "in" : direction == DIRECTION_OUT ? "out" : "inout";
}

/* In the archive itself for whoever wants to know who else can open it; their keys are no secret. */
static json_t *json_recipients(const struct recipients *recipients)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < recipients->count; i++)
		json_append(&list, json_text(recipients->list[i].text));
	return list;
}

/* As the recorder has it, but for the archive's own name and reason. */
static json_t *json_told_capture(const struct manifest_setup *setup)
{
	json_t *root = json_copy(setup->told);

	json_put_text(&root, "name", setup->options->name);
	json_put_text(&root, "reason", setup->options->reason);
	json_put(&root, "started", json_time(setup->told_started));
	if (setup->options->recipients)
		json_put(&root, "encrypted_to", json_recipients(setup->options->recipients));
	return root;
}

json_t *manifest_json_capture(const struct manifest_setup *setup, uint64_t started, uint64_t clock_offset)
{
	const struct options *options = setup->options;
	json_t *root;

	if (setup->told)
		return json_told_capture(setup);
	root = json_object();
	json_put_number(&root, "tarcap_capture", manifest_json_version(setup));
	json_put_text(&root, "version", VERSION_TEXT);
	json_put(&root, "started", json_time(started));
	json_put(&root, "clock_offset_seconds", json_seconds(clock_offset));
	json_put_text(&root, "name", options->name);
	json_put(&root, "system", json_machine());
	json_put(&root, "user", json_user());
	json_put(&root, "command", json_command(options));
	json_put_text(&root, "reason", options->reason);
	json_put_text(&root, "source", options->read_file ? "file" : "interface");
	json_put_text(&root, "file", options->read_file);
	json_put(&root, "interfaces", manifest_json_interfaces(setup, false));
	json_put_text(&root, "filter", options->filter);
	json_put(&root, "excluded", json_excluded(setup->captures));
	json_put_text(&root, "direction", direction_name((enum direction)options->direction));
	json_put_flag(&root, "promiscuous", capture_set_promiscuous(setup->captures));
	json_put_flag(&root, "filter_in_user_space", filtered_in_user_space(setup->captures));
	json_put(&root, "segment_seconds", json_duration(options->segment_time));
	json_put_text(&root, "format", manifest_json_format(options->format == FORMAT_PCAPNG));
	json_put(&root, "compression", json_compression(options));
	if (options->recipients)
		json_put(&root, "encrypted_to", json_recipients(options->recipients));
	json_put(&root, "limits", manifest_json_limits(setup));
	json_put(&root, "memory", manifest_json_memory(setup));
	json_put_flag(&root, "context", setup->context != NULL);
	if (options->record)
		json_put(&root, "keep_seconds", json_duration(options->keep));
	return root;
}
