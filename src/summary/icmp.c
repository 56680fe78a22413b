#include "summary/icmp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "summary/table.h"

#define HEADER 8 /* of an error, before what it quotes */

/* One that comes so soon again, on another interface, is the same packet. In ns. */
#define COPY UINT64_C(1000000)

struct icmp {
	struct table *errors;
	struct table *quoted; /* what is quoted, to the first error about it */
	uint64_t cut;	      /* errors that end before what they quote */
};

struct quoted_key {
	struct dissect_end from, to; /* from is without its port */
	uint8_t version, protocol;
};

struct quoted {
	struct quoted_key key;
	uint32_t place; /* of the error */
};

struct icmp *icmp_open(const struct siphash_key *key, struct err *err)
{
	struct icmp *icmp = calloc(1, sizeof(*icmp));

	if (!icmp) {
		err_sys(err, ENOMEM, "memory for ICMP");
		return NULL;
	}
	if ((icmp->errors =
		     table_open(key, sizeof(struct icmp_error_key), sizeof(struct icmp_error), ICMP_ERRORS_MAX, err)) &&
	    (icmp->quoted = table_open(key, sizeof(struct quoted_key), sizeof(struct quoted), ICMP_ERRORS_MAX, err)))
		return icmp;
	icmp_close(icmp);
	return NULL;
}

void icmp_close(struct icmp *icmp)
{
	if (!icmp)
		return;
	table_close(icmp->errors);
	table_close(icmp->quoted);
	free(icmp);
}

/* --- what it says --- */

struct saying {
	uint8_t type, code;
	enum icmp_meaning meaning;
	const char *text;
};

static const struct saying sayings4[] = {
	{3, 0, ICMP_UNREACHABLE, "network unreachable"},       {3, 1, ICMP_UNREACHABLE, "host unreachable"},
	{3, 2, ICMP_PORT_UNREACHABLE, "protocol unreachable"}, {3, 3, ICMP_PORT_UNREACHABLE, "port unreachable"},
	{3, 4, ICMP_TOO_BIG, "fragmentation needed"},	       {3, 5, ICMP_UNREACHABLE, "source route failed"},
	{3, 6, ICMP_UNREACHABLE, "network unknown"},	       {3, 7, ICMP_UNREACHABLE, "host unknown"},
	{3, 9, ICMP_PROHIBITED, "network prohibited"},	       {3, 10, ICMP_PROHIBITED, "host prohibited"},
	{3, 13, ICMP_PROHIBITED, "communication prohibited"},  {11, 0, ICMP_TIME_EXCEEDED, "time to live exceeded"},
	{11, 1, ICMP_REASSEMBLY, "reassembly time exceeded"},  {12, 0, ICMP_PARAMETER, "parameter problem"},
};

static const struct saying sayings6[] = {
	{1, 0, ICMP_UNREACHABLE, "no route"},
	{1, 1, ICMP_PROHIBITED, "communication prohibited"},
	{1, 2, ICMP_UNREACHABLE, "beyond scope of the source"},
	{1, 3, ICMP_UNREACHABLE, "address unreachable"},
	{1, 4, ICMP_PORT_UNREACHABLE, "port unreachable"},
	{1, 5, ICMP_PROHIBITED, "source address failed the policy"},
	{1, 6, ICMP_PROHIBITED, "route rejected"},
	{2, 0, ICMP_TOO_BIG, "packet too big"},
	{3, 0, ICMP_TIME_EXCEEDED, "hop limit exceeded"},
	{3, 1, ICMP_REASSEMBLY, "reassembly time exceeded"},
	{4, 0, ICMP_PARAMETER, "parameter problem"},
	{4, 1, ICMP_PARAMETER, "unknown next header"},
	{4, 2, ICMP_PARAMETER, "unknown option"},
};

static const struct saying *saying_of(uint8_t version, uint8_t type, uint8_t code)
{
	const struct saying *list = version == 4 ? sayings4 : sayings6;
	size_t count = version == 4 ? sizeof(sayings4) / sizeof(sayings4[0]) : sizeof(sayings6) / sizeof(sayings6[0]);

	for (size_t i = 0; i < count; i++) {
		if (list[i].type == type && list[i].code == code)
			return &list[i];
	}
	return NULL;
}

const char *icmp_says(const struct icmp_error *error, char spare[32])
{
	const struct saying *saying = saying_of(error->key.version, error->key.type, error->key.code);

	if (saying)
		return saying->text;
	snprintf(spare, 32, "type %u, code %u", error->key.type, error->key.code);
	return spare;
}

static bool is_error(uint8_t version, uint8_t type)
{
	return version == 4 ? type == 3 || type == 11 || type == 12 : type >= 1 && type <= 4;
}

