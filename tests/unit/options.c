#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "request/command_line.h"

#define WORDS_MAX 16

/* Parse "tarcap" and the words of line, which are divided by single spaces. */
static int parse(struct options *options, struct err *err, const char *line)
{
	static char copy[1024];
	char *words[WORDS_MAX] = {"tarcap"};
	int count = 1;

	snprintf(copy, sizeof(copy), "%s", line);
	for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
		words[count++] = word;
	*err = (struct err){0};
	return command_line_parse(options, count, words, err);
}

static void defaults(void **state)
{
	struct options options;
	struct err err;

	(void)state;
	assert_int_equal(parse(&options, &err, ""), 0);
	assert_int_equal(options.snaplen, 262144);
	assert_true(options.duration == UINT64_C(300000000000));
	assert_int_equal(options.max_bytes, 1 << 30);
	assert_int_equal(options.segment_size, 512 << 10);
	assert_int_equal(options.buffer_kib, 32768);
	assert_int_equal(options.memory, 16 << 20);
	assert_true(options.stall == UINT64_C(60000000000));
	assert_string_equal(options.filter, "");
	assert_false(options.promiscuous);
	options_free(&options);

	assert_int_equal(parse(&options, &err, "-r x"), 0);
	assert_int_equal(options.duration, 0);
	assert_int_equal(options.max_bytes, 0);
	options_free(&options);
}

static void filter_words(void **state)
{
	struct options options;
	struct err err;

	(void)state;
	assert_int_equal(parse(&options, &err, "-c 3 ip[2:2] -len = 0 and tcp"), 0);
	assert_int_equal(options.count, 3);
	assert_string_equal(options.filter, "ip[2:2] -len = 0 and tcp");
	options_free(&options);
	assert_int_equal(parse(&options, &err, "-nn -U -l -Z root -s0 -Qin -ddd"), 0);
	assert_int_equal(options.direction, DIRECTION_IN);
	assert_int_equal(options.snaplen, 262144);
	assert_int_equal(options.dump_level, 3);
	options_free(&options);
}

static void filter_file(void **state)
{
	char path[] = "/tmp/tarcap-unit-XXXXXX", line[64];
	static const char text[] = "tcp # the web\n or udp#\nport 53";
	struct options options;
	struct err err;
	int fd = mkstemp(path);

	(void)state;
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	snprintf(line, sizeof(line), "-F %s this is ignored", path);
	assert_int_equal(parse(&options, &err, line), 0);
	assert_string_equal(options.filter, "tcp          \n or udp \nport 53");
	options_free(&options);
	assert_int_equal(ftruncate(fd, FILTER_MAX_LENGTH + 1), 0);
	assert_int_equal(parse(&options, &err, line), -1);
	assert_int_equal(err.status, STATUS_USAGE);
	options_free(&options);
	close(fd);
	unlink(path);
	assert_int_equal(parse(&options, &err, line), -1);
	assert_int_equal(err.status, STATUS_FAILED);
	options_free(&options);
}

static void segment_size(void **state)
{
	struct options options;
	struct err err;

	(void)state;
	assert_int_equal(parse(&options, &err, "-C 5 --memory 64M"), 0);
	assert_int_equal(options.segment_size, 5000000);
	assert_false(options.segment_grown);
	options_free(&options);
	assert_int_equal(parse(&options, &err, "-C 1k"), 0);
	assert_true(options.segment_grown);
	assert_true(options.segment_size >= 24 + 16 + 262144);
	options_free(&options);
	assert_int_equal(parse(&options, &err, "-C 1k -s 96"), 0);
	assert_int_equal(options.segment_size, 4096);
	options_free(&options);
	assert_int_equal(parse(&options, &err, "-C 4k -s 4050"),
			 0); /* 24 + 16 + 4050, but around a block there is more */
	assert_int_equal(options.segment_size, 4096);
	options_free(&options);
	assert_int_equal(parse(&options, &err, "-C 4k -s 4050 --format pcapng"), 0);
	assert_in_range(options.segment_size, 4050 + 1000, 4 * 4096);
	assert_true(options.segment_grown);
	options_free(&options);
	assert_int_equal(parse(&options, &err, "--memory 2M"), 0);
	assert_int_equal(options.segment_size, 512 << 10);
	options_free(&options);
	assert_int_equal(parse(&options, &err, "--memory 2M -C 513k"), -1);
	assert_non_null(strstr(err.text, "512k"));
	options_free(&options);
}

/* pcapng is in nanoseconds, whatever the order of the flags; microseconds are refused only where they were asked for.
 */
