#include "archive/counters.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define NAME_SIZE 64

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

static void put_number(json_t **counters, const char *group, const char *name, const char *number)
{
	json_t *object = json_object_get(*counters, group);
	char *end;
	long long value;

	errno = 0;
	value = strtoll(number, &end, 10);
	if (*end || end == number || errno)
		return;
	if (!object) {
		json_put(counters, group, json_object());
		object = json_object_get(*counters, group);
	}
	/* NULL, where there was no memory: then it fails, too */
	if (object && json_object_set_new(object, name, json_integer(value)) < 0) {
		json_decref(*counters);
		*counters = NULL;
	}
}

/* "Tcp: name name" above "Tcp: number number". */
static void put_pair(json_t **counters, const char *group, struct piece names, struct piece numbers)
{
	char name[NAME_SIZE], number[NAME_SIZE];

	while (cut_word(&names, name) && cut_word(&numbers, number))
		put_number(counters, group, name, number);
}

/* "Udp6InErrors  7" */
static void put_named(json_t **counters, const char *word, struct piece rest)
{
	size_t front = strcspn(word, "6") + 1;
	char group[NAME_SIZE], number[NAME_SIZE];

	if (front >= strlen(word) || !cut_word(&rest, number))
		return;
	copy_word(group, word, front);
	put_number(counters, group, word + front, number);
}

void counters_put(json_t **counters, const char *text, size_t size)
{
	struct piece left = {text, text + size}, line, below;
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

void counters_write(struct netstate_text *text, json_t *counters)
{
	size_t size = json_dumpb(counters, text->text, text->size, JSON_COMPACT | JSON_ENSURE_ASCII);

	json_decref(counters);
	if (size == 0)
		text->errnum = ENOMEM;
	else if (size >= text->size)
		text->errnum = EFBIG;
	else
		text->text[size++] = '\n';
	text->used = text->errnum ? 0 : size;
}
