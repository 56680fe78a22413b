#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "archive/encrypt.h"
#include "archive/hkdf.h"

/*
 * The published vectors of the age format, https://c2sp.org/CCTV/age: x25519, x25519_multiple_recipients, and the
 * stream_* of whole chunks. Their randomness is a stream of ChaCha20 (internal/testkit), so what is encrypted here is
 * the same to the last byte.
 */
static const char x25519[] = "age-encryption.org/v1\n"
			     "-> X25519 TEiF0ypqr+bpvcqXNyCVJpL7OuwPdVwPL7KQEbFDOCc\n"
			     "hjabGXwSLQ9c3S6Lw2i+S2Tu2fiwQHHslbBN6B41FLE\n"
			     "--- WyJp9F/9FOZh7gJdheq2WIJcwHgYc8NIVh3ddwhrcNg\n"
			     "\xee\xcf\x62\xc7\xce\x91\xb4\x33\x27\x4e\x68\xd4\xf2\xf9\x13\x4c";
static const unsigned char x25519_payload[] = {0xb7, 0x4c, 0x5b, 0xfe, 0xf7, 0xbe, 0xaa, 0x52, 0xc8, 0xf0,
					       0xbc, 0x0e, 0x99, 0x2c, 0x1e, 0x83, 0x31, 0xfb, 0x66};
static const char two[] = "age-encryption.org/v1\n"
			  "-> X25519 ajtqAvDEkVNr2B7zUOtq2mAQXDSBlNrVAuM/dKb5sT4\n"
			  "0evrK/HQXVsQ4YaDe+659l5OQzvAzD2ytLGHQLQiqxg\n"
			  "-> X25519 0qC7u6AbLxuwnM8tPFOWVtWZn/ZZe7z7gcsP5kgA0FI\n"
			  "Y3OzevLm23Vx7PN9k33F9y+ercWe/bcZJLqhqA3h408\n"
			  "--- 855pKblQzZ3oabDowxRDQvSj/xo47ZSh5WTjkmK0I0U\n"
			  "\xf0\xb8\x18\xbe\x0f\x35\x54\x42\x39\x99\x20\xad\x80\x84\x96\x4b";

#define CODE(...) \
	{ \
		__VA_ARGS__ \
	}
static const unsigned char first_of_more[] =
	CODE(0xe2, 0xec, 0x97, 0x14, 0x62, 0xbe, 0x22, 0x7b, 0x4c, 0x16, 0x21, 0x56, 0xce, 0x7e, 0x82, 0x1d);
static const unsigned char second_of_more[] =
	CODE(0x7f, 0x04, 0x2d, 0xff, 0x9d, 0x30, 0x3c, 0x15, 0x5d, 0xc3, 0x92, 0xdc, 0x31, 0x8f, 0x31, 0x73);
static const unsigned char last_of_one[] =
	CODE(0xa5, 0x77, 0x0c, 0x90, 0x19, 0x88, 0x15, 0xdd, 0xed, 0xd1, 0x32, 0x7e, 0x1d, 0x2d, 0xe0, 0x18);
static const unsigned char last_of_two[] =
	CODE(0xe4, 0x39, 0x22, 0xe2, 0x39, 0xbd, 0x89, 0xfe, 0x86, 0x28, 0xa2, 0x86, 0x45, 0x0a, 0xc4, 0x15);
static const unsigned char last_of_three[] =
	CODE(0xf9, 0x10, 0xc9, 0x9b, 0x33, 0x86, 0x93, 0x74, 0xd3, 0x53, 0xf6, 0xfc, 0xc7, 0x3e, 0x1a, 0x43);

/* --- the vectors' randomness --- */

static size_t drawn;
static bool keyed;

static int stream_bytes(void *bytes, size_t size)
{
	static const unsigned char nonce[12], key[] = "TEST RANDOMNESS TEST RANDOMNESS!";
	unsigned char stream[1024];

	assert_true(drawn + size <= sizeof(stream));
	assert_int_equal(crypto_stream_chacha20_ietf(stream, sizeof(stream), nonce, key), 0);
	memcpy(bytes, stream + drawn, size);
	drawn += size;
	return 0;
}

/* What is drawn first is the file's key. */
static int test_random(void *bytes, size_t size)
{
	if (keyed)
		return stream_bytes(bytes, size);
	assert_int_equal(size, 16);
	memcpy(bytes, "YELLOW SUBMARINE", 16);
	keyed = true;
	return 0;
}