static void formats(void **state)
{
	static const struct {
		const char *line;
		int result;
		uint64_t precision;
	} cases[] = {
		{"", 0, PRECISION_MICRO},
		{"--nano", 0, PRECISION_NANO},
		{"--format pcapng", 0, PRECISION_NANO},
		{"--format pcapng --nano", 0, PRECISION_NANO},
		{"--format pcapng --format pcap", 0, PRECISION_MICRO},
		{"--micro --format pcapng", -1, 0},
		{"--format pcapng --time-stamp-precision micro", -1, 0},
	};
	struct options options;
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(parse(&options, &err, cases[i].line), cases[i].result);
		if (cases[i].result == 0)
			assert_int_equal(options.precision, cases[i].precision);
		options_free(&options);
	}
}

/* What the compressor takes follows the segments, and the ceiling holds for all three. */
static void compression(void **state)
{
	struct options options;
	struct err err;

	(void)state;
	assert_int_equal(parse(&options, &err, "--compress none"), 0);
	assert_int_equal(options.compressor, 0);
	options_free(&options);
	assert_int_equal(parse(&options, &err, "--compress zstd"), 0);
	assert_int_equal(options.compressor, 1536 << 10);
	options_free(&options);
	assert_int_equal(parse(&options, &err, "--compress zstd -C 300k"), 0);
	assert_int_equal(options.compressor, (1 << 20) + 300 * 1024);
	options_free(&options);
	assert_int_equal(setenv("TARCAP_MAX_MEMORY", "10M", 1), 0);
	assert_int_equal(parse(&options, &err, "--compress zstd"), 0);
	assert_true(options.lowered.memory);
	assert_true(options.buffer_kib * 1024 + options.memory + options.compressor <= 10 << 20);
	assert_true(options.buffer_kib >= 2048 && options.memory >= 2 << 20);
	options_free(&options);
	assert_int_equal(parse(&options, &err, "--compress zstd -B 5632 --memory 2M"), 0);
	options_free(&options);
	assert_int_equal(parse(&options, &err, "--compress zstd -B 8192 --memory 2M"), -1);
	assert_int_equal(err.status, STATUS_USAGE);
	assert_non_null(strstr(err.text, "--compress zstd"));
	options_free(&options);
	assert_int_equal(parse(&options, &err, "-B 8192 --memory 2M"), 0);
	options_free(&options);
	unsetenv("TARCAP_MAX_MEMORY");
}

/* Each bad line names the flag and the value. */
static void bad_lines(void **state)
{
	static const struct {
		const char *line, *flag, *value;
	} cases[] = {
		{"--nope", "--nope", ""},
		{"-j", "-j", ""},
		{"-c", "-c", ""},
		{"-c x", "-c", "x"},
		{"--duration 12q", "--duration", "12q"},
		{"--dur 12q", "--duration", "12q"}, /* abbreviated, as getopt_long allows */
		{"-s 262145", "-s/--snapshot-length", "262145"},
		{"-B 100", "-B/--buffer-size", "100"},
		{"--memory 1M", "--memory", "1M"},
		{"-Q up", "-Q/--direction", "up"},
		{"--stdin maybe", "--stdin", "maybe"},
		{"--name a/b", "--name", "a/b"},
		{"--name ..", "--name", ".."},
		{"-w x.pcap", "-w", "x.pcap"},
		{"-w x.pcapng", "-w", "x.pcapng"},
		{"-i any -i lo", "-i", "any"},
		{"-i lo -i all", "-i", "all"},
		{"-i all --raw", "--raw", ""},
		{"-i a -i b --raw", "--raw", ""},
		{"-r x -i lo", "-i", "lo"},
		{"-A", "-A", ""},
		{"-z gzip", "-z", "gzip"},
		{"--promiscuous=yes", "--promiscuous=yes", ""},
		{"tcp port 80 or -c", "-c", "first"},
		{"-c=3", "-c", "=3"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct options options;
		struct err err;

		assert_int_equal(parse(&options, &err, cases[i].line), -1);
		assert_int_equal(err.status, STATUS_USAGE);
		if (!strstr(err.text, cases[i].flag) || (cases[i].flag[1] != 'z' && !strstr(err.text, cases[i].value)))
			fail_msg("'%s' gave: %s", cases[i].line, err.text);
		assert_null(strchr(err.text, '\n'));
		options_free(&options);
	}
}

static void safe_names(void **state)
{
	char name[8];

	(void)state;
	options_safe_name("a/b c_d", name, sizeof(name));
	assert_string_equal(name, "a-b-c_d");
	options_safe_name("longer than that", name, sizeof(name));
	assert_string_equal(name, "longer-");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),	cmocka_unit_test(filter_words), cmocka_unit_test(filter_file),
		cmocka_unit_test(segment_size), cmocka_unit_test(compression),	cmocka_unit_test(formats),
		cmocka_unit_test(bad_lines),	cmocka_unit_test(safe_names),
	};

	return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
