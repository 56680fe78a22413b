#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "format/naming.h"
#include "read/manifest_read.h"
#include "read/roll.h"
#include "read/verify.h"

#define BASE (UINT64_C(1800000000) * CLOCK_SECOND)

static struct verify *verify;
static char text[MANIFEST_READ_TEXT_MAX];
static size_t used;

static void ask(const char *request)
{
	verify_request_begin(verify);
	verify_request(verify, request, strlen(request));
}

#define REQUEST "{\"tarcap_capture\": 1, \"name\": \"web\", \"started\": \"\", \"user\": {}, \"command\": []}"

/* With a capture.json that tells nothing. */
static int set_up(void **state)
{
	struct err err = {0};

	(void)state;
	verify = verify_open(&err);
	assert_non_null(verify);
	ask(REQUEST);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	verify_close(verify);
	return 0;
}

static void fresh(void)
{
	tear_down(NULL);
	set_up(NULL);
}

__attribute__((format(printf, 1, 2))) static void print(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	used += (size_t)vsnprintf(text + used, sizeof(text) - used, format, args);
	va_end(args);
	assert_true(used < sizeof(text));
}

static const char *name_of(unsigned n)
{
	static char name[ROLL_NAME_SIZE];

	snprintf(name, sizeof(name), "eth0_%05u_20270115080000.pcap", n);
	return name;
}

/* File n has n packets. */
static struct match_file file_of(unsigned n)
{
	return (struct match_file){name_of(n), n,   24 + 100 * n, 24 + 100 * n, BASE + n, BASE + n + CLOCK_SECOND,
				   n,	       true};
}

static void came(unsigned n)
{
	struct match_file file = file_of(n);

	assert_int_equal(verify_begin(verify, file.name), 0);
	verify_end(verify, &file);
}

/* The text of a manifest that lists files from..to-1; number 0 is manifest.json, with its totals over all to it. */
static void write_manifest(unsigned number, unsigned from, unsigned to, unsigned parts)
{
	unsigned long packets = 0;

	used = 0;
	print("{\"tarcap_manifest\": 1, ");
	if (number)
		print("\"part\": %u, ", number);
	print("\"files\": [");
	for (unsigned n = from; n < to; n++) {
		struct match_file file = file_of(n);
		char first[CLOCK_TEXT_SIZE], last[CLOCK_TEXT_SIZE];

		print("%s{\"name\": \"%s\", \"interface\": \"eth0\", \"packets\": %u, \"bytes\": %u, "
		      "\"stored_bytes\": %u, \"first\": \"%s\", \"last\": \"%s\"}",
		      n > from ? ",\n" : "", file.name, n, 24 + 100 * n, 24 + 100 * n, clock_rfc3339(file.first, first),
		      clock_rfc3339(file.last, last));
	}
	print("]");
	for (unsigned n = 1; n < to; n++)
		packets += n;
	if (!number)
		print(", \"ended_by\": {\"cause\": \"signal\", \"detail\": \"SIGINT\"}, \"parts\": %u, "
		      "\"totals\": {\"files\": %u, \"packets\": %lu, \"bytes\": %lu}, \"interfaces\": [{\"name\": "
		      "\"eth0\", "
		      "\"received_by_filter\": %lu, \"written\": %lu, \"dropped_by_kernel\": 1, \"dropped_at_stop\": "
		      "2, "
		      "\"after_limit\": 3, \"filtered_in_user_space\": 4, \"link_type_number\": 1, "
		      "\"snapshot_length\": 96}]",
		      parts, to - 1, packets, (to - 1) * 24UL + 100 * packets, packets + 10, packets);
	print("}\n");
}

static void replace(const char *from, const char *to)
{
	char *at = strstr(text, from);

	assert_non_null(at);
	memmove(at + strlen(to), at + strlen(from), strlen(at + strlen(from)) + 1);
	memcpy(at, to, strlen(to));
	used = used - strlen(from) + strlen(to);
}

static void give(unsigned number)
{
	/* Exactly as large as it is, so that AddressSanitizer sees a read behind it. */
	char *copy = malloc(used + !used);

	memcpy(copy, text, used);
	verify_manifest(verify, number, copy, used);
	free(copy);
}

static const char *sentence(void)
{
	static char said[500];

	verify_finish(verify);
	return defects_sentence(verify_defects(verify), said, sizeof(said));
}

