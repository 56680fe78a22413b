/*
 * What an age v1 file begins with: a stanza for each recipient, which holds the file's key for nobody else, and a code
 * over all that (the age specification, https://c2sp.org/age, "Header" and "The X25519 recipient type").
 */
#ifndef TARCAP_AGE_HEADER_H
#define TARCAP_AGE_HEADER_H

#include <stddef.h>

#include "base/err.h"
#include "request/recipients.h"

#define AGE_KEY_SIZE 32	   /* of ChaCha20-Poly1305 */
#define AGE_NONCE_SIZE 16  /* behind the header, in the clear */
#define AGE_STANZA_MAX 128 /* bytes of one, and of what stands around all of them */
#define AGE_HEADER_MAX ((size_t)(RECIPIENTS_MAX + 1) * AGE_STANZA_MAX)

/* Fills bytes, at most 256, with what nobody can guess; -1 and errno. getentropy(3) is one. */
typedef int age_random(void *bytes, size_t size);

struct age_header {
	size_t size;
	unsigned char bytes[AGE_HEADER_MAX]; /* with the payload's nonce at their end */
};

/*
 * Make the header, and the key of the payload behind it, which is the caller's to wipe; all other secrets are wiped
 * here. Draws from random a file key, one ephemeral key for each recipient, and a nonce. STATUS_USAGE for a recipient
 * whose key is no point that can be used (RFC 7748, section 6.1).
 */
MUST_CHECK int age_header_make(struct age_header *header, const struct recipients *recipients, age_random *random,
			       unsigned char key[AGE_KEY_SIZE], struct err *err);

#endif
