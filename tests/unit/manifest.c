#include "unit.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "archive/manifest.h"

static struct options options = {.name = "pod", .filter = "", .max_bytes = 1 << 20, .duration = 1500000000};
static struct interface interface = {
	.capture = {.fd = -1, .interface = "eth0", .link_type = "EN10MB", .link_type_number = 1, .snaplen = 262144},
	.series = {.interface = "eth0", .name = "eth0"},
	.ledger = {.capture = &interface.capture},
};
static struct capture_set captures = {.list = &interface, .count = 1};
static struct pool pool = {.segment_size = 4096, .count = 4};

static struct manifest *open_manifest(void)
{
	struct manifest_setup setup = {&options, &captures, &pool};
	struct err err = {0};
	struct manifest *manifest = manifest_open(&setup, &err);

	assert_non_null(manifest);
	return manifest;
}

static json_t *parse(const char *text, size_t size)
{
	json_error_t error;
	json_t *root = json_loadb(text, size, 0, &error);

	if (!root)
		print_message("%s at line %d\n", error.text, error.line);
	assert_non_null(root);
	return root;
}

static json_int_t number(json_t *object, const char *key)
{
	assert_true(json_is_integer(json_object_get(object, key)));
	return json_integer_value(json_object_get(object, key));
}

static void names(void **state)
{
	struct manifest *manifest = open_manifest();
	struct segment segment = {
		.series = &interface.series, .number = 7, .first = UINT64_C(1795337100) * CLOCK_SECOND};
	char name[MANIFEST_NAME_SIZE];

	(void)state;
	assert_string_equal(manifest_file_name(&segment, name), "eth0_00007_20261122084500.pcap");
	segment.used = segment.stored = 1000;
	assert_string_equal(manifest_file_name(&segment, name), "eth0_00007_20261122084500.pcap");
	segment.stored = 999;
	assert_string_equal(manifest_file_name(&segment, name), "eth0_00007_20261122084500.pcap.zst");
	segment.number = UINT32_MAX;
	segment.first = UINT64_MAX;
	assert_non_null(strstr(manifest_file_name(&segment, name), ".pcap"));
	manifest_close(manifest);
}

/* The largest numbers there can be: every line fits, nothing wraps, the table restarts after a part. */
static void full_table(void **state)
{
	struct manifest *manifest = open_manifest();
	struct segment segment = {.series = &interface.series,
				  .number = UINT32_MAX,
				  .packets = INT64_MAX / 8192,
				  .used = SIZE_MAX / 16384,
				  .last = UINT64_MAX,
				  .dropped = INT64_MAX};
	char name[MANIFEST_NAME_SIZE];
	struct err err = {0};
	const char *text;
	size_t size;
	json_t *root;

	(void)state;
	interface.account = (struct account){.received = INT64_MAX, .written = INT64_MAX};
	for (int i = 0; i < MANIFEST_FILES; i++) {
		assert_false(manifest_full(manifest));
		manifest_add(manifest, &segment);
	}
	assert_true(manifest_full(manifest));
	assert_int_equal(manifest_part_text(manifest, name, &text, &size, &err), 0);
	assert_string_equal(name, "manifest_00001.json");
	root = parse(text, size);
	assert_int_equal(json_array_size(json_object_get(root, "files")), MANIFEST_FILES);
	json_decref(root);
	assert_false(manifest_full(manifest));

	segment = (struct segment){.series = &interface.series, .number = 1, .packets = 3, .used = 100};
	manifest_add(manifest, &segment);
	manifest_add(manifest, &segment);
	manifest_take_back(manifest, &segment);
	assert_int_equal(manifest_text(manifest, CAUSE_SIGNAL, "SIGINT", &text, &size, &err), 0);
	root = parse(text, size);
	assert_int_equal(json_array_size(json_object_get(root, "files")), 1);
	assert_int_equal(number(root, "parts"), 1);
	assert_int_equal(number(json_object_get(root, "totals"), "files"), MANIFEST_FILES + 1);
	assert_true(number(json_object_get(root, "totals"), "packets") == MANIFEST_FILES * (INT64_MAX / 8192) + 3);
	assert_true(number(json_array_get(json_object_get(root, "interfaces"), 0), "received_by_filter") == INT64_MAX);
	json_decref(root);
	manifest_close(manifest);
}

