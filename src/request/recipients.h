/*
 * Whom an encrypted output is for: recipients as age has them (https://age-encryption.org/v1, "The X25519 recipient
 * type"), "age1" and 58 letters: Bech32 (BIP 173) of a public key of X25519. They are no secret.
 */
#ifndef TARCAP_RECIPIENTS_H
#define TARCAP_RECIPIENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define RECIPIENTS_MAX 128	  /* of one output */
#define RECIPIENTS_FILE_MAX 65536 /* bytes of a FILE of recipients */
#define RECIPIENT_KEY_SIZE 32	  /* bytes: RFC 7748, section 5 */
#define RECIPIENT_TEXT_SIZE 63	  /* with the end */
#define RECIPIENTS_WORDS_SIZE 200 /* of recipients_words() */

struct recipient {
	unsigned char key[RECIPIENT_KEY_SIZE];
	char text[RECIPIENT_TEXT_SIZE];
};

struct recipients {
	unsigned count;
	bool by_environment; /* some came from TARCAP_TO */
	struct recipient list[RECIPIENTS_MAX];
};

/*
 * Add one recipient, or those of a file, one a line, as 'age -R' reads it: lines that are empty or begin with # do not
 * count. *recipients is made where it is NULL, and stays so where nobody is named; one that is there already is not
 * added again. STATUS_USAGE, naming --to, for what is none, or more than RECIPIENTS_MAX.
 */
MUST_CHECK int recipients_add(struct recipients **recipients, const char *word, struct err *err);

/*
 * Add those that TARCAP_TO names, separated by blanks. Whoever starts the container sets it, and no flag takes it away.
 * STATUS_USAGE, naming it, where it is set and names nobody, or has anything else in it.
 */
MUST_CHECK int recipients_from_environment(struct recipients **recipients, struct err *err);

/* "age1... (TARCAP_TO)", or "age1... and 2 more". Returns text. */
char *recipients_words(const struct recipients *recipients, char text[RECIPIENTS_WORDS_SIZE]);

#endif
