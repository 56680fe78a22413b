#include "unit.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "archive/compress.h"
#include "read/decompress.h"
#include "request/plan.h"

#define LARGEST ((size_t)4 << 20)
#define SLICES 4 /* of LARGEST */

static struct compress *compress;
static struct decompress *expand;
static unsigned char *text, *noise; /* LARGEST bytes each */

static uint32_t random_number(void)
{
	static uint32_t state = 1;

	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state;
}

static int set_up(void **state)
{
	struct err err = {0};

	(void)state;
	compress = compress_open(LARGEST, &err);
	expand = decompress_open(&err);
	text = malloc(LARGEST);
	noise = malloc(LARGEST);
	assert_true(compress && expand && text && noise);
	for (size_t i = 0; i < LARGEST; i++) {
		text[i] = (unsigned char)("GET /orders HTTP/1.1"[i % 20] + (i % 97 == 0 ? random_number() % 16 : 0));
		noise[i] = (unsigned char)(random_number() >> 8);
	}
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	compress_close(compress);
	decompress_close(expand);
	free(text);
	free(noise);
	return 0;
}

/* Returns how many turns it took. */
static int store(const unsigned char *data, size_t size, size_t most, const unsigned char **stored, size_t *stored_size)
{
	int turns = 1;

	compress_begin(compress, data, size, most);
	while (!compress_next(compress, stored, stored_size))
		turns++;
	return turns;
}

/* Does the frame end well, and give these bytes? NULL: so many, whatever they are. */
static bool gives(const unsigned char *frame, size_t frame_size, const unsigned char *data, size_t size)
{
	const unsigned char *some;
	size_t some_size, at = 0;
	bool same = true;

	decompress_begin(expand);
	decompress_feed(expand, frame, frame_size);
	while (decompress_next(expand, &some, &some_size) == DECOMPRESS_SOME) {
		same = same && some_size <= size - at && (!data || memcmp(some, data + at, some_size) == 0);
		at += some_size;
	}
	return same && at == size && decompress_complete(expand);
}

static void all_sizes(void **state)
{
	static const size_t sizes[] = {600,	4096,	       131071,		 131072,      131073, (1 << 20) - 1,
				       1 << 20, (1 << 20) + 1, LARGEST - 131072, LARGEST - 1, LARGEST};
	const unsigned char *stored;
	size_t size;

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		store(text, sizes[i], sizes[i] - 1, &stored, &size);
		assert_ptr_not_equal(stored, text);
		assert_true(size < sizes[i] / 2);
		assert_true(ZSTD_getFrameContentSize(stored, size) == sizes[i]);
		assert_true(gives(stored, size, text, sizes[i]));
	}
}

static void what_does_not_shrink(void **state)
{
	static const size_t sizes[] = {40, 600, 131072, (1 << 20) + 1, LARGEST};
	const unsigned char *stored;
	size_t size;

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		store(noise, sizes[i], sizes[i] - 1, &stored, &size);
		assert_ptr_equal(stored, noise);
		assert_int_equal(size, sizes[i]);
	}
	/* And the next one does. */
	store(text, LARGEST, LARGEST - 1, &stored, &size);
	assert_true(gives(stored, size, text, LARGEST));
}

/* Exactly as much as the frame takes is enough; one byte less is not. */
static void the_most(void **state)
{
	const unsigned char *stored;
	size_t needed, size;

	(void)state;
	store(text, 2000000, 1999999, &stored, &needed);
	store(text, 2000000, needed, &stored, &size);
	assert_int_equal(size, needed);
	assert_true(gives(stored, size, text, 2000000));
	for (size_t most = needed - 1; most > 0; most /= 2) {
		store(text, 2000000, most, &stored, &size);
		assert_ptr_equal(stored, text);
		assert_int_equal(size, 2000000);
	}
	store(text, 2000000, 0, &stored, &size);
	assert_ptr_equal(stored, text);
}

/* Around the size of the output, where zstd has no room: it is as small as it may be, or as it was. */
static void hardly_any_room(void **state)
{
	unsigned char *mixed = malloc(LARGEST);
	const unsigned char *stored;
	size_t size;

	(void)state;
	for (size_t saved = 0; saved < 40000; saved += saved / 4 + 1) {
		memcpy(mixed, noise, LARGEST);
		memset(mixed + LARGEST - saved, 0, saved);
		store(mixed, LARGEST, LARGEST - 512, &stored, &size);
		assert_true(stored == mixed ? size == LARGEST : size <= LARGEST - 512);
		if (stored != mixed)
			assert_true(gives(stored, size, mixed, LARGEST));
		if (saved > 20000)
			assert_ptr_not_equal(stored, mixed);
	}
	free(mixed);
}

/* A turn takes no longer than its slice, however large the segment is. */
static void slices(void **state)
{
	const unsigned char *stored;
	size_t size;

	(void)state;
	assert_int_equal(store(text, LARGEST, LARGEST - 1, &stored, &size), SLICES);
	assert_int_equal(store(text, LARGEST / SLICES, LARGEST - 1, &stored, &size), 1);
	assert_int_equal(store(text, LARGEST / SLICES + 1, LARGEST - 1, &stored, &size), 2);
}

/* A segment may be given up in the middle: the next one knows nothing of it. */
static void given_up(void **state)
{
	const unsigned char *stored;
	size_t size, alone;

	(void)state;
	store(text, 300000, 299999, &stored, &alone);
	compress_begin(compress, noise, LARGEST, LARGEST - 1);
	assert_false(compress_next(compress, &stored, &size));
	assert_false(compress_next(compress, &stored, &size));
	store(text, 300000, 299999, &stored, &size);
	assert_int_equal(size, alone);
	assert_true(gives(stored, size, text, 300000));
}

/* No bit of a frame can change without its being noticed, but for the frame header's reserved one. */
static void changed_bits(void **state)
{
	unsigned char frame[2000], mixed[2000];
	const unsigned char *stored;
	size_t size;

	(void)state;
	memcpy(mixed, text, 1000);
	memcpy(mixed + 1000, noise, 1000); /* stored as it is within the frame */
	store(mixed, sizeof(mixed), sizeof(mixed) - 1, &stored, &size);
	assert_ptr_equal(memcpy(frame, stored, size), frame);
	assert_true(gives(frame, size, mixed, sizeof(mixed)));
	for (size_t bit = 0; bit < size * 8; bit++) {
		frame[bit / 8] ^= (unsigned char)(1 << bit % 8);
		if (bit != 4 * 8 + 4)
			assert_false(gives(frame, size, NULL, sizeof(mixed)));
		frame[bit / 8] ^= (unsigned char)(1 << bit % 8);
	}
}

static void memory(void **state)
{
	(void)state;
	assert_int_equal(plan_compressor(LARGEST), LARGEST + (1 << 20));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_sizes), cmocka_unit_test(what_does_not_shrink),
		cmocka_unit_test(the_most),  cmocka_unit_test(slices),
		cmocka_unit_test(given_up),  cmocka_unit_test(changed_bits),
		cmocka_unit_test(memory),    cmocka_unit_test(hardly_any_room),
	};

	return cmocka_run_group_tests_name("compress", tests, set_up, tear_down);
}
