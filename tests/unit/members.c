#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../support/stream.h"
#include "read/members.h"

#define ARCHIVE_SIZE 65536

struct archive {
	unsigned char data[ARCHIVE_SIZE];
	size_t size;
};

static void put_header(unsigned char *block, const char *name, unsigned long long size, char type)
{
	unsigned sum = 0;

	memset(block, 0, 512);
	snprintf((char *)block, 100, "%s", name);
	memcpy(block + 100,
	       "000600 \0"
	       "000000 \0"
	       "000000 ",
	       24);
	snprintf((char *)block + 124, 13, "%011llo ", size);
	memcpy(block + 136, "00000000000 ", 12);
	memset(block + 148, ' ', 8);
	block[156] = (unsigned char)type;
	memcpy(block + 257, "ustar\00000", 8);
	for (int i = 0; i < 512; i++)
		sum += block[i];
	snprintf((char *)block + 148, 8, "%06o", sum);
	block[155] = ' ';
}

/* Member n is filled with letters that depend on n, and is 300 * n bytes long. */
static void put_member(struct archive *archive, int n)
{
	char name[40];
	size_t size = 300 * (size_t)n;

	snprintf(name, sizeof(name), "top/file%d", n);
	put_header(archive->data + archive->size, name, size, '0');
	archive->size += 512;
	memset(archive->data + archive->size, 'a' + n, size);
	archive->size += (size + 511) / 512 * 512;
}

#define FILES 5

static void build(struct archive *archive)
{
	memset(archive, 0, sizeof(*archive));
	for (int n = 0; n < FILES; n++)
		put_member(archive, n);
	archive->size += 1024;
}

/* What a reader sees of the files. */
struct seen {
	unsigned done; /* a bit for each file that came with its own bytes, all of them */
	unsigned damaged;
	bool cut;
	int order[64];
	size_t count;
};

static struct members members;

static struct seen read_all(struct stream *stream)
{
	struct seen seen = {0};
	enum members_event event;
	uint64_t got = 0;
	bool good = false;
	int n = -1;

	members_init(&members, stream_read, stream);
	while ((event = members_next(&members)) != MEMBERS_END && event != MEMBERS_ERROR) {
		switch (event) {
		case MEMBERS_FILE:
			assert_false(n >= 0);
			if (sscanf(members.name, "top/file%d", &n) != 1)
				n = 31;
			good = members.size == 300 * (uint64_t)n;
			got = 0;
			assert_true(seen.count < 64);
			seen.order[seen.count++] = n;
			break;
		case MEMBERS_DATA:
			assert_true(n >= 0 && members.length > 0);
			for (size_t i = 0; i < members.length; i++)
				good &= members.data[i] == 'a' + n;
			got += members.length;
			break;
		default:
			assert_true(n >= 0);
			assert_int_equal(event == MEMBERS_DONE, got == members.size);
			seen.cut |= event == MEMBERS_CUT;
			if (event == MEMBERS_DONE && good)
				seen.done |= 1u << n;
			else
				seen.damaged |= 1u << n;
			n = -1;
		}
	}
	assert_int_equal(members_next(&members), event);
	return seen;
}

static struct seen read_bytes(const unsigned char *data, size_t size, size_t step)
{
	/* Just as large as it says, so that AddressSanitizer sees a read behind it. */
	unsigned char *copy = malloc(size + !size);
	struct stream stream = {copy, size, 0, step, 0};
	struct seen seen;

	memcpy(copy, data, size);
	seen = read_all(&stream);
	free(copy);
	return seen;
}

#define ALL ((1u << FILES) - 1)

static struct archive archive;

static void whole(void **state)
{
	const size_t steps[] = {1, 7, 511, 512, 513, 100000};

	(void)state;
	build(&archive);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct seen seen = read_bytes(archive.data, archive.size, steps[i]);

		assert_int_equal(seen.done, ALL);
		assert_int_equal(seen.count, FILES);
		assert_true(members.found && members.ended && !seen.cut);
		assert_true(members.junk == 0 && members.gaps == 0 && members.skipped == 0 && members.trailing == 0);
		assert_string_equal(members.top, "top/");
	}
}

