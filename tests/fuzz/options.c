/* A command line, a word per line, through command_line_parse(). */
#include "fuzz.h"

#include "request/command_line.h"

#define WORDS 40

static int is_safe(const char *name)
{
	const char *allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

	return *name && name[strspn(name, allowed)] == '\0' && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static void check(const struct options *options)
{
	PROMISE(options->filter && strlen(options->filter) <= FILTER_MAX_LENGTH);
	if (options->action == ACTION_HELP || options->action == ACTION_VERSION)
		return; /* the rest is not looked at */
	PROMISE(options->snaplen >= 1 && options->snaplen <= SNAPLEN_MAX);
	PROMISE(options->segment_size >= 24 + 16 + options->snaplen && options->segment_size <= options->memory);
	PROMISE(is_safe(options->name));
	PROMISE(options->interface_count == 0 || !options->read_file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *words[WORDS + 2] = {"tarcap"}, *rest = text;
	struct options options;
	struct err err = {0};
	int count = 1, result, reads_a_file = 0;

	memcpy(text, data, size);
	text[size] = '\0';
	while (rest && count <= WORDS)
		words[count++] = strsep(&rest, "\n");
	/* -F, maybe behind other letters, would open whatever file is named. */
	for (int i = 1; i < count; i++)
		reads_a_file |= words[i][0] == '-' && words[i][1] != '-' && strchr(words[i], 'F') != NULL;
	if (!reads_a_file) {
		result = command_line_parse(&options, count, words, &err);
		fuzz_result(result, &err);
		if (result == 0)
			check(&options);
		options_free(&options);
	}
	free(text);
	return 0;
}