static int no_random(void *bytes, size_t size)
{
	(void)bytes, (void)size;
	errno = EIO;
	return -1;
}

static void begin_randomness(void)
{
	drawn = 0;
	keyed = false;
}

static void add_public(struct recipients *recipients, const unsigned char secret[32])
{
	static const unsigned char base[32] = {9};

	assert_int_equal(crypto_scalarmult_curve25519(recipients->list[recipients->count++].key, secret, base), 0);
}

/* Of AGE-SECRET-KEY-1EGTZVFFV20835NWYV6270LXYVK2VKNX2MMDKWYKLMGR48UAWX40Q2P2LM0 */
static void add_known(struct recipients *recipients)
{
	static const unsigned char secret[32] = {0xca, 0x16, 0x26, 0x25, 0x2c, 0x53, 0xcf, 0x1a, 0x4d, 0xc4, 0x66,
						 0x95, 0xe7, 0xfc, 0xc4, 0x65, 0x94, 0xcb, 0x4c, 0xca, 0xde, 0xdb,
						 0x67, 0x12, 0xdf, 0xda, 0x07, 0x53, 0xf3, 0xae, 0x35, 0x5e};

	add_public(recipients, secret);
}

/* --- what leaves --- */

struct parts {
	struct outbox outbox;
	struct sink sink;
	struct encrypt *encrypt;
	struct encrypt_members members;
};

static void begin(struct parts *parts, int fd)
{
	struct recipients recipients = {0};
	struct err err = {0};

	memset(parts, 0, sizeof(*parts));
	begin_randomness();
	add_known(&recipients);
	parts->encrypt = encrypt_open(&recipients, test_random, &err);
	assert_non_null(parts->encrypt);
	outbox_init(&parts->outbox);
	assert_int_equal(sink_init(&parts->sink, fd, &err), 0);
}

static size_t put(struct parts *parts, const void *data, size_t size)
{
	struct err err = {0};
	ssize_t sent;

	assert_int_equal(outbox_put_body(&parts->outbox, data, size, &err), 0);
	sent = encrypt_send(parts->encrypt, &parts->outbox, &parts->sink, &parts->members);
	assert_true(sent >= 0);
	return (size_t)sent;
}

static size_t finish(struct parts *parts)
{
	ssize_t sent;

	encrypt_finish(parts->encrypt, &parts->members);
	sent = encrypt_send(parts->encrypt, &parts->outbox, &parts->sink, &parts->members);
	assert_true(sent >= 0);
	assert_true(encrypt_finished(parts->encrypt));
	assert_false(encrypt_waits(parts->encrypt));
	return (size_t)sent;
}

static void expect(int fd, off_t at, const void *bytes, size_t size)
{
	unsigned char *read = malloc(size);

	assert_int_equal(pread(fd, read, size, at), size);
	assert_memory_equal(read, bytes, size);
	free(read);
}

/* RFC 5869, appendix A.1 to A.3: the first block of what comes out. */
static void keys(void **state)
{
	unsigned char secret[80], salt[80], key[HKDF_SIZE];
	char info[81] = "";
	static const unsigned char a1[] = {0x3c, 0xb2, 0x5f, 0x25, 0xfa, 0xac, 0xd5, 0x7a, 0x90, 0x43, 0x4f,
					   0x64, 0xd0, 0x36, 0x2f, 0x2a, 0x2d, 0x2d, 0x0a, 0x90, 0xcf, 0x1a,
					   0x5a, 0x4c, 0x5d, 0xb0, 0x2d, 0x56, 0xec, 0xc4, 0xc5, 0xbf};
	static const unsigned char a2[] = {0xb1, 0x1e, 0x39, 0x8d, 0xc8, 0x03, 0x27, 0xa1, 0xc8, 0xe7, 0xf7,
					   0x8c, 0x59, 0x6a, 0x49, 0x34, 0x4f, 0x01, 0x2e, 0xda, 0x2d, 0x4e,
					   0xfa, 0xd8, 0xa0, 0x50, 0xcc, 0x4c, 0x19, 0xaf, 0xa9, 0x7c};
	static const unsigned char a3[] = {0x8d, 0xa4, 0xe7, 0x75, 0xa5, 0x63, 0xc1, 0x8f, 0x71, 0x5f, 0x80,
					   0x2a, 0x06, 0x3c, 0x5a, 0x31, 0xb8, 0xa1, 0x1f, 0x5c, 0x5e, 0xe1,
					   0x87, 0x9e, 0xc3, 0x45, 0x4e, 0x5f, 0x3c, 0x73, 0x8d, 0x2d};
	struct hkdf hkdf = {secret, 22, salt, 13, info};

	(void)state;
	memset(secret, 0x0b, 22);
	for (int i = 0; i < 80; i++)
		salt[i] = (unsigned char)i;
	for (int i = 0; i < 10; i++)
		info[i] = (char)(0xf0 + i);
	hkdf_derive(&hkdf, key);
	assert_memory_equal(key, a1, sizeof(a1));
	hkdf = (struct hkdf){secret, 22, NULL, 0, ""};
	hkdf_derive(&hkdf, key);
	assert_memory_equal(key, a3, sizeof(a3));
	for (int i = 0; i < 80; i++) {
		secret[i] = (unsigned char)i;
		salt[i] = (unsigned char)(0x60 + i);
		info[i] = (char)(0xb0 + i);
	}
	hkdf = (struct hkdf){secret, 80, salt, 80, info};
	hkdf_derive(&hkdf, key);
	assert_memory_equal(key, a2, sizeof(a2));
}