/* A code that isn't known means what most of its type do. */
static enum icmp_meaning meaning_of(uint8_t version, uint8_t type, uint8_t code)
{
	const struct saying *saying = saying_of(version, type, code);

	if (!saying)
		saying = saying_of(version, type, 0);
	return saying ? saying->meaning : ICMP_PARAMETER;
}

/* RFC 1191, section 4: the second half of the header's rest; RFC 4443, section 3.2: all of it. */
static uint16_t mtu_of(uint8_t version, const unsigned char *message)
{
	if (version == 6 && (message[4] || message[5]))
		return UINT16_MAX;
	return (uint16_t)(message[6] << 8 | message[7]);
}

/* --- packets --- */

static void add_port(struct icmp_error *error, uint16_t port)
{
	for (size_t i = 0; i < error->from_count; i++) {
		if (error->from[i] == port)
			return;
	}
	if (error->from_count < ICMP_PORTS)
		error->from[error->from_count++] = port;
}

static bool is_copy(const struct icmp_error *error, const struct sighting *sighting)
{
	return error->count && sighting->place.time - error->last < COPY &&
	       (error->interface != sighting->interface || error->device != sighting->headers->device);
}

static void count_error(struct icmp_error *error, const struct sighting *sighting, const struct dissected *quoted)
{
	uint16_t mtu = 0;

	if (is_copy(error, sighting))
		return;
	if (error->count++ == 0)
		error->first = sighting->place;
	error->last = sighting->place.time;
	error->interface = sighting->interface;
	error->device = sighting->headers->device;
	error->meaning = meaning_of(error->key.version, error->key.type, error->key.code);
	if (error->meaning == ICMP_TOO_BIG)
		mtu = mtu_of(error->key.version, sighting->headers->upper);
	if (mtu && (!error->mtu || mtu < error->mtu))
		error->mtu = mtu;
	error->ports |= quoted->ports;
	if (quoted->ports)
		add_port(error, quoted->from.port);
}

static void remember(struct icmp *icmp, const struct icmp_error *error)
{
	struct quoted_key key = {error->key.from, error->key.to, error->key.version, error->key.protocol};
	struct quoted *quoted;

	_Static_assert(sizeof(key) == 38, "no holes, which would be hashed");
	quoted = table_take(icmp->quoted, &key);
	if (quoted && !quoted->place)
		quoted->place = (uint32_t)table_place(icmp->errors, error) + 1;
}

bool icmp_add(struct icmp *icmp, const struct sighting *sighting, struct dissected *quoted)
{
	const struct dissected *headers = sighting->headers;
	struct icmp_error_key key = {0};
	struct icmp_error *error;

	if (headers->protocol != (headers->version == 4 ? PROTOCOL_ICMP : PROTOCOL_ICMPV6) || !headers->upper ||
	    headers->upper_size <= HEADER || !is_error(headers->version, headers->upper[0]))
		return false;
	/* It may be cut wherever its sender liked: how long it was is not asked. */
	dissect(quoted, LINK_RAW, headers->upper + HEADER, headers->upper_size - HEADER, headers->upper_size - HEADER);
	if (quoted->version != headers->version) {
		icmp->cut += headers->upper_size < headers->upper_length;
		return false;
	}
	key.from = quoted->from;
	key.from.port = 0;
	key.to = quoted->to;
	memcpy(key.by, headers->from.address, sizeof(key.by));
	key.version = headers->version;
	key.protocol = quoted->protocol;
	key.type = headers->upper[0];
	key.code = headers->upper[1];
	_Static_assert(sizeof(key) == 56, "no holes, which would be hashed");
	error = table_take(icmp->errors, &key);
	if (error) {
		count_error(error, sighting, quoted);
		remember(icmp, error);
	}
	return true;
}

const struct icmp_error *icmp_quoting(const struct icmp *icmp, uint8_t version, uint8_t protocol,
				      const struct dissect_end *from, const struct dissect_end *to)
{
	struct quoted_key key = {*from, *to, version, protocol};
	const struct quoted *quoted;

	key.from.port = 0;
	quoted = table_find(icmp->quoted, &key);
	return quoted ? table_at(icmp->errors, quoted->place - 1) : NULL;
}

size_t icmp_count(const struct icmp *icmp)
{
	return table_count(icmp->errors);
}

const struct icmp_error *icmp_at(const struct icmp *icmp, size_t i)
{
	return table_at(icmp->errors, i);
}

uint64_t icmp_cut(const struct icmp *icmp)
{
	return icmp->cut;
}

uint64_t icmp_left_out(const struct icmp *icmp)
{
	return table_left_out(icmp->errors);
}
