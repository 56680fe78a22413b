#include "archive/age_header.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "archive/hkdf.h"

#define FILE_KEY_SIZE 16
#define POINT_SIZE RECIPIENT_KEY_SIZE
#define WRAPPED_SIZE (FILE_KEY_SIZE + crypto_aead_chacha20poly1305_ietf_ABYTES)
#define BASE64_SIZE 44 /* of 32 bytes without padding, with the end */

/* What goes into a stanza, and is wiped behind it. */
struct wrapping {
	unsigned char secret[POINT_SIZE], share[POINT_SIZE]; /* an ephemeral key, and its public one */
	unsigned char shared[POINT_SIZE];
	unsigned char key[HKDF_SIZE];
};

static void append(struct age_header *header, const void *bytes, size_t size)
{
	memcpy(header->bytes + header->size, bytes, size);
	header->size += size;
}

static void append_text(struct age_header *header, const char *text)
{
	append(header, text, strlen(text));
}

/* A line's end behind it: 43 letters are less than the 64 at which a line is to be broken. */
static void append_base64(struct age_header *header, const unsigned char bytes[32])
{
	char text[BASE64_SIZE];

	append_text(header,
		    sodium_bin2base64(text, sizeof(text), bytes, 32, sodium_base64_VARIANT_ORIGINAL_NO_PADDING));
	append_text(header, "\n");
}

static int draw(age_random *random, void *bytes, size_t size, struct err *err)
{
	return random(bytes, size) < 0 ? err_sys(err, errno, "random bytes for a key") : 0;
}

static int agree(struct wrapping *wrapping, const struct recipient *recipient, struct err *err)
{
	static const unsigned char base[POINT_SIZE] = {9}; /* RFC 7748, section 6.1 */

	if (crypto_scalarmult_curve25519(wrapping->share, wrapping->secret, base) < 0 ||
	    crypto_scalarmult_curve25519(wrapping->shared, wrapping->secret, recipient->key) < 0)
		return err_set(err, STATUS_USAGE, "recipient %s: nobody can have the key to it", recipient->text);
	return 0;
}

static void derive_wrapping_key(struct wrapping *wrapping, const struct recipient *recipient)
{
	unsigned char salt[2 * POINT_SIZE];
	const struct hkdf hkdf = {wrapping->shared, sizeof(wrapping->shared), salt, sizeof(salt),
				  "age-encryption.org/v1/X25519"};

	memcpy(salt, wrapping->share, POINT_SIZE);
	memcpy(salt + POINT_SIZE, recipient->key, POINT_SIZE);
	hkdf_derive(&hkdf, wrapping->key);
}

/* The key is used once, so its nonce is zero. */
static void append_wrapped(struct age_header *header, const struct wrapping *wrapping,
			   const unsigned char file_key[FILE_KEY_SIZE])
{
	static const unsigned char nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];
	unsigned char wrapped[WRAPPED_SIZE];

	crypto_aead_chacha20poly1305_ietf_encrypt(wrapped, NULL, file_key, FILE_KEY_SIZE, NULL, 0, NULL, nonce,
						  wrapping->key);
	append_base64(header, wrapped);
}

static int append_stanza(struct age_header *header, const struct recipient *recipient,
			 const unsigned char file_key[FILE_KEY_SIZE], age_random *random, struct err *err)
{
	struct wrapping wrapping;
	int result = draw(random, wrapping.secret, sizeof(wrapping.secret), err);

	if (result == 0 && (result = agree(&wrapping, recipient, err)) == 0) {
		derive_wrapping_key(&wrapping, recipient);
		append_text(header, "-> X25519 ");
		append_base64(header, wrapping.share);
		append_wrapped(header, &wrapping, file_key);
	}
	sodium_memzero(&wrapping, sizeof(wrapping));
	return result;
}

/* Over all before it, and the "---" of its own line. */
static void append_code(struct age_header *header, const unsigned char file_key[FILE_KEY_SIZE])
{
	const struct hkdf hkdf = {file_key, FILE_KEY_SIZE, NULL, 0, "header"};
	unsigned char key[HKDF_SIZE], code[crypto_auth_hmacsha256_BYTES];

	append_text(header, "---");
	hkdf_derive(&hkdf, key);
	crypto_auth_hmacsha256(code, header->bytes, header->size, key);
	sodium_memzero(key, sizeof(key));
	append_text(header, " ");
	append_base64(header, code);
}

static int append_all(struct age_header *header, const struct recipients *recipients,
		      const unsigned char file_key[FILE_KEY_SIZE], age_random *random, struct err *err)
{
	append_text(header, "age-encryption.org/v1\n");
	for (unsigned i = 0; i < recipients->count; i++) {
		if (append_stanza(header, &recipients->list[i], file_key, random, err) < 0)
			return -1;
	}
	append_code(header, file_key);
	return 0;
}

int age_header_make(struct age_header *header, const struct recipients *recipients, age_random *random,
		    unsigned char key[AGE_KEY_SIZE], struct err *err)
{
	unsigned char file_key[FILE_KEY_SIZE], nonce[AGE_NONCE_SIZE];
	const struct hkdf hkdf = {file_key, sizeof(file_key), nonce, sizeof(nonce), "payload"};
	int result = draw(random, file_key, sizeof(file_key), err);

	header->size = 0;
	if (result == 0 && (result = append_all(header, recipients, file_key, random, err)) == 0)
		result = draw(random, nonce, sizeof(nonce), err);
	if (result == 0) {
		append(header, nonce, sizeof(nonce));
		hkdf_derive(&hkdf, key);
	}
	sodium_memzero(file_key, sizeof(file_key));
	return result;
}
