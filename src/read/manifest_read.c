#include "read/manifest_read.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "base/json.h"
#include "format/link_type.h"
#include "format/manifest_layout.h"

#define ARENA ((size_t)MANIFEST_READ_MEMORY_MAX)
#define ALIGNMENT _Alignof(max_align_t)

struct manifest_read {
	json_t *root, *files, *interfaces, *context;
};

/*
 * Where jansson's memory comes from while a listing is open; it is given back all at once. When a string cannot grow,
 * jansson (2.14, lex_scan_string) reads behind what it has: so there is never less than it can need.
 */
static unsigned char *arena;
static size_t arena_used;
static struct manifest_read opened; /* one at a time, as the arena is */

static void *take_piece(size_t size)
{
	void *piece = arena + arena_used;

	if (size > ARENA || size + ALIGNMENT > ARENA - arena_used)
		return NULL;
	arena_used += (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	return piece;
}

static void give_piece(void *memory)
{
	(void)memory;
}

/*
 * Each value but the first follows one of these, and takes less than 400 bytes besides its text, which takes at most
 * four times its length: for MANIFEST_READ_TEXT_MAX and MANIFEST_READ_VALUES_MAX, less than the arena.
 */
static bool is_small(const char *text, size_t size)
{
	size_t values = 0;

	for (size_t i = 0; i < size && values <= MANIFEST_READ_VALUES_MAX; i++)
		values += text[i] == ',' || text[i] == '[' || text[i] == '{';
	return values <= MANIFEST_READ_VALUES_MAX;
}

/* What version 1 has nothing to say of is not looked at in it. */
static bool has_recorder(const struct manifest_read *listing)
{
	return manifest_read_version(listing) == MANIFEST_VERSION_RECORDER;
}

static struct manifest_read *parse_text(const char *text, size_t size)
{
	opened.root = json_loadb(text, size, 0, NULL);
	opened.files = json_object_get(opened.root, "files");
	opened.interfaces = json_object_get(opened.root, "interfaces");
	opened.context = json_object_get(opened.root, "context");
	return opened.root ? &opened : NULL;
}

static void close_arena(void)
{
	json_set_alloc_funcs(malloc, free);
	munmap(arena, ARENA);
	arena = NULL;
}

void manifest_read_prepare(void)
{
	json_object_seed(0);
}

struct manifest_read *manifest_read_open(const char *text, size_t size, const char **reason)
{
	struct manifest_read *listing;

	*reason = "too large";
	if (size > MANIFEST_READ_TEXT_MAX || !is_small(text, size))
		return NULL;
	*reason = "no memory to read it";
	/* Its pages cost nothing until they are used. */
	arena = mmap(NULL, ARENA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (arena == MAP_FAILED)
		return NULL;
	arena_used = 0;
	json_set_alloc_funcs(take_piece, give_piece);
	*reason = "no JSON";
	listing = parse_text(text, size);
	if (!listing)
		close_arena();
	return listing;
}

/* cppcheck-suppress constParameter ; it ends here */
void manifest_read_close(struct manifest_read *listing)
{
	if (listing)
		close_arena();
}

/* A number that older versions do not write. */
static bool optional(const json_t *object, const char *key, uint64_t *value)
{
	*value = 0;
	return !json_object_get(object, key) || json_get_number(object, key, value);
}

uint64_t manifest_read_version(const struct manifest_read *listing)
{
	uint64_t version;

	return json_get_number(listing->root, "tarcap_manifest", &version) ? version : 0;
}

uint64_t manifest_read_part(const struct manifest_read *listing)
{
	uint64_t part;

	return optional(listing->root, "part", &part) ? part : UINT64_MAX;
}

size_t manifest_read_files(const struct manifest_read *listing)
{
	return json_array_size(listing->files);
}

size_t manifest_read_accounts(const struct manifest_read *listing)
{
	return json_array_size(listing->interfaces);
}

const char *manifest_read_interface(const struct manifest_read *listing, size_t i)
{
	return json_string_value(json_object_get(json_array_get(listing->interfaces, i), "name"));
}

/* Older versions write none. */
size_t manifest_read_contexts(const struct manifest_read *listing)
{
	return json_array_size(listing->context);
}

bool manifest_read_file(const struct manifest_read *listing, size_t i, struct manifest_read_file *file)
{
	const json_t *object = json_array_get(listing->files, i);

	return json_get_text(object, "name", &file->name) && json_get_text(object, "interface", &file->interface) &&
	       json_get_number(object, "packets", &file->packets) && json_get_number(object, "bytes", &file->bytes) &&
	       json_get_number(object, "stored_bytes", &file->stored_bytes) &&
	       optional(object, "dropped", &file->dropped) && json_get_text(object, "first", &file->first) &&
	       json_get_text(object, "last", &file->last);
}

/* As files have it: earlier versions wrote libpcap's own number. */
static bool link_type(const json_t *object, uint64_t *value)
{
	if (!json_get_number(object, "link_type_number", value))
		return false;
	*value = link_type_of_file(*value);
	return true;
}

/* Nothing, or each of fields as a number of values. */
static bool optional_numbers(const json_t *object, const struct json_field *fields, void *values, bool *told)
{
	*told = object != NULL;
	for (; object && fields->name; fields++) {
		if (!json_get_number(object, fields->name, (void *)((char *)values + fields->offset)))
			return false;
	}
	return true;
}

static bool take_recorder(const json_t *object, struct manifest_read_recorder *recorder)
{

	recorder->not_yet_stored_told = json_object_get(object, "not_yet_stored") != NULL;
	return optional(object, "not_yet_stored", &recorder->not_yet_stored) &&
	       optional_numbers(json_object_get(object, "overwritten"), manifest_layout_overwritten,
				&recorder->overwritten, &recorder->overwritten_told) &&
	       optional_numbers(json_object_get(object, "cut_by_first"), manifest_layout_cut, &recorder->cut,
				&recorder->cut_told);
}

bool manifest_read_recorder(const struct manifest_read *listing, struct manifest_read_recorder *recorder)
{
	*recorder = (struct manifest_read_recorder){0};
	return !has_recorder(listing) || take_recorder(listing->root, recorder);
}

bool manifest_read_window(const struct manifest_read *listing, struct manifest_read_window *window)
{
	const json_t *object = json_object_get(listing->root, "window");

	*window = (struct manifest_read_window){.told = has_recorder(listing) && object};
	return !window->told || json_is_null(object) ||
	       (json_get_text(object, "from", &window->from) && json_get_text(object, "to", &window->to));
}

/* A text, or NULL where it is null. */
static bool text_or_null(const json_t *object, const char *key, const char **value)
{
	return json_get_text(object, key, value) || json_is_null(json_object_get(object, key));
}

bool manifest_read_event(const struct manifest_read *listing, struct manifest_read_event *event)
{
	const json_t *object = json_object_get(listing->root, "event");

	*event = (struct manifest_read_event){.told = has_recorder(listing) && object};
	if (!event->told)
		return true;
	if (!json_get_number(listing->root, "events", &event->events))
		return false;
	return json_is_null(object) ||
	       (json_get_text(object, "what", &event->what) && json_get_text(object, "time", &event->time) &&
		text_or_null(object, "interface", &event->interface) &&
		text_or_null(object, "member", &event->member) &&
		(event->member ? json_get_number(object, "packet", &event->packet)
			       : json_is_null(json_object_get(object, "packet"))));
}

bool manifest_read_account(const struct manifest_read *listing, size_t i, struct manifest_read_account *account)
{
	const json_t *object = json_array_get(listing->interfaces, i);

	account->dropped_before_no_file = UINT64_MAX;
	account->recorder = (struct manifest_read_recorder){0};
	return (!has_recorder(listing) || take_recorder(object, &account->recorder)) &&
	       json_get_text(object, "name", &account->name) &&
	       json_get_number(object, "received_by_filter", &account->received) &&
	       json_get_number(object, "written", &account->written) &&
	       json_get_number(object, "dropped_by_kernel", &account->dropped_by_kernel) &&
	       json_get_number(object, "dropped_at_stop", &account->dropped_at_stop) &&
	       optional(object, "dropped_output_failed", &account->dropped_output_failed) &&
	       json_get_number(object, "after_limit", &account->after_limit) &&
	       json_get_number(object, "filtered_in_user_space", &account->filtered_in_user_space) &&
	       optional(object, "dropped_by_kernel_while_reader_slow", &account->dropped_reader_slow) &&
	       (!json_object_get(object, "dropped_before_no_file") ||
		json_get_number(object, "dropped_before_no_file", &account->dropped_before_no_file)) &&
	       link_type(object, &account->link_type) &&
	       json_get_number(object, "snapshot_length", &account->snapshot_length);
}

bool manifest_read_context(const struct manifest_read *listing, size_t i, struct manifest_read_context *context)
{
	const json_t *object = json_array_get(listing->context, i);

	context->left_out = json_object_get(object, "left_out") != NULL;
	return json_get_text(object, "name", &context->name) &&
	       (context->left_out || (json_get_number(object, "bytes", &context->bytes) &&
				      json_get_number(object, "stored_bytes", &context->stored_bytes)));
}

bool manifest_read_summary(const struct manifest_read *listing, struct manifest_read_summary *summary)
{
	const json_t *totals = json_object_get(listing->root, "totals");
	const json_t *ended = json_object_get(listing->root, "ended_by");

	if (!json_get_text(ended, "detail", &summary->detail))
		summary->detail = "";
	if (!json_get_text(listing->root, "format", &summary->format))
		summary->format = "";
	summary->named = json_array_size(json_object_get(listing->root, "not_captured"));
	summary->left_out_told = json_object_get(listing->root, "not_captured_count") != NULL;
	return optional(listing->root, "not_captured_count", &summary->left_out) &&
	       json_get_text(ended, "cause", &summary->cause) && json_get_number(totals, "files", &summary->files) &&
	       json_get_number(totals, "packets", &summary->packets) &&
	       json_get_number(totals, "bytes", &summary->bytes) &&
	       json_get_number(listing->root, "parts", &summary->parts);
}

void manifest_read_request(const struct manifest_read *listing, struct manifest_read_request *request)
{
	if (!json_get_text(listing->root, "name", &request->name))
		request->name = "";
	if (!json_get_text(listing->root, "filter", &request->filter))
		request->filter = "";
	if (!json_get_text(listing->root, "reason", &request->reason))
		request->reason = "";
}

uint64_t manifest_read_request_version(const struct manifest_read *listing)
{
	uint64_t version;

	return json_get_number(listing->root, "tarcap_capture", &version) ? version : 0;
}

bool manifest_read_request_whole(const struct manifest_read *listing)
{
	return json_is_string(json_object_get(listing->root, "name")) &&
	       json_is_string(json_object_get(listing->root, "started")) &&
	       json_is_object(json_object_get(listing->root, "user")) &&
	       json_is_array(json_object_get(listing->root, "command"));
}

/* --- what both kinds tell --- */

/* By what each kind calls it. */
static const struct {
	const char *keys[2];
} shared_fields[MANIFEST_READ_SHARED - 1] = {
	{{"tarcap_capture", "tarcap_manifest"}},
	{{"version", "version"}},
	{{"name", "name"}},
	{{"reason", "reason"}},
	{{"started", "started"}},
	{{"clock_offset_seconds", "clock_offset_seconds_at_start"}},
	{{"format", "format"}},
	{{"limits", "limits"}},
	{{"memory", "memory"}},
};

/* FNV-1a, which nobody needs to be unable to outwit: whoever changes one can change the other. */
static int digest(const char *data, size_t size, void *context)
{
	uint64_t *value = context;

	for (size_t i = 0; i < size; i++)
		*value = (*value ^ (unsigned char)data[i]) * UINT64_C(1099511628211);
	return 0;
}

static void add_digest(const json_t *value, uint64_t *to)
{
	if (value && json_dump_callback(value, digest, to, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY) < 0)
		*to = UINT64_MAX;
}

static uint64_t interfaces_value(const struct manifest_read *listing)
{
	static const char *const keys[] = {"name",    "link_type",	     "link_type_number", "snapshot_length",
					   "headers", "time_stamp_precision"};
	uint64_t value = 1;

	for (size_t i = 0; i < manifest_read_accounts(listing); i++) {
		const json_t *object = json_array_get(listing->interfaces, i);

		for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++)
			add_digest(json_object_get(object, keys[k]), &value);
	}
	return listing->interfaces ? value : 0;
}

void manifest_read_shared(const struct manifest_read *listing, enum manifest_read_kind kind,
			  struct manifest_read_shared *shared)
{
	for (int i = 0; i < MANIFEST_READ_SHARED - 1; i++) {
		const json_t *value = json_object_get(listing->root, shared_fields[i].keys[kind]);

		shared->values[i] = value ? 1 : 0;
		add_digest(value, &shared->values[i]);
	}
	shared->values[MANIFEST_READ_SHARED - 1] = interfaces_value(listing);
}

const char *manifest_read_shared_name(int i)
{
	return i == MANIFEST_READ_SHARED - 1 ? "interfaces" : shared_fields[i].keys[MANIFEST_READ_MANIFEST];
}
