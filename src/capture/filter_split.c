#include "capture/filter_split.h"

#include <string.h>

#define SPACE " \t\n\r"

/* What "A or B" may consist of. Outside of it are arithmetic, other spellings of or and and, and escapes. */
static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-:/()!" SPACE;

struct word {
	const char *text;
	size_t length;
};

/* The next word, or a single bracket or '!'; of no length at the end. */
static struct word next_word(const char *at)
{
	struct word word = {at + strspn(at, SPACE), 0};

	word.length = strcspn(word.text, "()!" SPACE);
	if (word.length == 0 && *word.text)
		word.length = 1;
	return word;
}

static bool is(const struct word *word, const char *text)
{
	return word->length == strlen(text) && memcmp(word->text, text, word->length) == 0;
}

static bool is_one_of(const struct word *word, const char *const *list)
{
	while (*list && !is(word, *list))
		list++;
	return *list;
}

/* Has it a meaning that reaches further than to the next "or"? */
static bool reaches_further(const struct word *word)
{
	static const char *const words[] = {"and", "vlan", "mpls", "pppoed", "pppoes", "geneve", "vxlan", NULL};

	return is_one_of(word, words);
}

static bool is_qualifier(const struct word *word)
{
	static const char *const words[] = {"host", "net", "port", "portrange", "src", "dst",  "ether", "ip",
					    "ip6",  "tcp", "udp",  "sctp",	"arp", "icmp", "icmp6", NULL};

	return is_one_of(word, words);
}

/* Does what stands here begin with a qualifier of its own, behind any "not" and brackets? */
static bool stands_alone(const char *at)
{
	struct word word = next_word(at);

	while (is(&word, "(") || is(&word, "!") || is(&word, "not"))
		word = next_word(word.text + word.length);
	return is_qualifier(&word);
}

/* The end of the bracket that opens at text, or NULL. */
static const char *end_of_bracket(const char *text)
{
	int depth = 0;

	for (; *text; text++) {
		depth += *text == '(';
		depth -= *text == ')';
		if (depth == 0)
			return text;
	}
	return NULL;
}

/* Is all of it "not ( ... )"? Then the length of what is inside, else 0. */
static size_t negated_list(const char *text, const char **inside)
{
	struct word no = next_word(text), bracket = next_word(no.text + no.length);
	const char *end;

	if ((!is(&no, "not") && !is(&no, "!")) || !is(&bracket, "("))
		return 0;
	end = end_of_bracket(bracket.text);
	if (!end || end[1 + strspn(end + 1, SPACE)])
		return 0;
	*inside = bracket.text + 1;
	return (size_t)(end - *inside);
}

static bool is_plain(const char *text, size_t length)
{
	return strspn(text, plain) >= length;
}

static void add_part(struct filter_split *terms, const char *from, const char *end)
{
	terms->parts[terms->count++] = (struct filter_split_part){from, (size_t)(end - from)};
}

/* False where the list reaches further than it may. */
static bool split_list(const char *text, const char *end, struct filter_split *terms)
{
	const char *from = text;
	unsigned alternatives = 0;
	struct word before = {"", 0};
	int depth = 0;

	for (struct word word = next_word(text); word.length && word.text < end;
	     before = word, word = next_word(word.text + word.length)) {
		const char *behind = word.text + word.length;

		depth += is(&word, "(");
		depth -= is(&word, ")");
		if (depth < 0 || reaches_further(&word))
			return false;
		if (depth > 0 || !is(&word, "or") || is(&before, "src") /* or dst */ ||
		    ++alternatives < FILTER_SPLIT_PART || !stands_alone(behind) ||
		    terms->count == FILTER_SPLIT_PARTS - 1)
			continue;
		add_part(terms, from, word.text);
		from = behind;
		alternatives = 0;
	}
	add_part(terms, from, end);
	return depth == 0;
}

void filter_split(const char *text, struct filter_split *terms)
{
	const char *list = text;
	size_t length = negated_list(text, &list);

	terms->negated = length > 0;
	terms->count = 0;
	if (!length)
		length = strlen(text);
	if (is_plain(list, length) && split_list(list, list + length, terms) && terms->count > 1)
		return;
	terms->negated = false;
	terms->count = 0;
	add_part(terms, text, text + strlen(text));
}
