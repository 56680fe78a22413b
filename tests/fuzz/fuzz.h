/* What the fuzz targets share. Each is tests/fuzz/NAME.c with one LLVMFuzzerTestOneInput(). */
#ifndef TARCAP_FUZZ_H
#define TARCAP_FUZZ_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/err.h"

/* Clang's name for it; nobody declares it for us. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A promise that the input broke: libFuzzer keeps the input of whatever aborts. */
#define PROMISE(condition) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "%s:%d: broken promise: %s\n", __FILE__, __LINE__, #condition); \
			abort(); \
		} \
	} while (0)

/* An error is one that was set, with words; no error is none. */
static inline void fuzz_result(int result, const struct err *err)
{
	PROMISE((result < 0) == (err->status != STATUS_OK));
	PROMISE(result >= 0 || (err->text[0] && memchr(err->text, '\0', sizeof(err->text))));
}

/* A file in memory with data in it, to be read from its start; path is where it can be opened. */
static inline int fuzz_file(const uint8_t *data, size_t size, char path[32])
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	PROMISE(fd >= 0 && pwrite(fd, data, size, 0) == (ssize_t)size);
	if (path)
		snprintf(path, 32, "/proc/self/fd/%d", fd);
	return fd;
}

/*
 * A copy of data, exactly as large so that nobody reads on behind it; to be freed. mended: where something looks like a
 * tar header, its checksum is made right, which a fuzzer would not find by itself.
 */
static inline uint8_t *fuzz_stream(const uint8_t *data, size_t size, int mended)
{
	uint8_t *stream = malloc(size ? size : 1);

	memcpy(stream, data, size);
	for (size_t at = 0; mended && at + 512 <= size; at++) {
		unsigned sum = 0;

		if (memcmp(stream + at + 257, "ustar", 5) != 0)
			continue;
		memset(stream + at + 148, ' ', 8);
		for (size_t i = 0; i < 512; i++)
			sum += stream[at + i];
		snprintf((char *)stream + at + 148, 8, "%06o", sum);
		stream[at + 155] = ' ';
	}
	return stream;
}

/* What a capture blocks would also keep Ctrl-C from the fuzzer. */
static inline void fuzz_unblock_signals(void)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

#endif