static void junk_before(void **state)
{
	static unsigned char data[ARCHIVE_SIZE + 2048];

	(void)state;
	build(&archive);
	for (size_t junk = 0; junk <= 1100; junk++) {
		struct seen seen;

		for (int quiet = 0; quiet < 2; quiet++) {
			for (size_t i = 0; i < junk; i++)
				data[i] = (unsigned char)(quiet ? 'x' : "ustar chatter\n"[i % 14]);
			memcpy(data + junk, archive.data, archive.size);
			/* Pieces of which one ends inside of the magic, somewhere on the way. */
			seen = read_bytes(data, junk + archive.size, quiet ? 550 : 1000);
			assert_int_equal(seen.done, ALL);
			assert_true(members.ended && members.gaps == 0);
			assert_int_equal(members.junk, junk);
		}
	}
	/* Much more of it than the buffer holds. */
	{
		size_t junk = 3 * MEMBERS_BUFFER + 77;
		unsigned char *large = calloc(1, junk + archive.size);

		memcpy(large + junk, archive.data, archive.size);
		assert_int_equal(read_bytes(large, junk + archive.size, 5000).done, ALL);
		assert_int_equal(members.junk, junk);
		free(large);
	}
}

static void junk_behind(void **state)
{
	(void)state;
	build(&archive);
	memcpy(archive.data + archive.size + 1000, "the end", 7);
	assert_int_equal(read_bytes(archive.data, archive.size + 2000, 300).done, ALL);
	assert_int_equal(members.trailing, 7);
	assert_true(members.ended && members.gaps == 0);
	/* A whole second archive is no part of this one. */
	memcpy(archive.data + archive.size, archive.data, archive.size);
	assert_int_equal(read_bytes(archive.data, 2 * archive.size, 300).count, FILES);
}

static size_t header_of(int n)
{
	size_t at = 0;

	for (int i = 0; i < n; i++)
		at += 512 + (300 * (size_t)i + 511) / 512 * 512;
	return at;
}

/* Each byte of a header in the middle, to each of some other values: that file is gone, the others are not. */
static void damaged_header(void **state)
{
	size_t at = header_of(2);

	(void)state;
	for (size_t i = 0; i < 512; i++) {
		for (unsigned flip = 1; flip < 256; flip *= 2) {
			struct seen seen;

			build(&archive);
			archive.data[at + i] ^= (unsigned char)flip;
			seen = read_bytes(archive.data, archive.size, 4096);
			assert_true(members.ended);
			/* In the checksum a blank may stand for a NUL or a leading zero. */
			if (i >= 148 && i < 156 && seen.done == ALL) {
				assert_true(archive.data[at + i] == ' ' || archive.data[at + i] == '\0');
				continue;
			}
			assert_int_equal(seen.done, ALL & ~(1u << 2));
			assert_int_equal(members.gaps, 1);
			assert_int_equal(members.skipped, header_of(3) - at);
		}
	}
}

