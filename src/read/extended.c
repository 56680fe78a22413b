#include "read/extended.h"

#include <string.h>

bool extended_is(unsigned char type)
{
	return type == 'x' || type == 'g' || type == 'L' || type == 'K';
}

/* What is too long, or has a zero byte in its middle, is nobody's name. */
static void take_name(struct extended *extended, const unsigned char *name, size_t length)
{
	if (length >= sizeof(extended->name) || memchr(name, '\0', length))
		length = 0;
	memcpy(extended->name, name, length);
	extended->name[length] = '\0';
}

/* Decimal digits, nothing else, and no more than fit; the rest of pax's numbers are not ours. */
static bool decimal(const unsigned char *digits, size_t length, uint64_t *value)
{
	*value = 0;
	for (size_t i = 0; i < length; i++) {
		if (digits[i] < '0' || digits[i] > '9' || *value > (UINT64_MAX >> 8) / 10)
			return false;
		*value = *value * 10 + (uint64_t)(digits[i] - '0');
	}
	return length > 0;
}

static bool is(const unsigned char *key, size_t length, const char *name)
{
	return length == strlen(name) && memcmp(key, name, length) == 0;
}

/* "path=web/eth0.pcap". An empty value takes back what was said. */
static void take_record(struct extended *extended, const unsigned char *record, size_t length)
{
	const unsigned char *equals = memchr(record, '=', length);
	size_t key, value;

	if (!equals)
		return;
	key = (size_t)(equals - record);
	value = length - key - 1;
	if (is(record, key, "path"))
		take_name(extended, equals + 1, value);
	else if (is(record, key, "size"))
		extended->sized = decimal(equals + 1, value, &extended->size);
}

/* Records are "LENGTH KEY=VALUE\n", where the length counts all of that, its own digits too. */
static void take_pax(struct extended *extended, const unsigned char *data, size_t size)
{
	while (size > 0) {
		const unsigned char *blank = memchr(data, ' ', size < 20 ? size : 20);
		size_t digits = blank ? (size_t)(blank - data) : 0;
		uint64_t length;

		if (!blank || !decimal(data, digits, &length) || length < digits + 2 || length > size ||
		    data[length - 1] != '\n')
			return;
		take_record(extended, blank + 1, (size_t)length - digits - 2);
		data += length;
		size -= (size_t)length;
	}
}

void extended_take(struct extended *extended, unsigned char type, const unsigned char *data, size_t size)
{
	if (type == 'L')
		take_name(extended, data, strnlen((const char *)data, size));
	else if (type != 'K')
		take_pax(extended, data, size);
}