/* Names and filters come from outside: whatever bytes they have, the text stays JSON. */
static void odd_text(void **state)
{
	static char filter[FILTER_MAX_LENGTH + 1];
	struct options odd = options;
	struct interface odd_interface = interface;
	struct capture_set odd_captures = {.list = &odd_interface, .count = 1};
	struct manifest_setup setup = {&odd, &odd_captures, &pool};
	struct err err = {0};
	struct manifest *manifest;
	const char *text;
	size_t size;
	json_t *root;

	(void)state;
	memset(filter, '\x01', FILTER_MAX_LENGTH); /* six bytes each when escaped */
	odd.filter = filter;
	odd_interface.series.interface = "a\xff\"b\\\n";
	odd_interface.capture.link_type = NULL;
	manifest = manifest_open(&setup, &err);
	assert_int_equal(manifest_capture_text(manifest, &text, &size, &err), 0);
	root = parse(text, size);
	assert_int_equal(json_string_length(json_object_get(root, "filter")), FILTER_MAX_LENGTH);
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(json_object_get(root, "interfaces"), 0), "name")),
		"a?\"b\\\n");
	assert_true(json_is_null(json_object_get(json_array_get(json_object_get(root, "interfaces"), 0), "link_type")));
	json_decref(root);
	manifest_close(manifest);
}

/* What is in the archive and what was captured are two numbers; a cut makes room by the first. */
static void compressed(void **state)
{
	struct manifest *manifest = open_manifest();
	struct segment segment = {.series = &interface.series, .number = 1, .packets = 3, .used = 4000, .stored = 1000};
	struct err err = {0};
	uint64_t packets, stored;
	const char *text;
	size_t size;
	json_t *root, *file;

	(void)state;
	manifest_add(manifest, &segment);
	segment.stored = 4000;
	segment.number = 2;
	manifest_add(manifest, &segment);
	assert_int_equal(manifest_text(manifest, CAUSE_SIGNAL, NULL, &text, &size, &err), 0);
	root = parse(text, size);
	file = json_array_get(json_object_get(root, "files"), 0);
	assert_string_equal(json_string_value(json_object_get(file, "name")), "eth0_00001_19700101000000.pcap.zst");
	assert_int_equal(number(file, "bytes"), 4000);
	assert_int_equal(number(file, "stored_bytes"), 1000);
	file = json_array_get(json_object_get(root, "files"), 1);
	assert_string_equal(json_string_value(json_object_get(file, "name")), "eth0_00002_19700101000000.pcap");
	assert_int_equal(number(file, "stored_bytes"), 4000);
	assert_int_equal(number(json_object_get(root, "totals"), "bytes"), 8000);
	json_decref(root);
	assert_true(manifest_cut_last(manifest, &packets, &stored) && stored == 4000);
	assert_true(manifest_cut_last(manifest, &packets, &stored) && stored == 1000 && packets == 3);
	assert_int_equal(interface.series.given_up, 6);
	assert_false(manifest_cut_last(manifest, &packets, &stored));
	manifest_close(manifest);
}

