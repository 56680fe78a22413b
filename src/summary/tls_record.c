#include "summary/tls_record.h"

#include <stdio.h>
#include <string.h>

enum {
	RECORD_ALERT = 21,
	RECORD_HANDSHAKE = 22,
	CLIENT_HELLO = 1,
	SERVER_HELLO = 2,
	EXTENSION_SERVER_NAME = 0,
	ALERT_FATAL = 2,
};

struct cursor {
	const unsigned char *at;
	size_t left;
};

static bool skip(struct cursor *cursor, size_t size)
{
	if (size > cursor->left)
		return false;
	cursor->at += size;
	cursor->left -= size;
	return true;
}

/* The number of the next bytes, and behind them. */
static bool take_number(struct cursor *cursor, size_t bytes, size_t *number)
{
	const unsigned char *at = cursor->at;

	if (!skip(cursor, bytes))
		return false;
	*number = 0;
	for (size_t i = 0; i < bytes; i++)
		*number = *number << 8 | at[i];
	return true;
}

/* Past a vector that begins with its length in bytes. */
static bool skip_vector(struct cursor *cursor, size_t bytes)
{
	size_t length;

	return take_number(cursor, bytes, &length) && skip(cursor, length);
}

static char printable(unsigned char byte)
{
	char character = '?';

	if (byte > ' ' && byte <= '~')
		character = (char)byte;
	return character;
}

/* A list of names; there is one type of them, host_name, and one of that type. */
static void read_server_name(struct tls_record *record, struct cursor cursor)
{
	size_t length, type;

	if (!take_number(&cursor, 2, &length) || !take_number(&cursor, 1, &type) || type != 0 ||
	    !take_number(&cursor, 2, &length) || length > cursor.left || length >= TLS_NAME_SIZE)
		return;
	for (size_t i = 0; i < length; i++)
		record->name[i] = printable(cursor.at[i]);
	record->name[length] = '\0';
}

/* The cursor is behind the handshake's header: version, random, session, ciphers, compression, extensions. */
static void read_client_hello(struct tls_record *record, struct cursor cursor)
{
	size_t length, type;

	if (!skip(&cursor, 2 + 32) || !skip_vector(&cursor, 1) || !skip_vector(&cursor, 2) ||
	    !skip_vector(&cursor, 1) || !take_number(&cursor, 2, &length))
		return;
	while (take_number(&cursor, 2, &type) && take_number(&cursor, 2, &length) && length <= cursor.left) {
		if (type == EXTENSION_SERVER_NAME) {
			read_server_name(record, (struct cursor){cursor.at, length});
			return;
		}
		skip(&cursor, length);
	}
}

/* 2 bytes are an alert in clear: what is encrypted is longer. */
static enum tls_content read_alert(struct tls_record *record, const struct cursor *cursor, size_t length)
{
	if (length != 2 || cursor->left < 2 || cursor->at[0] < 1 || cursor->at[0] > ALERT_FATAL)
		return TLS_NONE;
	record->fatal = cursor->at[0] == ALERT_FATAL;
	record->alert = cursor->at[1];
	return TLS_ALERT;
}

static enum tls_content read_handshake(struct tls_record *record, struct cursor cursor, size_t record_length)
{
	bool whole = record_length <= cursor.left;
	size_t type, length;

	if (!take_number(&cursor, 1, &type) || !take_number(&cursor, 3, &length))
		return TLS_NONE;
	if (type == SERVER_HELLO)
		return TLS_SERVER_HELLO;
	/* No hello is shorter than its version, random and three lengths. */
	if (type != CLIENT_HELLO || length < 2 + 32 + 1 + 2 + 1)
		return TLS_NONE;
	read_client_hello(record, cursor);
	return whole && length + 4 <= record_length ? TLS_CLIENT_HELLO : TLS_PART;
}

enum tls_content tls_record_read(struct tls_record *record, const unsigned char *data, size_t size)
{
	struct cursor cursor = {data, size};
	size_t type, version, length;

	record->content = TLS_NONE;
	record->name[0] = '\0';
	/* All versions from SSL 3.0 to TLS 1.3 have 3 as the first byte of theirs. */
	if (!take_number(&cursor, 1, &type) || !take_number(&cursor, 2, &version) || version >> 8 != 3 ||
	    (version & 255) > 4 || !take_number(&cursor, 2, &length))
		return TLS_NONE;
	if (type == RECORD_ALERT)
		record->content = read_alert(record, &cursor, length);
	else if (type == RECORD_HANDSHAKE)
		record->content = read_handshake(record, cursor, length);
	return record->content;
}

const char *tls_alert_name(uint8_t alert, char spare[16])
{
	static const struct {
		uint8_t alert;
		char name[32];
	} names[] = {
		{0, "close_notify"},
		{10, "unexpected_message"},
		{20, "bad_record_mac"},
		{21, "decryption_failed"},
		{22, "record_overflow"},
		{40, "handshake_failure"},
		{42, "bad_certificate"},
		{43, "unsupported_certificate"},
		{44, "certificate_revoked"},
		{45, "certificate_expired"},
		{46, "certificate_unknown"},
		{47, "illegal_parameter"},
		{48, "unknown_ca"},
		{49, "access_denied"},
		{50, "decode_error"},
		{51, "decrypt_error"},
		{70, "protocol_version"},
		{71, "insufficient_security"},
		{80, "internal_error"},
		{86, "inappropriate_fallback"},
		{90, "user_canceled"},
		{109, "missing_extension"},
		{110, "unsupported_extension"},
		{112, "unrecognized_name"},
		{113, "bad_certificate_status_response"},
		{115, "unknown_psk_identity"},
		{116, "certificate_required"},
		{120, "no_application_protocol"},
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (names[i].alert == alert)
			return names[i].name;
	}
	snprintf(spare, 16, "alert %u", alert);
	return spare;
}