/* Bytes put in or taken out anywhere: every file that was not hit is there, and each once. */
static void inserted_and_removed(void **state)
{
	static unsigned char data[ARCHIVE_SIZE];
	const size_t amounts[] = {1, 17, 511, 512, 700};

	(void)state;
	build(&archive);
	for (size_t at = 1; at < header_of(4); at += 13) {
		for (size_t i = 0; i < sizeof(amounts) / sizeof(amounts[0]); i++) {
			size_t amount = amounts[i];
			struct seen seen;
			unsigned hit = 0;

			memcpy(data, archive.data, at);
			memset(data + at, '#', amount);
			memcpy(data + at + amount, archive.data + at, archive.size - at);
			for (int n = 0; n < FILES; n++)
				hit |= at > header_of(n) && at < header_of(n) + 512 + 300 * (size_t)n ? 1u << n : 0;
			seen = read_bytes(data, archive.size + amount, 600);
			assert_int_equal(seen.done | hit, ALL);
			assert_true(members.ended);
			assert_true(at < 512 || members.gaps > 0);

			for (int n = 0; n < FILES; n++)
				hit |= at < header_of(n) + 512 + 300 * (size_t)n && at + amount > header_of(n) ? 1u << n
													       : 0;
			memcpy(data + at, archive.data + at + amount, archive.size - at - amount);
			seen = read_bytes(data, archive.size - amount, 600);
			assert_int_equal(seen.done | hit, ALL);
			assert_true(members.skipped < archive.size);
			for (size_t k = 1; k < seen.count; k++)
				assert_true(seen.order[k] > seen.order[k - 1]);
		}
	}
}

/* The same where the buffer is full and moves on: what is behind the reader's place stays for a while. */
static void removed_far_behind(void **state)
{
	static unsigned char data[2 * MEMBERS_BUFFER];

	(void)state;
	build(&archive);
	for (size_t first = MEMBERS_BUFFER - 8192; first < MEMBERS_BUFFER + 4096; first += 512) {
		size_t at = 512 + first + header_of(3) + 700;

		put_header(data, "top/file31", first, '0');
		memset(data + 512, 'x', first);
		memcpy(data + 512 + first, archive.data, archive.size);
		memmove(data + at, data + at + 300, 512 + first + archive.size - at - 300);
		assert_int_equal(read_bytes(data, 512 + first + archive.size - 300, 100000).done, ALL & ~(1u << 3));
		assert_int_equal(members.gaps, 1);
		assert_int_equal(members.skipped, 0);
	}
}

static void every_prefix(void **state)
{
	(void)state;
	build(&archive);
	for (size_t size = 0; size < archive.size; size++) {
		struct seen seen = read_bytes(archive.data, size, 900);
		unsigned complete = 0;

		for (int n = 0; n < FILES; n++)
			complete |= size >= header_of(n) + 512 + 300 * (size_t)n ? 1u << n : 0;
		assert_int_equal(seen.done, complete);
		assert_false(members.ended);
		assert_int_equal(members.found, size >= 512);
		assert_int_equal(members.gaps, 0);
		assert_int_equal(members.junk, size < 512 ? size : 0);
		for (int n = 0; n < FILES; n++) {
			if (size >= header_of(n) + 512 && size < header_of(n) + 512 + 300 * (size_t)n)
				assert_true(seen.cut);
		}
	}
}

/* While resynchronizing, a header from elsewhere is not believed; at its place it is. */
static void other_archives_in_the_data(void **state)
{
	struct seen seen;

	(void)state;
	build(&archive);
	put_header(archive.data + header_of(3) + 512, "else/file4", 100, '0');
	seen = read_bytes(archive.data, archive.size, 5000);
	assert_int_equal(seen.done, ALL & ~(1u << 3));
	assert_int_equal(seen.count, FILES);
	archive.data[header_of(3)] ^= 1;
	seen = read_bytes(archive.data, archive.size, 5000);
	assert_int_equal(seen.done, ALL & ~(1u << 3));
	assert_int_equal(seen.count, FILES - 1);
}

static void other_types(void **state)
{
	unsigned char blocks[5 * 512] = "";

	(void)state;
	build(&archive);
	memmove(archive.data + 1536, archive.data, archive.size);
	put_header(archive.data, "./top/", 0, '5');
	put_header(archive.data + 512, "pax", 20, 'x');
	assert_int_equal(read_bytes(archive.data, archive.size + 1536, 700).done, ALL);
	assert_true(members.ended && members.gaps == 0 && members.junk == 0);

	/* A link has no data, whatever it says. A leading "./" is nothing. */
	put_header(blocks, "top/link", 1000, '2');
	put_header(blocks + 512, "./top/file1", 300, '\0');
	memset(blocks + 1024, 'b', 300);
	assert_int_equal(read_bytes(blocks, sizeof(blocks), 700).done, 1u << 1);
	assert_string_equal(members.name, "top/file1");
}