/* As many interfaces as there can be, with the longest names, and as many that are not captured. */
static void many_interfaces(void **state)
{
	static struct interface list[INTERFACES_MAX];
	struct capture_set many = {.list = list, .count = INTERFACES_MAX};
	struct manifest_setup setup = {&options, &many, &pool};
	struct err err = {0};
	struct manifest *manifest;
	const char *text;
	size_t size;
	json_t *root;

	(void)state;
	for (int i = 0; i < INTERFACES_MAX; i++) {
		list[i] = interface;
		list[i].capture.link_type = "IEEE802_15_4_NONASK_PHY";
		list[i].series.interface = "\x01\x02\x03\x01\x02\x03\x01\x02\x03\x01\x02\x03\x01\x02\x03";
		list[i].account = (struct account){INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX,
						   INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX};
		list[i].gone = true;
	}
	for (int i = 0; i < MANIFEST_LEFT_OUT + 3; i++) {
		char name[16], why[100];

		snprintf(name, sizeof(name), "\x01\x01\x01%d", i);
		memset(why, '\x01', sizeof(why) - 1);
		why[sizeof(why) - 1] = '\0';
		assert_true(capture_set_leave_out(&many, 100 + i, name, why));
		assert_false(capture_set_leave_out(&many, 100 + i, name, why));
	}
	manifest = manifest_open(&setup, &err);
	assert_int_equal(manifest_capture_text(manifest, &text, &size, &err), 0);
	json_decref(parse(text, size));
	assert_int_equal(manifest_text(manifest, CAUSE_SIGNAL, NULL, &text, &size, &err), 0);
	assert_true(size < INTERFACES_MAX * 1024 + 65536);
	root = parse(text, size);
	assert_int_equal(json_array_size(json_object_get(root, "interfaces")), INTERFACES_MAX);
	assert_int_equal(json_array_size(json_object_get(root, "not_captured")), MANIFEST_LEFT_OUT);
	assert_int_equal(number(root, "not_captured_count"), MANIFEST_LEFT_OUT + 3);
	assert_true(json_is_false(json_object_get(root, "not_captured_at_least")));
	json_decref(root);
	/* Each counts once, however often it is told of, up to the last that is counted. */
	for (int i = 0; i < CAPTURE_SET_LEFT_OUT_COUNTED; i++)
		assert_int_equal(capture_set_leave_out(&many, 100 + i, "late", "late"), i >= MANIFEST_LEFT_OUT + 3);
	assert_int_equal(many.left_out_count, CAPTURE_SET_LEFT_OUT_COUNTED);
	assert_false(capture_set_leave_out(&many, 100, "late", "late"));
	assert_false(many.left_out_at_least);
	assert_false(capture_set_leave_out(&many, 100 + CAPTURE_SET_LEFT_OUT_COUNTED, "late", "late"));
	assert_true(many.left_out_at_least);
	assert_int_equal(manifest_text(manifest, CAUSE_SIGNAL, NULL, &text, &size, &err), 0);
	root = parse(text, size);
	assert_int_equal(number(root, "not_captured_count"), CAPTURE_SET_LEFT_OUT_COUNTED);
	assert_true(json_is_true(json_object_get(root, "not_captured_at_least")));
	json_decref(root);
	manifest_close(manifest);
}

static void empty(void **state)
{
	struct manifest *manifest = open_manifest();
	struct err err = {0};
	const char *text;
	size_t size;
	json_t *root;

	(void)state;
	assert_int_equal(manifest_text(manifest, CAUSE_DURATION, NULL, &text, &size, &err), 0);
	root = parse(text, size);
	assert_int_equal(json_array_size(json_object_get(root, "files")), 0);
	assert_string_equal(json_string_value(json_object_get(json_object_get(root, "ended_by"), "cause")), "duration");
	assert_true(json_is_null(json_object_get(json_object_get(root, "ended_by"), "detail")));
	assert_true(json_real_value(json_object_get(json_object_get(root, "limits"), "duration_seconds")) == 1.5);
	assert_true(json_is_null(json_object_get(json_object_get(root, "limits"), "packets")));
	json_decref(root);
	manifest_close(manifest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),      cmocka_unit_test(full_table),	 cmocka_unit_test(odd_text),
		cmocka_unit_test(compressed), cmocka_unit_test(many_interfaces), cmocka_unit_test(empty),
	};

	return cmocka_run_group_tests_name("manifest", tests, NULL, NULL);
}