static void whole(void **state)
{
	(void)state;
	for (unsigned n = 1; n < 10; n++)
		came(n);
	write_manifest(0, 1, 10, 0);
	give(0);
	assert_string_equal(sentence(), "");
	assert_false(defects_any(verify_defects(verify)));
	assert_int_equal(verify_told(verify)->dropped_by_kernel, 1);
	assert_int_equal(verify_told(verify)->dropped_at_stop, 2);
	assert_int_equal(verify_told(verify)->snapshot_length, 96);
	assert_string_equal(verify_told(verify)->cause, "signal");
	assert_string_equal(verify_told(verify)->detail, "SIGINT");

	fresh();
	write_manifest(0, 1, 10, 0);
	give(0);
	for (unsigned n = 1; n < 10; n++) {
		assert_false(verify_complete(verify));
		came(n);
	}
	assert_true(verify_complete(verify));
	assert_string_equal(sentence(), "");
}

/* Whatever number, time or name is another: it is found, whichever comes first, manifest or files. */
static void every_field(void **state)
{
	static const struct {
		const char *from, *to, *said;
	} cases[] = {
		{"\"packets\": 2,", "\"packets\": 1,",
		 "eth0_00002_20270115080000.pcap has 2 packets where 1 are listed"},
		{"\"bytes\": 224,", "\"bytes\": 225,",
		 "eth0_00002_20270115080000.pcap has 224 bytes where 225 are listed"},
		{"\"stored_bytes\": 224", "\"stored_bytes\": 223",
		 "eth0_00002_20270115080000.pcap has 224 stored bytes where 223 are listed"},
		{"00.000000002Z", "00.000000003Z", "eth0_00002_20270115080000.pcap begins at another time than listed"},
		{"01.000000002Z", "01.000000002", "eth0_00002_20270115080000.pcap ends at another time than listed"},
		{"_00002_", "_00009_", "eth0_00009_20270115080000.pcap is missing"},
		{"_00002_", "_00009_", "eth0_00002_20270115080000.pcap is not in the manifest"},
		{"_00002_", "_00001_", "eth0_00001_20270115080000.pcap is listed twice"},
		{"{\"files\": 3", "{\"files\": 4", "the manifest lists 3 files with 6 packets where its totals say 4"},
		{"\"packets\": 6,", "\"packets\": 7,", "with 6 packets where its totals say 3 with 7"},
		{"\"bytes\": 672", "\"bytes\": 671", "where its totals say"},
		{"\"received_by_filter\": 16", "\"received_by_filter\": 17", "the account of eth0 does not add up"},
		{"\"dropped_by_kernel\": 1", "\"dropped_by_kernel\": 0", "the account of eth0 does not add up"},
		{"\"dropped_at_stop\": 2", "\"dropped_at_stop\": 3", "the account of eth0 does not add up"},
		{"\"after_limit\": 3", "\"after_limit\": 2", "the account of eth0 does not add up"},
		{"\"filtered_in_user_space\": 4", "\"filtered_in_user_space\": 5",
		 "the account of eth0 does not add up"},
		{"\"written\": 6, \"dropped_by_kernel\": 1", "\"written\": 5, \"dropped_by_kernel\": 2",
		 "the account of eth0 has 5 packets where 6 are listed"},
		{"\"interface\": \"eth0\"", "\"interface\": \"eth1\"",
		 "the account of eth1 has 0 packets where 1 are listed"},
		{"\"parts\": 0", "\"parts\": 1", "manifest_00001.json is missing"},
		{"\"parts\": 0", "\"parts\": -1", "manifest.json is damaged (a field is missing)"},
		{"\"parts\": 0", "\"parts\": 999999999", "manifest_00001.json is missing (and 4095 more)"},
		{"\"tarcap_manifest\": 1", "\"tarcap_manifest\": 3",
		 "it was written by another version of tarcap (manifest version 3, here 2)"},
		{"\"tarcap_manifest\": 1", "\"tarcap_manifest\": \"1\"", "manifest.json is damaged (no version)"},
		{"\"files\": [", "\"part\": 3, \"files\": [", "manifest.json is damaged (another part)"},
		{"\"packets\": 2,", "\"packets\": 2.0,", "manifest.json is damaged (a field is missing)"},
		{"\"packets\": 2,", "\"packets\": 99999999999999999999,", "manifest.json is damaged (no JSON)"},
		{"\"files\": [", "\"files\" [", "manifest.json is damaged (no JSON)"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (int manifest_first = 0; manifest_first < 2; manifest_first++) {
			const char *said;

			fresh();
			write_manifest(0, 1, 4, 0);
			replace(cases[i].from, cases[i].to);
			if (manifest_first)
				give(0);
			for (unsigned n = 1; n < 4; n++)
				came(n);
			if (!manifest_first)
				give(0);
			said = sentence();
			if (!strstr(said, cases[i].said))
				fail_msg("%s -> %s: expected '%s', said '%s'", cases[i].from, cases[i].to,
					 cases[i].said, said);
		}
	}
}

static void optional_loss(void **state)
{
	(void)state;
	came(1);
	write_manifest(0, 1, 2, 0);
	replace("\"written\": 1", "\"dropped_output_failed\": 5, \"written\": 1");
	replace("\"received_by_filter\": 11", "\"received_by_filter\": 16");
	give(0);
	assert_string_equal(sentence(), "");
	assert_int_equal(verify_told(verify)->dropped_output_failed, 5);
}

static void missing(void **state)
{
	(void)state;
	for (unsigned n = 1; n < 10; n++) {
		if (n != 4 && n != 7)
			came(n);
	}
	write_manifest(0, 1, 10, 0);
	give(0);
	assert_string_equal(sentence(), "eth0_00004_20270115080000.pcap is missing (and 1 more)");

	/* Without a manifest nothing is known of what is listed. */
	fresh();
	came(1);
	assert_string_equal(sentence(), "manifest.json is missing");
}

static void order(void **state)
{
	(void)state;
	write_manifest(0, 1, 4, 0);
	came(1);
	came(3);
	came(2);
	give(0);
	assert_string_equal(sentence(), "");
	assert_int_equal(verify_told(verify)->reordered, 1);
	assert_string_equal(verify_told(verify)->first_reordered, "eth0_00002_20270115080000.pcap");

	/* Series are apart from each other, and in the manifest's order among each other. */
	for (int manifest_first = 0; manifest_first < 2; manifest_first++) {
		for (int swapped = 0; swapped < 2; swapped++) {
			struct match_file file = file_of(2);
			char other[] = "eth1_00001_20270115080000.pcap";

			fresh();
			write_manifest(0, 1, 4, 0);
			replace("eth0_00002_", "eth1_00001_");
			if (manifest_first)
				give(0);
			came(1);
			if (swapped)
				came(3);
			assert_int_equal(verify_begin(verify, other), 0);
			file.name = other;
			verify_end(verify, &file);
			if (!swapped)
				came(3);
			if (!manifest_first)
				give(0);
			assert_string_equal(sentence(), "");
			assert_int_equal(verify_told(verify)->reordered, swapped);
		}
	}
}

/* Members of the context: whichever side is known first, and nobody waits for them. */
static void context(void **state)
{
	static const struct {
		const char *listed, *said;
		uint64_t came; /* bytes; 0: it did not */
	} cases[] = {
		{"{\"name\": \"context/end/hosts\", \"bytes\": 5, \"stored_bytes\": 5}", "", 5},
		{"{\"name\": \"context/end/hosts\", \"left_out\": \"x\"}", "", 0},
		{"{\"name\": \"context/end/hosts\", \"bytes\": 5, \"stored_bytes\": 5}",
		 "context/end/hosts has 4 bytes where 5 are listed", 4},
		{"{\"name\": \"context/end/hosts\", \"bytes\": 5, \"stored_bytes\": 6}",
		 "context/end/hosts has 5 stored bytes where 6 are listed", 5},
		{"{\"name\": \"context/end/hosts\", \"bytes\": 5, \"stored_bytes\": 5}", "context/end/hosts is missing",
		 0},
		{"", "context/end/hosts is not in the manifest", 5},
		{"{\"name\": \"context/end/hosts\", \"bytes\": 5, \"stored_bytes\": 5}, "
		 "{\"name\": \"context/end/hosts\", \"bytes\": 5, \"stored_bytes\": 5}",
		 "context/end/hosts is listed twice", 5},
	};
	char with[400];

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
		bool manifest_first = i & 1;

		fresh();
		write_manifest(0, 1, 2, 0);
		snprintf(with, sizeof(with), "\"context\": [%s], \"ended_by\"", cases[i / 2].listed);
		replace("\"ended_by\"", with);
		came(1);
		if (manifest_first) {
			give(0);
			assert_true(verify_complete(verify));
		}
		if (cases[i / 2].came)
			verify_context(verify, "context/end/hosts", cases[i / 2].came);
		if (!manifest_first)
			give(0);
		assert_string_equal(sentence(), cases[i / 2].said);
	}
	verify_context(verify, "context/start/hosts", 1);
	verify_context(verify, "context/start/hosts", 1);
	assert_non_null(strstr(sentence(), "context/start/hosts came twice"));
}

