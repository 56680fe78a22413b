#include "summary/dns_message.h"

#include <stdio.h>

#define HEADER 12
#define LABEL_MAX 63

static uint16_t short_at(const unsigned char *data, size_t at)
{
	return (uint16_t)(data[at] << 8 | data[at + 1]);
}

/* A dot inside of a label would read as two labels. */
static char printable(unsigned char byte)
{
	char character = '?';

	if (byte > ' ' && byte <= '~' && byte != '.')
		character = (char)byte;
	return character;
}

/*
 * The labels at *at as text, and *at behind them. A question has no pointer: there is nothing before it to point to
 * (RFC 1035, section 4.1.4).
 */
static bool read_name(char name[DNS_NAME_SIZE], const unsigned char *data, size_t size, size_t *at)
{
	size_t used = 0;

	while (*at < size && data[*at] != 0) {
		size_t length = data[*at];

		if (length > LABEL_MAX || length >= size - *at || used + length + 1 >= DNS_NAME_SIZE)
			return false;
		for (size_t i = 1; i <= length; i++)
			name[used++] = printable(data[*at + i]);
		name[used++] = '.';
		*at += length + 1;
	}
	if (used == 0)
		name[used++] = '.';
	else if (used > 1)
		used--;
	name[used] = '\0';
	return (*at)++ < size;
}

bool dns_message_read(struct dns_message *message, const unsigned char *data, size_t size)
{
	size_t at = HEADER;
	uint16_t flags;

	if (size < HEADER)
		return false;
	flags = short_at(data, 2);
	*message = (struct dns_message){
		.id = short_at(data, 0),
		.answer = flags & 0x8000,
		.truncated = flags & 0x0200,
		.code = flags & 15,
		.answers = short_at(data, 6),
	};
	/* A query (opcode 0) with one question; what is asked has no code and no answers. */
	if (flags & 0x7800 || short_at(data, 4) != 1 || (!message->answer && (message->code || message->answers)))
		return false;
	if (!read_name(message->name, data, size, &at) || size - at < 4)
		return false;
	message->type = short_at(data, at);
	return true;
}

/* Further ones are for updates, or the lower bits of what an OPT record says: 7 is BADCOOKIE's (RFC 6891, 7873). */
const char *dns_code_name(uint8_t code, char spare[16])
{
	static const char names[][10] = {"NOERROR",  "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED",
					 "YXDOMAIN", "YXRRSET", "NXRRSET",  "NOTAUTH",	"NOTZONE"};

	if (code < sizeof(names) / sizeof(names[0]))
		return names[code];
	snprintf(spare, 16, "code %u", code);
	return spare;
}

const char *dns_type_name(uint16_t type, char spare[16])
{
	static const struct {
		uint16_t type;
		char name[6];
	} names[] = {{1, "A"},	  {2, "NS"},	{5, "CNAME"}, {6, "SOA"},   {12, "PTR"},   {15, "MX"},
		     {16, "TXT"}, {28, "AAAA"}, {33, "SRV"},  {64, "SVCB"}, {65, "HTTPS"}, {255, "ANY"}};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (names[i].type == type)
			return names[i].name;
	}
	snprintf(spare, 16, "TYPE%u", type);
	return spare;
}
