/* Keys from a secret: HKDF with SHA-256, RFC 5869. */
#ifndef TARCAP_HKDF_H
#define TARCAP_HKDF_H

#include <stddef.h>

#define HKDF_SIZE 32 /* bytes that come out: one block of RFC 5869, section 2.3, which is all that age takes */

struct hkdf {
	const void *secret; /* "IKM" */
	size_t secret_size;
	const void *salt; /* NULL: none */
	size_t salt_size;
	const char *info; /* what the key is for */
};

/* Everything on the way is wiped; what comes out is the caller's to wipe. */
void hkdf_derive(const struct hkdf *hkdf, unsigned char key[HKDF_SIZE]);

#endif
