#include "request/unknown_flag.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "request/guess.h"

#define NAME_SIZE 64

/* What other programs call it, or other commands of ours have; no typing mistake leads there. */
static const struct {
	const char *name, *meant;
} synonyms[] = {
	{"check", "did you mean tarcap join --check?"},
	{"count", "did you mean -c?"},
	{"dev", "did you mean --interface?"},
	{"device", "did you mean --interface?"},
	{"file", "did you mean -w?"},
	{"filter", "the filter comes last, without a flag: tarcap 'tcp port 80'"},
	{"gzip", "did you mean --compress zstd?"},
	{"iface", "did you mean --interface?"},
	{"json", "did you mean tarcap summary --json?"},
	{"live", "did you mean --raw?"},
	{"out", "did you mean -w?"},
	{"output", "did you mean -w?"},
	{"packets", "did you mean -c?"},
	{"pcap", "did you mean --format pcap?"},
	{"pcapng", "did you mean --format pcapng?"},
	{"port", "the filter comes last, without a flag: tarcap 'tcp port 80'"},
	{"read", "did you mean -r?"},
	{"snaplen", "did you mean --snapshot-length?"},
	{"time", "did you mean --duration?"},
	{"timeout", "did you mean --duration?"},
	{"ttl", "did you mean tarcap hold --ttl?"},
	{"write", "did you mean -w?"},
	{"zstd", "did you mean --compress zstd?"},
};

static const char *synonym(const char *name)
{
	for (size_t i = 0; i < sizeof(synonyms) / sizeof(synonyms[0]); i++) {
		if (strcmp(name, synonyms[i].name) == 0)
			return synonyms[i].meant;
	}
	return NULL;
}

static const struct option *exactly(const char *name, const struct option *longs)
{
	for (; longs->name; longs++) {
		if (strcmp(name, longs->name) == 0)
			return longs;
	}
	return NULL;
}

/* How many begin so; and their names as a list, as many as fit. */
static int beginning(const char *name, const struct option *longs, char *list, size_t size)
{
	size_t used = 0;
	int count = 0;

	for (list[0] = '\0'; longs->name; longs++) {
		if (strncmp(longs->name, name, strlen(name)) != 0)
			continue;
		if (used < size)
			used += (size_t)snprintf(list + used, size - used, "%s--%s", count ? ", " : "", longs->name);
		count++;
	}
	return count;
}

static int refuse_long(const char *hint, const char *word, const char *name, const struct option *longs,
		       struct err *err)
{
	const struct option *known = exactly(name, longs);
	const char *meant = synonym(name);
	struct guess guess;
	char list[200];

	if (known && !known->has_arg && strchr(word, '='))
		return err_set(err, STATUS_USAGE, "%.100s: --%s takes no value (see %s)", word, name, hint);
	if (name[0] && beginning(name, longs, list, sizeof(list)) > 1)
		return err_set(err, STATUS_USAGE, "--%s is ambiguous: %s", name, list);
	guess_begin(&guess, name);
	for (const struct option *other = longs; other->name && !meant; other++)
		guess_try(&guess, other->name);
	if (meant)
		return err_set(err, STATUS_USAGE, "unknown flag --%s: %s (see %s)", name, meant, hint);
	if (guess.best)
		return err_set(err, STATUS_USAGE, "unknown flag --%s: did you mean --%s? (see %s)", name, guess.best,
			       hint);
	return err_set(err, STATUS_USAGE, "unknown flag --%s (see %s)", name, hint);
}

int unknown_flag(const char *command, const char *word, int letter, const struct option *longs, struct err *err)
{
	const char *name = word + strspn(word, "-");
	bool two = strncmp(word, "--", 2) == 0;
	char hint[40], bare[NAME_SIZE];

	snprintf(hint, sizeof(hint), "tarcap %s%s--help", command ? command : "", command ? " " : "");
	snprintf(bare, sizeof(bare), "%.*s", (int)(two ? strcspn(name, "=") : strlen(name)), name);
	if (two)
		return refuse_long(hint, word, bare, longs, err);
	if (exactly(bare, longs))
		return err_set(err, STATUS_USAGE, "-%s: did you mean --%s? (see %s)", bare, bare, hint);
	if (letter > ' ' && letter < 0x7f)
		return err_set(err, STATUS_USAGE, "unknown flag -%c (see %s)", letter, hint);
	return err_set(err, STATUS_USAGE, "unknown flag '%.60s' (see %s)", word, hint);
}