static void published_file(void **state)
{
	int fd = memfd_create("encrypt", 0);
	struct parts parts;

	(void)state;
	begin(&parts, fd);
	assert_int_equal(put(&parts, "age", 3), sizeof(x25519) - 1); /* the header leaves at once */
	assert_int_equal(finish(&parts), sizeof(x25519_payload));
	expect(fd, 0, x25519, sizeof(x25519) - 1);
	expect(fd, sizeof(x25519) - 1, x25519_payload, sizeof(x25519_payload));
	encrypt_close(parts.encrypt);
	close(fd);
}

static void published_header_for_two(void **state)
{
	struct recipients recipients = {0};
	struct age_header header;
	unsigned char key[AGE_KEY_SIZE], other[32];
	struct err err = {0};

	(void)state;
	begin_randomness();
	stream_bytes(other, sizeof(other)); /* the first recipient's secret key */
	add_public(&recipients, other);
	add_known(&recipients);
	assert_int_equal(age_header_make(&header, &recipients, test_random, key, &err), 0);
	assert_int_equal(header.size, sizeof(two) - 1);
	assert_memory_equal(header.bytes, two, sizeof(two) - 1);
}

/*
 * What the vectors of whole chunks encrypt becomes zeros: it is ChaCha20's own stream for each chunk, so that they can
 * be packed. Put in pieces of any size.
 */
static void published_chunks(size_t count, size_t piece, const unsigned char *const codes[])
{
	static unsigned char plain[3 * ENCRYPT_CHUNK];
	static const unsigned char zeros[ENCRYPT_CHUNK];
	struct hkdf hkdf = {"YELLOW SUBMARINE", 16, x25519 + sizeof(x25519) - 1 - 16, 16, "payload"};
	unsigned char key[HKDF_SIZE], nonce[12] = {0};
	off_t at = sizeof(x25519) - 1;
	int fd = memfd_create("encrypt", 0);
	struct parts parts;

	hkdf_derive(&hkdf, key);
	memset(plain, 0, sizeof(plain));
	for (size_t i = 0; i < count; i++) {
		nonce[10] = (unsigned char)i;
		nonce[11] = i + 1 == count;
		crypto_stream_chacha20_ietf_xor_ic(plain + i * ENCRYPT_CHUNK, plain + i * ENCRYPT_CHUNK, ENCRYPT_CHUNK,
						   nonce, 1, key);
	}
	begin(&parts, fd);
	for (size_t done = 0; done < count * ENCRYPT_CHUNK; done += piece) {
		size_t left = count * ENCRYPT_CHUNK - done;

		put(&parts, plain + done, left < piece ? left : piece);
	}
	finish(&parts);
	assert_int_equal(lseek(fd, 0, SEEK_END), at + (off_t)(count * (ENCRYPT_CHUNK + ENCRYPT_CODE)));
	for (size_t i = 0; i < count; i++, at += (off_t)(ENCRYPT_CHUNK + ENCRYPT_CODE)) {
		expect(fd, at, zeros, sizeof(zeros));
		expect(fd, at + (off_t)ENCRYPT_CHUNK, codes[i], ENCRYPT_CODE);
	}
	encrypt_close(parts.encrypt);
	close(fd);
}

