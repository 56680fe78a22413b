#include "archive/hkdf.h"

#include <sodium.h>
#include <string.h>

/* RFC 5869, section 2.2: no salt is as many zeros as a hash has, and HMAC fills its key up with zeros. */
static void extract(const struct hkdf *hkdf, unsigned char key[HKDF_SIZE])
{
	static const unsigned char none[HKDF_SIZE];
	crypto_auth_hmacsha256_state state;

	crypto_auth_hmacsha256_init(&state, hkdf->salt ? hkdf->salt : none, hkdf->salt ? hkdf->salt_size : HKDF_SIZE);
	crypto_auth_hmacsha256_update(&state, hkdf->secret, hkdf->secret_size);
	crypto_auth_hmacsha256_final(&state, key);
	sodium_memzero(&state, sizeof(state));
}

/* Section 2.3, the first block. */
void hkdf_derive(const struct hkdf *hkdf, unsigned char key[HKDF_SIZE])
{
	static const unsigned char first = 1;
	unsigned char pseudorandom[HKDF_SIZE];
	crypto_auth_hmacsha256_state state;

	extract(hkdf, pseudorandom);
	crypto_auth_hmacsha256_init(&state, pseudorandom, sizeof(pseudorandom));
	crypto_auth_hmacsha256_update(&state, (const unsigned char *)hkdf->info, strlen(hkdf->info));
	crypto_auth_hmacsha256_update(&state, &first, sizeof(first));
	crypto_auth_hmacsha256_final(&state, key);
	sodium_memzero(&state, sizeof(state));
	sodium_memzero(pseudorandom, sizeof(pseudorandom));
}
