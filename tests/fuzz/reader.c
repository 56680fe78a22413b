/* A capture file through the whole program: -r, one of some ways to cut it, and the archive to a file in memory. */
#include "fuzz.h"

#include <sys/stat.h>

#include "command.h"
#include "read/defects.h"
#include "read/join.h"

static const char *const ways[][6] = {
	{"-q"},
	{"-C", "4k", "-s", "60"},
	{"-C", "4k", "-s", "1000", "-W", "3"},
	{"-c", "3"},
	{"--max-bytes", "200"},
	{"-G", "1s"},
	{"-G", "1s", "-W", "2"},
	{"--duration", "1s"},
	{"ip or ip6 or arp"},
	{"-s", "17", "len > 20"},
};

static ssize_t give(void *context, void *data, size_t size)
{
	return read(*(int *)context, data, size);
}

/* A record of nothing but zeros, which join takes for a tar's padding, is at the beginning of time. */
static bool has_time_zero(int fd, off_t size)
{
	static const char time[] = "\"first\":\"1970-01-01T00:00:00.000000000Z\"";
	char *text = malloc((size_t)size + 1);
	ssize_t n = pread(fd, text, (size_t)size, 0);
	bool found = n > 0 && memmem(text, (size_t)n, time, strlen(time)) != NULL;

	free(text);
	return found;
}

/* What was written is whole by join's judgement, too. */
static void check_archive(int fd)
{
	struct join_setup setup = {.source = give, .source_context = &fd, .memory = JOIN_MEMORY_MIN};
	struct join_result result;
	struct err err = {0};
	struct join *join = join_open(&setup, &err);
	char sentence[500];

	PROMISE(join && join_run(join, &result, &err) == 0);
	if (defects_any(result.defects))
		fprintf(stderr, "join: %s\n", defects_sentence(result.defects, sentence, sizeof(sentence)));
	PROMISE(result.found && result.junk == 0 && result.trailing == 0 && !defects_any(result.defects));
	join_close(join);
}

/* way, file */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *words[20] = {"tarcap", "-q", "--name", "fuzz", "--memory", "2M", "-r"};
	char input_path[32], output_path[32];
	struct err err = {0};
	struct stat output;
	enum status status;
	int words_count = 7, in, out;

	if (size < 1)
		return 0;
	in = fuzz_file(data + 1, size - 1, input_path);
	out = fuzz_file(NULL, 0, output_path);
	words[words_count++] = input_path;
	words[words_count++] = "-w";
	words[words_count++] = output_path;
	for (int i = 0; i < 6 && ways[data[0] % (sizeof(ways) / sizeof(*ways))][i]; i++)
		words[words_count++] = (char *)ways[data[0] % (sizeof(ways) / sizeof(*ways))][i];
	status = command_capture(words_count, words, &err);
	fuzz_unblock_signals();
	/* A filter is wrong, too, for a link type that libpcap does not know. */
	PROMISE(status == STATUS_OK || status == STATUS_FAILED || status == STATUS_USAGE);
	fuzz_result(status == STATUS_OK ? 0 : -1, &err);
	PROMISE(fstat(out, &output) == 0 && output.st_size % 512 == 0);
	/* An archive that is whole has a capture.json, a manifest.json and two zero blocks. */
	PROMISE(status != STATUS_OK || output.st_size >= 6L * 512);
	if (status == STATUS_OK && !has_time_zero(out, output.st_size))
		check_archive(out);
	close(in);
	close(out);
	return 0;
}
