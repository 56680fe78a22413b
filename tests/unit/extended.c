#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../support/stream.h"
#include "read/extended.h"
#include "read/members.h"

static struct extended extended;

/* Exactly as large as it is, so that AddressSanitizer sees a read behind it. */
static void take(unsigned char type, const char *text, size_t size)
{
	unsigned char *copy = malloc(size + !size);

	memcpy(copy, text, size);
	extended_take(&extended, type, copy, size);
	free(copy);
}

static void forget(void)
{
	memset(&extended, 0, sizeof(extended));
}

static void records(void **state)
{
	static const char text[] = "30 mtime=1795723811.425225533\n19 path=web/x.pcap\n13 size=4711\n";

	(void)state;
	forget();
	take('x', text, strlen(text));
	assert_string_equal(extended.name, "web/x.pcap");
	assert_true(extended.sized && extended.size == 4711);
	/* An empty value takes it back. */
	take('g', "8 path=\n8 size=\n", 16);
	assert_string_equal(extended.name, "");
	assert_false(extended.sized);
	/* Any part of it: the records that are whole hold. */
	for (size_t size = 0; size <= strlen(text); size++) {
		forget();
		take('x', text, size);
		assert_int_equal(extended.name[0] != '\0', size >= 49);
		assert_int_equal(extended.sized, size >= 62);
	}
}

static void damaged_records(void **state)
{
	static const char *const texts[] = {
		"",
		" ",
		"x",
		"12 path=x",
		"0 path=x\n",
		"1 path=x\n",
		"2 \n",
		"3 =\n",
		"99999999999999999999 path=x\n",
		"-9 path=x\n",
		"9 path=x ",
		"9  path=x\n",
		"08 path=x",
		"6 path\n",
		"12 size=abc\n",
		"13 size=4.11\n",
		"36 size=99999999999999999999999999\n",
		"                    ",
		"18446744073709551616 path=x\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		forget();
		take('x', texts[i], strlen(texts[i]));
		assert_string_equal(extended.name, "");
		assert_false(extended.sized);
	}
}

static void long_names(void **state)
{
	static char text[EXTENDED_NAME_SIZE + 100];

	(void)state;
	memset(text, 'n', sizeof(text));
	take('L', text, EXTENDED_NAME_SIZE - 1);
	assert_int_equal(strlen(extended.name), EXTENDED_NAME_SIZE - 1);
	take('L', text, EXTENDED_NAME_SIZE);
	assert_string_equal(extended.name, "");
	take('L', "web/x\0y", 7);
	assert_string_equal(extended.name, "web/x");
	take('K', "target", 7);
	assert_string_equal(extended.name, "web/x");
	take('x', "12 path=a\0b\n", 12);
	assert_string_equal(extended.name, "");
}

/* --- in a stream --- */

static unsigned char data[65536];
static size_t used;
static struct members members;

static void put_header(const char *name, size_t size, char type)
{
	unsigned char *block = data + used;
	unsigned sum = 0;

	memset(block, 0, 512);
	memcpy(block, name, strnlen(name, 100));
	snprintf((char *)block + 124, 12, "%011zo", size);
	memset(block + 148, ' ', 8);
	block[156] = (unsigned char)type;
	memcpy(block + 257, "ustar\00000", 8);
	for (int i = 0; i < 512; i++)
		sum += block[i];
	snprintf((char *)block + 148, 8, "%06o", sum);
	used += 512;
}

static size_t put(const char *name, const char *text, size_t size, char type)
{
	size_t at = used;

	put_header(name, size, type);
	memcpy(data + used, text, size);
	used += (size + 511) / 512 * 512;
	return at;
}

/* All names of files that came whole, each with its size: "web/a 3, web/b 5, ". */
static const char *names(size_t step)
{
	static char text[20000];
	struct stream stream = {data, used, 0, step};
	enum members_event event;
	size_t length = 0;

	members_init(&members, stream_read, &stream);
	text[0] = '\0';
	while ((event = members_next(&members)) != MEMBERS_END) {
		if (event == MEMBERS_DONE)
			length += (size_t)snprintf(text + length, sizeof(text) - length, "%s %d, ", members.name,
						   (int)members.size);
	}
	return text;
}

static void fresh(void)
{
	memset(data, 0, sizeof(data));
	used = 0;
}

