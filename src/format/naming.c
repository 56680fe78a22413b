#include "format/naming.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static bool strip_end(const char *name, size_t *length, const char *end)
{
	size_t size = strlen(end);

	if (*length < size || memcmp(name + *length - size, end, size) != 0)
		return false;
	*length -= size;
	return true;
}

/* Step back over digits and the '_' in front of them: how many digits; 0: not so. */
static size_t strip_number(const char *name, size_t *length)
{
	size_t at = *length, digits;

	while (at > 0 && isdigit((unsigned char)name[at - 1]))
		at--;
	digits = *length - at;
	if (digits == 0 || at == 0 || name[at - 1] != '_')
		return 0;
	*length = at - 1;
	return digits;
}

/* AppleDouble: what macOS puts beside a file, by the same name behind these two. Our names never begin so. */
static bool is_beside(const char *name)
{
	return name[0] == '.' && name[1] == '_';
}

size_t naming_series(const char *name, uint64_t *number)
{
	size_t length = strlen(name);

	strip_end(name, &length, ".zst");
	if (is_beside(name) || strchr(name, '/') ||
	    (!strip_end(name, &length, ".pcap") && !strip_end(name, &length, ".pcapng")) ||
	    strip_number(name, &length) != 14 || strip_number(name, &length) < 5)
		return 0;
	*number = strtoull(name + length + 1, NULL, 10);
	return length;
}

static bool is_part(const char *name, uint64_t *number)
{
	size_t length = strlen(name);

	if (!strip_end(name, &length, ".json") || strip_number(name, &length) < 5 || length != strlen("manifest") ||
	    memcmp(name, "manifest", length) != 0)
		return false;
	*number = strtoull(name + length + 1, NULL, 10);
	return *number > 0;
}

/* Of the name of a member of the context, how many bytes are its directory; else 0. */
static size_t context_directory(const char *name)
{
	static const char *const directories[] = {"context/start/", "context/end/"};

	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
		if (strncmp(name, directories[i], strlen(directories[i])) == 0)
			return strlen(directories[i]);
	}
	return 0;
}

static bool is_context(const char *name)
{
	size_t directory = context_directory(name);

	return directory > 0 && name[directory] && !is_beside(name + directory) && !strchr(name + directory, '/');
}

const char *naming_begin(const char *path)
{
	const char *name = path, *slash;

	while (!is_context(name) && (slash = strchr(name, '/')))
		name = slash + 1;
	return name;
}

bool naming_is_leftover(const char *path)
{
	return strstr(path, "/PaxHeader") || strncmp(path, "PaxHeader", strlen("PaxHeader")) == 0;
}

bool naming_is_series(const char *series, const char *interface)
{
	size_t i = 0;

	for (; series[i] && interface[i]; i++) {
		unsigned char c = (unsigned char)interface[i];

		if (series[i] != (c < 0x80 && (isalnum(c) || c == '.') ? interface[i] : '-'))
			return false;
	}
	return !series[i] && (!interface[i] || i == NAMING_SERIES_MAX);
}

enum naming_kind naming_kind(const char *name, bool *compressed, uint64_t *number)
{
	size_t length = strlen(name);

	*compressed = strip_end(name, &length, ".zst");
	if (naming_series(name, number) > 0)
		return NAMING_PACKETS;
	*number = 0;
	if (is_context(name))
		return NAMING_CONTEXT;
	if (strcmp(name, "capture.json") == 0)
		return NAMING_CAPTURE;
	return strcmp(name, "manifest.json") == 0 || is_part(name, number) ? NAMING_MANIFEST : NAMING_OTHER;
}