static void published_streams(void **state)
{
	static const size_t pieces[] = {
		1000, 4096, ENCRYPT_CHUNK - 1, ENCRYPT_CHUNK, ENCRYPT_CHUNK + 1, 3 * ENCRYPT_CHUNK};
	static const unsigned char *const one[] = {last_of_one}, *const two_codes[] = {first_of_more, last_of_two},
					  *const three[] = {first_of_more, second_of_more, last_of_three};

	(void)state;
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		published_chunks(1, pieces[i], one);
		published_chunks(2, pieces[i], two_codes);
		published_chunks(3, pieces[i], three);
	}
}

/* A full chunk may be the last: it waits until there is more, or the end. What is complete in what left is known. */
static void a_full_chunk_waits(void **state)
{
	static unsigned char plain[ENCRYPT_CHUNK];
	int fd = memfd_create("encrypt", 0);
	uint64_t front = sizeof(x25519) - 1;
	struct parts parts;

	(void)state;
	begin(&parts, fd);
	assert_true(encrypt_waits(parts.encrypt)); /* the header */
	assert_int_equal(put(&parts, plain, ENCRYPT_CHUNK), front);
	assert_int_equal(encrypt_whole(parts.encrypt), front);
	assert_false(encrypt_waits(parts.encrypt));
	parts.members = (struct encrypt_members){2, 20};
	assert_int_equal(encrypt_delivered(parts.encrypt).files, 0);
	assert_int_equal(put(&parts, plain, 1), ENCRYPT_CHUNK + ENCRYPT_CODE);
	assert_int_equal(encrypt_delivered(parts.encrypt).files, 2);
	assert_int_equal(encrypt_delivered(parts.encrypt).packets, 20);
	assert_int_equal(encrypt_whole(parts.encrypt), front + ENCRYPT_CHUNK + ENCRYPT_CODE);
	parts.members = (struct encrypt_members){3, 21};
	assert_int_equal(finish(&parts), 1 + ENCRYPT_CODE);
	assert_int_equal(encrypt_delivered(parts.encrypt).files, 3);
	encrypt_close(parts.encrypt);
	close(fd);
}

/* A pipe takes a part: the rest waits, and what is in a chunk that has not left is not said to be delivered. */
static void a_slow_reader(void **state)
{
	static unsigned char plain[4 * ENCRYPT_CHUNK], bytes[65536];
	size_t left = 3 * (ENCRYPT_CHUNK + ENCRYPT_CODE) + sizeof(x25519) - 1, got = 0, sent;
	struct parts parts;
	int ends[2];
	ssize_t n;

	(void)state;
	assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
	begin(&parts, ends[1]);
	assert_true(fcntl(ends[1], F_SETPIPE_SZ, 65536) > 0);
	sent = put(&parts, plain, sizeof(plain));
	assert_true(sent < left && encrypt_waits(parts.encrypt) && parts.outbox.started);
	assert_int_equal(encrypt_send(parts.encrypt, &parts.outbox, &parts.sink, &parts.members), 0);
	assert_true(encrypt_whole(parts.encrypt) <= sent);
	while (got < left) {
		n = read(ends[0], bytes, sizeof(bytes));
		assert_true(n > 0);
		got += (size_t)n;
		n = encrypt_send(parts.encrypt, &parts.outbox, &parts.sink, &parts.members);
		assert_true(n >= 0);
		sent += (size_t)n;
	}
	assert_int_equal(got, left);
	assert_int_equal(sent, left);
	assert_true(outbox_empty(&parts.outbox));
	assert_false(encrypt_waits(parts.encrypt));
	close(ends[0]);
	encrypt_finish(parts.encrypt, &parts.members);
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(encrypt_send(parts.encrypt, &parts.outbox, &parts.sink, &parts.members), -EPIPE);
	encrypt_close(parts.encrypt);
	close(ends[1]);
}

/* Zero is a point to which every secret key agrees on zero. */
static void refused(void **state)
{
	struct recipients recipients = {.count = 1, .list = {{.text = "age1zero"}}};
	struct err err = {0};

	(void)state;
	assert_null(encrypt_open(&recipients, test_random, &err));
	assert_int_equal(err.status, STATUS_USAGE);
	assert_non_null(strstr(err.text, "age1zero"));
	err = (struct err){0};
	recipients.count = 0;
	add_known(&recipients);
	assert_null(encrypt_open(&recipients, no_random, &err));
	assert_int_equal(err.status, STATUS_FAILED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys),
		cmocka_unit_test(published_file),
		cmocka_unit_test(published_header_for_two),
		cmocka_unit_test(published_streams),
		cmocka_unit_test(a_full_chunk_waits),
		cmocka_unit_test(a_slow_reader),
		cmocka_unit_test(refused),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests_name("encrypt", tests, NULL, NULL);
}
