#include "unit.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "read/decompress.h"

#define LARGEST ((size_t)1 << 20)

/* Expand, fed step bytes at a time. True if it ended well, and gave size bytes of them. */
static bool expands(const unsigned char *frame, size_t frame_size, size_t step, size_t size)
{
	struct err err = {0};
	struct decompress *expand = decompress_open(&err);
	const unsigned char *some;
	size_t some_size, total = 0;
	bool complete;

	decompress_begin(expand);
	for (size_t at = 0; at < frame_size; at += step) {
		decompress_feed(expand, frame + at, frame_size - at < step ? frame_size - at : step);
		while (decompress_next(expand, &some, &some_size) == DECOMPRESS_SOME)
			total += some_size;
	}
	complete = decompress_complete(expand);
	decompress_close(expand);
	return complete && total == size;
}

/* Above all those that fill what they are expanded into to the last byte. */
static void all_sizes(void **state)
{
	static const size_t sizes[] = {0, 1, 131071, 131072, 131073, 262144, 393216, LARGEST};
	static unsigned char text[LARGEST], frame[LARGEST];

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		size_t size = ZSTD_compress(frame, sizeof(frame), text, sizes[i], 1);

		assert_true(expands(frame, size, size, sizes[i]));
		assert_true(expands(frame, size, 1, sizes[i]));
		assert_false(expands(frame, size - 1, size, sizes[i]));
		memcpy(frame + size, frame, size);
		assert_true(expands(frame, 2 * size, 2 * size, 2 * sizes[i]));
		assert_false(expands(frame, 2 * size - 1, 2 * size, 2 * sizes[i]));
		frame[size] = 'x';
		assert_false(expands(frame, size + 1, size + 1, sizes[i]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_sizes),
	};

	return cmocka_run_group_tests_name("expand", tests, NULL, NULL);
}