/* A second copy: told how much of the first has been delivered, and what then is still wrong. */
static void twice(void **state)
{
	struct match_file file = file_of(3);

	(void)state;
	for (int manifest_first = 0; manifest_first < 2; manifest_first++) {
		fresh();
		write_manifest(0, 3, 4, 0);
		replace("\"files\": 3", "\"files\": 1");
		replace("\"packets\": 6", "\"packets\": 3");
		replace("\"bytes\": 672", "\"bytes\": 324");
		replace("\"received_by_filter\": 16, \"written\": 6", "\"received_by_filter\": 13, \"written\": 3");
		if (manifest_first)
			give(0);
		file = file_of(3);
		file.whole = false;
		file.delivered = file.packets = 2;
		assert_int_equal(verify_begin(verify, file.name), 0);
		verify_end(verify, &file);
		assert_int_equal(verify_begin(verify, file.name), 2);
		file = file_of(3);
		verify_end(verify, &file);
		assert_true(verify_begin(verify, file.name) == UINT64_MAX);
		if (!manifest_first)
			give(0);
		assert_string_equal(sentence(), "eth0_00003_20270115080000.pcap came twice (and 1 more)");
	}
	give(0);
	assert_int_equal(verify_defects(verify)->of[DEFECT_TWICE].count, 3);
}