static void end(void)
{
	used += 1024;
}

#define LONG "web/a-directory-whose-name-has-more-than-a-hundred-characters-so-that-no-header-of-a-tar-has-room-for-it/"

static void in_front_of_files(void **state)
{
	const size_t steps[] = {1, 511, 512, 1000, 100000};

	(void)state;
	fresh();
	put("././@LongLink", LONG "a", strlen(LONG "a") + 1, 'L');
	put(LONG "a", "12345", 5, '0');
	put("web/PaxHeaders/b", "18 path=./web/b-x\n9 size=5\n", 27, 'x');
	put("web/b", "12345", 3, '0'); /* the size is the record's */
	put("././@LongLink", "target", 7, 'K');
	put("././@LongLink", "web/link", 9, 'L');
	put("web/l", "", 0, '2'); /* it was the link's */
	put("web/c", "1", 1, '0');
	put("pax_global_header", "12 path=all\n", 12, 'g');
	put("web/d", "", 0, '0');
	put("web/e", "", 0, '0');
	put("pax_global_header", "8 path=\n", 8, 'g');
	put("web/f", "", 0, '0');
	end();
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		assert_string_equal(names(steps[i]), LONG "a 5, web/b-x 5, web/c 1, all 0, all 0, web/f 0, ");
		assert_true(members.ended && members.gaps == 0 && members.junk == 0);
		assert_string_equal(members.top, "web/");
	}
}

/* Behind damage the next one's own header is found, and what belonged to a lost one is not taken for it. */
static void damage(void **state)
{
	size_t long_a, a, long_b, b;

	(void)state;
	for (int which = 0; which < 4; which++) {
		const char *expected[] = {
			/* Without its first header there is but the beginning of its name. */
			"web/first 1, "
			"web/a-directory-whose-name-has-more-than-a-hundred-characters-so-that-no-header-of-a-"
			"tar-has-room-fo 5, " LONG "b 5, web/last 1, ",
			"web/first 1, " LONG "b 5, web/last 1, ",
			"web/first 1, " LONG
			"a 5, web/a-directory-whose-name-has-more-than-a-hundred-characters-so-that-no-"
			"header-of-a-tar-has-room-fo 5, web/last 1, ",
			"web/first 1, " LONG "a 5, web/last 1, ",
		};
		size_t *hit[] = {&long_a, &a, &long_b, &b};

		fresh();
		put("web/first", "1", 1, '0');
		long_a = put("././@LongLink", LONG "a", strlen(LONG "a") + 1, 'L');
		a = put(LONG "a", "12345", 5, '0');
		long_b = put("././@PaxHeader", "116 path=" LONG "b\n", 116, 'x');
		assert_int_equal(strlen("116 path=" LONG "b\n"), 116);
		b = put(LONG "b", "12345", 5, '0');
		put("web/last", "1", 1, '0');
		end();
		data[*hit[which] + 150] ^= 1; /* the checksum */
		assert_string_equal(names(700), expected[which]);
		assert_int_equal(members.gaps, 1);
	}
	/* Bytes are missing inside of the long name's block: it is still that file's. */
	memmove(data + long_a + 1000, data + long_a + 1010, used - long_a - 1010);
	data[b + 150 - 10] ^= 1;
	assert_string_equal(names(700), "web/first 1, " LONG "a 5, " LONG "b 5, web/last 1, ");
}

/* Larger ones than there is room for are passed over: the name is then as the header has it. */
static void too_large(void **state)
{
	static char text[2 * 1024];

	(void)state;
	fresh();
	memset(text, 'n', sizeof(text));
	put("././@LongLink", text, sizeof(text), 'L');
	put("web/a", "", 0, '0');
	end();
	assert_int_equal(strlen(names(5000)), sizeof(text) + 4);

	fresh();
	put_header("web/x", MEMBERS_EXTENDED + 1, 'L');
	assert_string_equal(names(5000), "");
	assert_true(members.found && !members.ended);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records),	     cmocka_unit_test(damaged_records), cmocka_unit_test(long_names),
		cmocka_unit_test(in_front_of_files), cmocka_unit_test(damage),		cmocka_unit_test(too_large),
	};

	return cmocka_run_group_tests_name("extended", tests, NULL, NULL);
}
