#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "request/recipients.h"

/* Of the published identity of https://c2sp.org/CCTV/age, and of one that 'age-keygen' made. */
#define KNOWN "age1xmwwc06ly3ee5rytxm9mflaz2u56jjj36s0mypdrwsvlul66mv4q47ryef"
#define OTHER "age17fgkfwucnwscu53qdhtv450ld8azn8k08ehzpx2ppa6c9una89vsvzyhtl"

static struct recipients *recipients;

static int begin(void **state)
{
	(void)state;
	unsetenv("TARCAP_TO");
	return 0;
}

static int end(void **state)
{
	(void)state;
	free(recipients);
	recipients = NULL;
	return 0;
}

static void takes(const char *word)
{
	struct err err = {0};

	assert_int_equal(recipients_add(&recipients, word, &err), 0);
	assert_int_equal(err.status, STATUS_OK);
}

/* What is said of it; in one line, and never a secret. */
static void refuses(const char *word, const char *says)
{
	struct err err = {0};

	assert_int_equal(recipients_add(&recipients, word, &err), -1);
	assert_int_equal(err.status, STATUS_USAGE);
	if (!strstr(err.text, says))
		fail_msg("'%s' says '%s', not '%s'", word, err.text, says);
	assert_null(strchr(err.text, '\n'));
	assert_null(strstr(err.text, "SECRET-KEY-1Q"));
}

static void environment_refuses(const char *value, const char *says)
{
	struct err err = {0};

	setenv("TARCAP_TO", value, 1);
	assert_int_equal(recipients_from_environment(&recipients, &err), -1);
	assert_int_equal(err.status, STATUS_USAGE);
	assert_non_null(strstr(err.text, "TARCAP_TO"));
	assert_non_null(strstr(err.text, says));
}

static void one_and_several(void **state)
{
	static const unsigned char key[] = {0x36, 0xdc, 0xec, 0x3f, 0x5f, 0x24, 0x73, 0x9a};
	char text[RECIPIENTS_WORDS_SIZE];

	(void)state;
	takes(KNOWN);
	assert_int_equal(recipients->count, 1);
	assert_memory_equal(recipients->list[0].key, key, sizeof(key));
	assert_string_equal(recipients_words(recipients, text), KNOWN);
	takes(OTHER);
	takes(KNOWN); /* once */
	assert_int_equal(recipients->count, 2);
	assert_string_equal(recipients_words(recipients, text), KNOWN " and 1 more");
}

static void every_wrong_letter_is_seen(void **state)
{
	char word[] = KNOWN;

	(void)state;
	for (size_t i = 4; word[i]; i++) {
		char right = word[i];

		word[i] = right == 'q' ? 'p' : 'q';
		refuses(word, "a letter of this recipient is wrong");
		word[i] = right;
	}
	refuses("age1xmwwc06ly3ee5rytxm9mflaz2u56jjj36s0mypdrwsvlul66mv4q47ryeff", "has 62 letters, this has 63");
	refuses("age1", "has 62 letters, this has 4");
	assert_null(recipients);
}

static void what_is_none(void **state)
{
	(void)state;
	refuses("", "needs an argument");
	refuses("AGE-SECRET-KEY-1QQQQ", "secret key");
	refuses("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI", "SSH");
	refuses("ecdsa-sha2-nistp256 AAAA", "SSH");
	refuses("age1yubikey1qwt50d05nh5vutpdzmlg5wn80xq5negm4uj9ghv0snvdd3yysf5yw3rhl3t", "plugins");
	refuses("correct horse battery staple", "passphrases are not taken");
	refuses("/", "Is a directory");
	refuses("AGE1XMWWC06LY3EE5RYTXM9MFLAZ2U56JJJ36S0MYPDRWSVLUL66MV4Q47RYEF", "no recipient");
	assert_null(recipients);
}

static const char *file_of(const char *text)
{
	static char path[] = "/tmp/tarcap-unit-recipients";
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	return path;
}

static void a_file_of_them(void **state)
{
	static char large[RECIPIENTS_FILE_MAX + 2];

	(void)state;
	takes(file_of("# the team\n\n" KNOWN "\r\n  " OTHER " \n" KNOWN));
	assert_int_equal(recipients->count, 2);
	refuses(file_of("# one\n" KNOWN "\nage1x\n"), "line 3 'age1x'");
	refuses(file_of("# created: today\n# public key: " KNOWN "\nAGE-SECRET-KEY-1QQQQ\n"), "line 3: a secret key");
	refuses(file_of("ssh-rsa AAAA me@there\n"), "line 1: SSH");
	refuses(file_of("\n# nobody\n"), "names nobody");
	memset(large, '#', sizeof(large) - 1);
	refuses(file_of(large), "at most 65536 bytes");
	unlink(file_of(""));
}

/* Valid ones of which there are many: the key's five lowest bits are the last letter before the checksum. */
static void too_many(void **state)
{
	struct err err = {0};

	(void)state;
	takes(KNOWN);
	for (unsigned i = recipients->count; i < RECIPIENTS_MAX; i++)
		snprintf(recipients->list[recipients->count++].text, RECIPIENT_TEXT_SIZE, "age1-%u", i);
	takes(KNOWN);
	assert_int_equal(recipients_add(&recipients, OTHER, &err), -1);
	assert_non_null(strstr(err.text, "at most 128"));
}

static void the_environments(void **state)
{
	struct err err = {0};
	char text[RECIPIENTS_WORDS_SIZE];

	(void)state;
	assert_int_equal(recipients_from_environment(&recipients, &err), 0);
	assert_null(recipients);
	environment_refuses("", "names nobody");
	environment_refuses(" \n\t", "names nobody");
	environment_refuses(KNOWN " age1", "'age1'");
	environment_refuses(KNOWN "," OTHER, "has 62 letters");
	environment_refuses("/etc/recipients", "allowed are recipients");
	end(NULL);
	takes(OTHER);
	setenv("TARCAP_TO", " " KNOWN "\n\t" OTHER " ", 1);
	assert_int_equal(recipients_from_environment(&recipients, &err), 0);
	assert_int_equal(recipients->count, 2);
	assert_string_equal(recipients_words(recipients, text), OTHER " and 1 more (TARCAP_TO)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_and_several, begin, end),
		cmocka_unit_test_setup_teardown(every_wrong_letter_is_seen, begin, end),
		cmocka_unit_test_setup_teardown(what_is_none, begin, end),
		cmocka_unit_test_setup_teardown(a_file_of_them, begin, end),
		cmocka_unit_test_setup_teardown(too_many, begin, end),
		cmocka_unit_test_setup_teardown(the_environments, begin, end),
	};

	return cmocka_run_group_tests_name("recipients", tests, NULL, NULL);
}