/* More files than the table has room for, with parts in time: all verified. */
static void parts(void **state)
{
	const unsigned per_part = 4096, count = 5 * per_part + 10;

	(void)state;
	for (int skipped = 0; skipped <= 3; skipped++) {
		fresh();
		for (unsigned n = 1; n < count; n++) {
			if (n % per_part == 0 && (int)(n / per_part) != skipped) {
				write_manifest(n / per_part, n - per_part + (n == per_part), n, 0);
				give(n / per_part);
			}
			came(n);
		}
		write_manifest(0, 5 * per_part, count, 5);
		give(0);
		if (skipped)
			assert_string_equal(sentence(), skipped == 1   ? "manifest_00001.json is missing"
							: skipped == 2 ? "manifest_00002.json is missing"
								       : "manifest_00003.json is missing");
		else
			assert_string_equal(sentence(), "");
	}
}

static void too_many_parts(void **state)
{
	(void)state;
	write_manifest(VERIFY_PARTS + 1, 1, 2, 0);
	give(VERIFY_PARTS + 1);
	verify_manifest(verify, UINT64_MAX, text, used);
	assert_string_equal(sentence(), "manifest.json is missing, there are too many parts to verify (and 1 more)");
	fresh();
	write_manifest(VERIFY_PARTS, 1, 2, 0);
	give(VERIFY_PARTS);
	assert_string_equal(sentence(), "manifest.json is missing, eth0_00001_20270115080000.pcap is missing");
}

static void table_full(void **state)
{
	const char *said;

	(void)state;
	for (unsigned n = 1; n <= ROLL_FILES + 5; n++)
		came(n);
	/* Of these, some are not in the table: that is no reason to call them missing. */
	write_manifest(0, ROLL_FILES - 10, ROLL_FILES + 6, 0);
	give(0);
	said = sentence();
	assert_non_null(strstr(said, "there are too many files to verify"));
	assert_null(strstr(said, "missing"));
}

/* Text that would take much memory is refused, and what it took is given back. */
static void hungry_text(void **state)
{
	const char *reason;

	(void)state;
	for (int i = 0; i < 3; i++) {
		fresh();
		memset(text, '[', sizeof(text));
		verify_manifest(verify, 0, text, sizeof(text));
		assert_string_equal(sentence(), "manifest.json is damaged (too large)");

		fresh();
		verify_manifest(verify, 0, text, MANIFEST_READ_VALUES_MAX);
		assert_string_equal(sentence(), "manifest.json is damaged (no JSON)"); /* too deep */

		fresh();
		used = 0;
		print("[[]");
		while (used < sizeof(text) - 10)
			print(",[]");
		print("]");
		assert_null(manifest_read_open(text, used, &reason));
		assert_string_equal(reason, "too large");
		assert_null(manifest_read_open(NULL, MANIFEST_READ_TEXT_MAX + 1, &reason));
		assert_string_equal(reason, "too large");

		used = 0;
		print("[[]");
		while (used < MANIFEST_READ_VALUES_MAX)
			print(",[]");
		print("]");
		give(0);
		assert_string_equal(sentence(), "manifest.json is damaged (no version)");
	}
}

