#include "format/known_files.h"

#include <stdio.h>
#include <string.h>

/* A file that is read by way of another program. */
static const struct known {
	const char *magic;
	size_t size;
	const char *what, *command; /* command: what makes it one that can be read, of FILE */
} knowns[] = {
	{"\xfd"
	 "7zXZ\0",
	 6, "an xz file", "xz -dc FILE"},
	{"\x1f\x8b", 2, "a gzip file", "gzip -dc FILE"},
	{"\x1f\x9d", 2, "a compress file", "gzip -dc FILE"},
	{"BZh", 3, "a bzip2 file", "bzip2 -dc FILE"},
	{"\x04\x22\x4d\x18", 4, "an lz4 file", "lz4 -dc FILE"},
	{"\x28\xb5\x2f\xfd", 4, "a zstd file", "zstd -dc --long=31 FILE"},
	{"PK\3\4", 4, "a zip file", "unzip -p FILE"},
	{"7z\xbc\xaf\x27\x1c", 6, "a 7z file", "7z x -so FILE"},
	{"age-encryption.org/v1\n", 22, "an age file", "age -d -i KEY FILE"},
	{"-----BEGIN AGE ENCRYPTED FILE-----", 34, "an age file", "age -d -i KEY FILE"},
	{"-----BEGIN PGP MESSAGE-----", 27, "an OpenPGP message", "gpg -d FILE"},
	{"snoop\0\0\0", 8, "a snoop file", "editcap -F pcapng FILE -"},
};

const char *known_files_hint(const unsigned char *first, size_t first_size, const char *command, char *text,
			     size_t size)
{
	for (size_t i = 0; i < sizeof(knowns) / sizeof(knowns[0]); i++) {
		const struct known *known = &knowns[i];

		if (first_size < known->size || memcmp(first, known->magic, known->size) != 0)
			continue;
		snprintf(text, size, "%s: %s | tarcap %s", known->what, known->command, command);
		return text;
	}
	return NULL;
}