static void names_and_sizes(void **state)
{
	unsigned char block[1024];
	unsigned sum = 0;
	char expected[300];

	(void)state;
	/* A prefix of 155 and a name of 100 bytes, neither with a NUL behind it. */
	put_header(block, "", 0, '0');
	memset(block, 'n', 100);
	memset(block + 345, 'p', 155);
	memset(block + 148, ' ', 8);
	for (int i = 0; i < 512; i++)
		sum += block[i];
	snprintf((char *)block + 148, 8, "%06o", sum);
	read_bytes(block, 512, 512);
	memset(expected, 'p', 155);
	expected[155] = '/';
	memset(expected + 156, 'n', 100);
	expected[256] = '\0';
	assert_string_equal(members.name, expected);
	assert_int_equal(members.size, 0);

	/* The largest claim there can be is read like any other: what is there is there. */
	put_header(block, "top/file9", 077777777777ULL, '0');
	memset(block + 512, 'j', 512);
	assert_true(read_bytes(block, sizeof(block), 512).cut);
	assert_true(members.size == 077777777777ULL);

	/* GNU's old format has no prefix. */
	put_header(block, "top/file1", 0, '0');
	sum = 0;
	memcpy(block + 257, "ustar  \0", 8);
	memset(block + 345, '1', 24);
	memset(block + 148, ' ', 8);
	for (int i = 0; i < 512; i++)
		sum += block[i];
	snprintf((char *)block + 148, 8, "%06o", sum);
	read_bytes(block, 512, 512);
	assert_string_equal(members.name, "top/file1");

	/* GNU's binary sizes are not ours. */
	put_header(block, "top/file1", 300, '0');
	sum = 0;
	block[124] = 0x80;
	memset(block + 148, ' ', 8);
	for (int i = 0; i < 512; i++)
		sum += block[i];
	snprintf((char *)block + 148, 8, "%06o", sum);
	read_bytes(block, sizeof(block), 512);
	assert_false(members.found);
}

/* A hole of zeros, as a disk leaves it, is no end while more is to come. */
static void holes(void **state)
{
	struct stream stream = {archive.data, 0, 0, 1000, 0};
	enum members_event event;
	int files = 0;

	(void)state;
	for (int more = 0; more < 2; more++) {
		build(&archive);
		memset(archive.data + header_of(2), 0, header_of(3) - header_of(2));
		stream.size = archive.size;
		stream.at = 0;
		members_init(&members, stream_read, &stream);
		members.more_to_come = more;
		files = 0;
		while ((event = members_next(&members)) != MEMBERS_END)
			files += event == MEMBERS_FILE;
		assert_int_equal(files, more ? FILES - 1 : 2);
		assert_int_equal(members.gaps, more);
		assert_true(members.ended);
	}
}

static void failing_source(void **state)
{
	(void)state;
	build(&archive);
	for (size_t size = 0; size < archive.size; size += 100) {
		struct stream stream = {archive.data, size, 0, 1000, EIO};

		assert_false(read_all(&stream).cut);
		assert_int_equal(members.errnum, EIO);
		assert_int_equal(members_next(&members), MEMBERS_ERROR);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole),
		cmocka_unit_test(junk_before),
		cmocka_unit_test(junk_behind),
		cmocka_unit_test(damaged_header),
		cmocka_unit_test(inserted_and_removed),
		cmocka_unit_test(removed_far_behind),
		cmocka_unit_test(every_prefix),
		cmocka_unit_test(other_archives_in_the_data),
		cmocka_unit_test(other_types),
		cmocka_unit_test(names_and_sizes),
		cmocka_unit_test(holes),
		cmocka_unit_test(failing_source),
	};

	return cmocka_run_group_tests_name("members", tests, NULL, NULL);
}
