#include "archive/encrypt.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/pages.h"

#define NONCE_SIZE crypto_aead_chacha20poly1305_ietf_NPUBBYTES
#define LAST_FLAG (NONCE_SIZE - 1)

_Static_assert(AGE_HEADER_MAX <= ENCRYPT_CHUNK, "the header is sent from where the chunks are");
_Static_assert(crypto_aead_chacha20poly1305_ietf_ABYTES == ENCRYPT_CODE, "a code's size");

struct encrypt {
	unsigned char key[AGE_KEY_SIZE];
	unsigned char nonce[NONCE_SIZE]; /* a chunk's number in 11 bytes, and whether it is the last */
	bool finished;
	size_t used;	     /* bytes in the chunk that is being filled */
	size_t sealed, gone; /* bytes that are on their way (then none is being filled), and of these have left */
	uint64_t whole;
	struct encrypt_members in_sealed, delivered;
	unsigned char bytes[ENCRYPT_CHUNK + ENCRYPT_CODE];
};

struct encrypt *encrypt_open(const struct recipients *recipients, age_random *random, struct err *err)
{
	struct encrypt *encrypt = pages_take(sizeof(*encrypt)); /* packets, and the key */
	struct age_header *header = malloc(sizeof(*header));

	if (!encrypt || !header)
		err_sys(err, ENOMEM, "memory for encryption");
	else if (sodium_init() < 0)
		err_set(err, STATUS_FAILED, "libsodium does not start");
	else if (age_header_make(header, recipients, random, encrypt->key, err) == 0) {
		memcpy(encrypt->bytes, header->bytes, header->size);
		encrypt->sealed = header->size;
	}
	free(header);
	if (!err->status)
		return encrypt;
	encrypt_close(encrypt);
	return NULL;
}

void encrypt_close(struct encrypt *encrypt)
{
	if (!encrypt)
		return;
	sodium_memzero(encrypt, sizeof(*encrypt));
	pages_give(encrypt, sizeof(*encrypt));
}

/* No nonce comes twice: 2^88 chunks are more than there can be. */
static void count_chunk(struct encrypt *encrypt)
{
	for (size_t i = LAST_FLAG; i-- > 0 && ++encrypt->nonce[i] == 0;)
		;
}

/* Where it lies, with its code behind it. */
static void seal_chunk(struct encrypt *encrypt, const struct encrypt_members *now)
{
	crypto_aead_chacha20poly1305_ietf_encrypt(encrypt->bytes, NULL, encrypt->bytes, encrypt->used, NULL, 0, NULL,
						  encrypt->nonce, encrypt->key);
	count_chunk(encrypt);
	encrypt->sealed = encrypt->used + ENCRYPT_CODE;
	encrypt->used = 0;
	encrypt->in_sealed = *now;
}

/* Returns the bytes that left, or -errno. */
static ssize_t send_sealed(struct encrypt *encrypt, struct sink *sink)
{
	ssize_t total = 0, n = 1;

	while (encrypt->gone < encrypt->sealed && n > 0) {
		const struct iovec part = {encrypt->bytes + encrypt->gone, encrypt->sealed - encrypt->gone};

		n = sink_write(sink, &part, 1);
		if (n > 0) {
			encrypt->gone += (size_t)n;
			total += n;
		}
	}
	if (n < 0)
		return total ? total : n; /* an error comes again */
	if (encrypt->gone < encrypt->sealed)
		return total;
	encrypt->whole += encrypt->sealed;
	encrypt->sealed = encrypt->gone = 0;
	encrypt->delivered = encrypt->in_sealed;
	return total;
}

/* True if that closed a chunk: it is full, and not the last. */
static bool fill_chunk(struct encrypt *encrypt, struct outbox *outbox, const struct encrypt_members *now)
{
	encrypt->used += outbox_take(outbox, encrypt->bytes + encrypt->used, ENCRYPT_CHUNK - encrypt->used);
	if (encrypt->used < ENCRYPT_CHUNK || outbox_empty(outbox))
		return false;
	seal_chunk(encrypt, now);
	return true;
}

ssize_t encrypt_send(struct encrypt *encrypt, struct outbox *outbox, struct sink *sink,
		     const struct encrypt_members *now)
{
	ssize_t total = 0, n;

	do {
		if ((n = encrypt->sealed ? send_sealed(encrypt, sink) : 0) < 0)
			return total ? total : n;
		total += n;
	} while (!encrypt->sealed && fill_chunk(encrypt, outbox, now));
	return total;
}

void encrypt_finish(struct encrypt *encrypt, const struct encrypt_members *now)
{
	encrypt->nonce[LAST_FLAG] = 1;
	seal_chunk(encrypt, now);
	sodium_memzero(encrypt->key, sizeof(encrypt->key));
	encrypt->finished = true;
}

bool encrypt_finished(const struct encrypt *encrypt)
{
	return encrypt->finished;
}

bool encrypt_waits(const struct encrypt *encrypt)
{
	return encrypt->sealed > 0;
}

uint64_t encrypt_whole(const struct encrypt *encrypt)
{
	return encrypt->whole;
}

struct encrypt_members encrypt_delivered(const struct encrypt *encrypt)
{
	return encrypt->delivered;
}

const char *encrypt_library(void)
{
	static char text[40];

	snprintf(text, sizeof(text), "libsodium %s", sodium_version_string());
	return text;
}