/* Random damage to the text: never a crash. Whether it is found depends on where it is. */
static void damaged_text(void **state)
{
	unsigned seed = unit_seed(1);

	(void)state;
	for (int i = 0; i < 2000; i++) {
		fresh();
		for (unsigned n = 1; n < 4; n++)
			came(n);
		write_manifest(0, 1, 4, 0);
		for (int k = rand_r(&seed) % 3; k >= 0; k--)
			text[(unsigned)rand_r(&seed) % used] = (char)rand_r(&seed);
		if (i % 2)
			used = (unsigned)rand_r(&seed) % used;
		give(0);
		assert_true(strlen(sentence()) < 500);
	}
}

/* However much is wrong: one sentence of the size that is asked for, and what is left out is counted. */
static void long_sentence(void **state)
{
	struct defects defects = {0};
	char said[500];

	(void)state;
	for (int kind = 0; kind < DEFECTS; kind++) {
		for (int i = 0; i < 3; i++)
			defects_note(&defects, (enum defect)kind, "%0150d", kind);
	}
	for (size_t size = 1; size <= sizeof(said); size++) {
		char *exact = malloc(size);

		defects_sentence(&defects, exact, size);
		assert_true(strlen(exact) < size);
		free(exact);
	}
	defects_sentence(&defects, said, sizeof(said));
	assert_non_null(strstr(said, "0000 (and 2 more), "));
	assert_non_null(strstr(said, " more kinds of damage"));
}

static void names(void **state)
{
	static const struct {
		const char *name;
		enum naming_kind kind;
		bool compressed;
		uint64_t number;
		size_t series;
	} cases[] = {
		{"eth0_00001_20261122084500.pcap", NAMING_PACKETS, false, 1, 4},
		{"eth0_00001_20261122084500.pcap.zst", NAMING_PACKETS, true, 1, 4},
		{"a_b_4294967295_20261122084500.pcap", NAMING_PACKETS, false, 4294967295, 3},
		{"_00001_20261122084500.pcap", NAMING_OTHER},
		{"eth0_0001_20261122084500.pcap", NAMING_OTHER},
		{"eth0_00001_2026112208450.pcap", NAMING_OTHER},
		{"eth0_00001_20261122084500.pcapng", NAMING_PACKETS, false, 1, 4},
		{"eth0_00001_20261122084500.pcapng.zst", NAMING_PACKETS, true, 1, 4},
		{"eth0_00001_20261122084500.pcapngx", NAMING_OTHER},
		{"eth0_00001-20261122084500.pcap", NAMING_OTHER},
		{"x/eth0_00001_20261122084500.pcap", NAMING_OTHER},
		{"capture.json", NAMING_CAPTURE},
		{"manifest.json", NAMING_MANIFEST},
		{"manifest_00012.json", NAMING_MANIFEST, false, 12},
		{"manifest_00000.json", NAMING_OTHER},
		{"manifest_1.json", NAMING_OTHER},
		{"xmanifest_00001.json", NAMING_OTHER},
		{"_00001.json", NAMING_OTHER},
		{".pcap", NAMING_OTHER},
		{"", NAMING_OTHER},
	};
	bool compressed;
	uint64_t number;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(naming_kind(cases[i].name, &compressed, &number), cases[i].kind);
		if (cases[i].kind == NAMING_OTHER)
			continue;
		assert_int_equal(compressed, cases[i].compressed);
		assert_int_equal(number, cases[i].number);
		assert_int_equal(naming_series(cases[i].name, &number), cases[i].series);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(whole, set_up, tear_down),
		cmocka_unit_test_setup_teardown(every_field, set_up, tear_down),
		cmocka_unit_test_setup_teardown(optional_loss, set_up, tear_down),
		cmocka_unit_test_setup_teardown(missing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(context, set_up, tear_down),
		cmocka_unit_test_setup_teardown(twice, set_up, tear_down),
		cmocka_unit_test_setup_teardown(parts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(too_many_parts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(table_full, set_up, tear_down),
		cmocka_unit_test_setup_teardown(hungry_text, set_up, tear_down),
		cmocka_unit_test_setup_teardown(damaged_text, set_up, tear_down),
		cmocka_unit_test(long_sentence),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests_name("verify", tests, NULL, NULL);
}
