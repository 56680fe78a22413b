#include "archive/counters.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define NAME_SIZE COUNTERS_NAME_SIZE

/* What is left of a text, or a piece of it. */
struct piece {
	const char *at, *end;
};

static bool next_line(struct piece *text, struct piece *line)
{
	const char *end;

	if (text->at == text->end)
		return false;
	end = memchr(text->at, '\n', (size_t)(text->end - text->at));
	*line = (struct piece){text->at, end ? end : text->end};
	text->at = end ? end + 1 : text->end;
	return true;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Hundreds of them at a start, each of which would take snprintf() 3,000 instructions. */
static void copy_word(char word[NAME_SIZE], const char *from, size_t size)
{
	size = size < NAME_SIZE ? size : NAME_SIZE - 1;
	memcpy(word, from, size);
	word[size] = '\0';
}

static bool cut_word(struct piece *line, char word[NAME_SIZE])
{
	const char *begin;

	while (line->at < line->end && is_blank(*line->at))
		line->at++;
	begin = line->at;
	while (line->at < line->end && !is_blank(*line->at))
		line->at++;
	copy_word(word, begin, (size_t)(line->at - begin));
	return line->at > begin;
}

static void put_words(struct counters *counters, const char *words)
{
	struct netstate_text *text = counters->text;
	size_t size = strlen(words);

	if (size > text->size - text->used) {
		text->errnum = EFBIG;
		return;
	}
	memcpy(text->text + text->used, words, size);
	text->used += size;
}

/* As JSON has it, and within 64 bits, so that everybody can read it. */
static bool is_number(const char *word)
{
	static const char most[] = "9223372036854775807";
	const char *digits = word + (*word == '-');
	size_t length = 0;

	while (digits[length] >= '0' && digits[length] <= '9')
		length++;
	if (length == 0 || digits[length] || (*digits == '0' && length > 1))
		return false;
	return length < sizeof(most) - 1 || (length == sizeof(most) - 1 && strcmp(digits, most) <= 0);
}

static bool is_of_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* The kernel's names are C's; any others would have to be escaped. */
static bool is_name(const char *word)
{
	const char *at = word;

	while (is_of_name(*at))
		at++;
	return at > word && !*at;
}

static void put_group(struct counters *counters, const char *group)
{
	put_words(counters, *counters->group ? "},\"" : "\"");
	put_words(counters, group);
	put_words(counters, "\":{\"");
	copy_word(counters->group, group, strlen(group));
}

/* By hand: for the 400 of them that there are, jansson takes two million instructions, at both moments. */
static void put_number(struct counters *counters, const char *group, const char *name, const char *number)
{
	if (!is_number(number) || !is_name(group) || !is_name(name))
		return;
	if (strcmp(group, counters->group) == 0)
		put_words(counters, ",\"");
	else
		put_group(counters, group);
	put_words(counters, name);
	put_words(counters, "\":");
	put_words(counters, number);
}

/* "Tcp: name name" above "Tcp: number number". */
static void put_pair(struct counters *counters, const char *group, struct piece names, struct piece numbers)
{
	char name[NAME_SIZE], number[NAME_SIZE];

	while (cut_word(&names, name) && cut_word(&numbers, number))
		put_number(counters, group, name, number);
}

/* "Udp6InErrors  7" */
static void put_named(struct counters *counters, const char *word, struct piece rest)
{
	size_t front = strcspn(word, "6") + 1;
	char group[NAME_SIZE], number[NAME_SIZE];

	if (front >= strlen(word) || !cut_word(&rest, number))
		return;
	copy_word(group, word, front);
	put_number(counters, group, word + front, number);
}

void counters_begin(struct counters *counters, struct netstate_text *text)
{
	*counters = (struct counters){.text = text};
	put_words(counters, "{");
}

void counters_put(struct counters *counters, const char *file, size_t size)
{
	struct piece left = {file, file + size}, line, below;
	char word[NAME_SIZE], again[NAME_SIZE];

	while (next_line(&left, &line)) {
		size_t length = cut_word(&line, word) ? strlen(word) : 0;

		if (length < 2)
			continue;
		if (word[length - 1] != ':') {
			put_named(counters, word, line);
		} else if (next_line(&left, &below) && cut_word(&below, again) && strcmp(word, again) == 0) {
			word[length - 1] = '\0';
			put_pair(counters, word, line, below);
		}
	}
}

void counters_end(struct counters *counters)
{
	put_words(counters, *counters->group ? "}}\n" : "}\n");
	if (counters->text->errnum)
		counters->text->used = 0;
}
