#include "request/recipients.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PREFIX "age1"
#define LETTERS (RECIPIENT_TEXT_SIZE - 1 - 4) /* behind it: 52 of the key, and 6 of a checksum */
#define CHECKSUM 6
#define WHERE_SIZE 120
#define BLANKS " \t\r\n"

/* --- Bech32, as BIP 173 has it --- */

/* Five bits; -1: no letter of its. */
static int letter_value(char letter)
{
	static const char letters[] = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
	const char *at = letter ? strchr(letters, letter) : NULL;

	return at ? (int)(at - letters) : -1;
}

static uint32_t polymod(uint32_t sum, int value)
{
	static const uint32_t generators[] = {0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3};
	uint32_t top = sum >> 25;

	sum = (sum & 0x1ffffff) << 5 ^ (uint32_t)value;
	for (int i = 0; i < 5; i++)
		sum ^= top >> i & 1 ? generators[i] : 0;
	return sum;
}

/* The prefix is in the checksum, too: the upper three bits of "age", a zero, and the lower five. */
static uint32_t polymod_of_prefix(void)
{
	static const char prefix[] = "age";
	uint32_t sum = 1;

	for (int i = 0; prefix[i]; i++)
		sum = polymod(sum, prefix[i] >> 5);
	sum = polymod(sum, 0);
	for (int i = 0; prefix[i]; i++)
		sum = polymod(sum, prefix[i] & 31);
	return sum;
}

/* The letters of a word behind its prefix into a key; false when one of them cannot be right. */
static bool decode(const char *letters, unsigned char key[RECIPIENT_KEY_SIZE])
{
	uint32_t sum = polymod_of_prefix(), bits = 0;
	size_t used = 0;
	int count = 0;

	for (int i = 0; i < LETTERS; i++) {
		int value = letter_value(letters[i]);

		if (value < 0)
			return false;
		sum = polymod(sum, value);
		if (i >= LETTERS - CHECKSUM)
			continue;
		bits = bits << 5 | (uint32_t)value;
		count += 5;
		if (count >= 8) {
			count -= 8;
			key[used++] = (unsigned char)(bits >> count);
		}
	}
	return sum == 1 && !letters[LETTERS] && (bits & ((1U << count) - 1)) == 0;
}

/* --- what a word is --- */

static bool begins_with(const char *word, const char *with)
{
	return strncmp(word, with, strlen(with)) == 0;
}

/* What somebody took for a recipient, and what to do; NULL: nothing that is known. A secret is not repeated. */
static const char *refusal(const char *word)
{
	if (begins_with(word, "AGE-SECRET-KEY-") || begins_with(word, "AGE-PLUGIN-"))
		return "a secret key is no recipient, and has no business here: 'age-keygen -y KEYFILE' prints its "
		       "recipient, age1...";
	if (begins_with(word, "ssh-ed25519") || begins_with(word, "ssh-rsa") || begins_with(word, "ecdsa-sha2-") ||
	    begins_with(word, "sk-ssh-") || begins_with(word, "sk-ecdsa-"))
		return "SSH keys are not taken: make a key with 'age-keygen -o key.txt', and give its recipient, "
		       "age1...";
	if (begins_with(word, PREFIX) && strlen(word) != RECIPIENT_TEXT_SIZE - 1 &&
	    strchr(word + strlen(PREFIX), '1') && !strpbrk(word, ",; "))
		return "recipients of plugins, and of other kinds than X25519, are not taken: give one that "
		       "'age-keygen' prints";
	return NULL;
}

static int refuse_recipient(const char *where, const char *word, struct err *err)
{
	const char *why = refusal(word);
	size_t length = strlen(word);

	if (why && !begins_with(word, PREFIX))
		return err_set(err, STATUS_USAGE, "%s: %s", where, why);
	if (why)
		return err_set(err, STATUS_USAGE, "%s '%.80s': %s", where, word, why);
	if (begins_with(word, PREFIX) && length != RECIPIENT_TEXT_SIZE - 1)
		return err_set(err, STATUS_USAGE, "%s '%.100s': a recipient has %d letters, this has %zu", where, word,
			       RECIPIENT_TEXT_SIZE - 1, length);
	if (begins_with(word, PREFIX))
		return err_set(err, STATUS_USAGE,
			       "%s '%.80s': a letter of this recipient is wrong (its checksum says so): copy it again",
			       where, word);
	return err_set(err, STATUS_USAGE, "%s '%.80s': allowed are recipients as 'age-keygen' prints them, age1...",
		       where, word);
}

static bool is_there(const struct recipients *recipients, const char *word)
{
	for (unsigned i = 0; i < recipients->count; i++) {
		if (strcmp(recipients->list[i].text, word) == 0)
			return true;
	}
	return false;
}

static int enter_recipient(struct recipients **recipients, const char *where, const char *word, struct err *err)
{
	unsigned char key[RECIPIENT_KEY_SIZE];
	struct recipient *recipient;

	if (!begins_with(word, PREFIX) || refusal(word) || strlen(word) != RECIPIENT_TEXT_SIZE - 1 ||
	    !decode(word + strlen(PREFIX), key))
		return refuse_recipient(where, word, err);
	if (!*recipients && !(*recipients = calloc(1, sizeof(**recipients))))
		return err_sys(err, ENOMEM, "memory for recipients");
	if (is_there(*recipients, word))
		return 0;
	if ((*recipients)->count == RECIPIENTS_MAX)
		return err_set(err, STATUS_USAGE, "%s: at most %d recipients are allowed", where, RECIPIENTS_MAX);
	recipient = &(*recipients)->list[(*recipients)->count++];
	memcpy(recipient->key, key, sizeof(key));
	memcpy(recipient->text, word, RECIPIENT_TEXT_SIZE);
	return 0;
}

/* --- where they come from --- */

/* The whole file as text, or NULL. */
static char *file_text(const char *name, struct err *err)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	char *text = fd < 0 ? NULL : calloc(1, RECIPIENTS_FILE_MAX + 2);
	size_t used = 0;
	ssize_t n = 1;

	while (text && used <= RECIPIENTS_FILE_MAX && (n = read(fd, text + used, RECIPIENTS_FILE_MAX + 1 - used)) > 0)
		used += (size_t)n;
	if (!text || n < 0)
		err_set(err, STATUS_USAGE,
			"--to '%.60s': no recipient, which is age1..., and no FILE of them: %s (SSH keys and "
			"passphrases are not taken)",
			name, strerror(errno));
	else if (used > RECIPIENTS_FILE_MAX)
		err_set(err, STATUS_USAGE, "--to %.200s: a file of recipients has at most %d bytes", name,
			RECIPIENTS_FILE_MAX);
	if (fd >= 0)
		close(fd);
	if (!err->status)
		return text;
	free(text);
	return NULL;
}

/* A line without the blanks around it; NULL when it names nobody. */
static char *trimmed(char *line)
{
	size_t length;

	line += strspn(line, BLANKS);
	for (length = strlen(line); length > 0 && strchr(BLANKS, line[length - 1]); length--)
		line[length - 1] = '\0';
	return *line && *line != '#' ? line : NULL;
}

static int add_lines(struct recipients **recipients, const char *name, char *text, struct err *err)
{
	char where[WHERE_SIZE], *line, *word;
	unsigned number = 0, named = 0;

	while ((line = strsep(&text, "\n"))) {
		number++;
		if (!(word = trimmed(line)))
			continue;
		named++;
		snprintf(where, sizeof(where), "--to %.80s, line %u", name, number);
		if (enter_recipient(recipients, where, word, err) < 0)
			return -1;
	}
	if (!named)
		return err_set(err, STATUS_USAGE, "--to %.200s: names nobody: a recipient a line is expected, age1...",
			       name);
	return 0;
}

int recipients_add(struct recipients **recipients, const char *word, struct err *err)
{
	char *text;
	int result;

	if (!*word)
		return err_set(err, STATUS_USAGE,
			       "--to '': needs an argument, a recipient (age1...) or a FILE of them");
	if (begins_with(word, PREFIX) || refusal(word))
		return enter_recipient(recipients, "--to", word, err);
	if (!(text = file_text(word, err)))
		return -1;
	result = add_lines(recipients, word, text, err);
	free(text);
	return result;
}

int recipients_from_environment(struct recipients **recipients, struct err *err)
{
	const char *value = getenv("TARCAP_TO");
	char *text, *rest, *word;
	int result = 0;

	if (!value)
		return 0;
	if (!value[strspn(value, BLANKS)])
		return err_set(err, STATUS_USAGE,
			       "TARCAP_TO is set and names nobody: give it recipients, age1..., with blanks between "
			       "them, or unset it");
	if (!(text = rest = strdup(value)))
		return err_sys(err, errno, "memory for TARCAP_TO");
	while (result == 0 && (word = strsep(&rest, BLANKS)))
		result = *word ? enter_recipient(recipients, "TARCAP_TO", word, err) : 0;
	free(text);
	if (result == 0 && *recipients)
		(*recipients)->by_environment = true;
	return result;
}

char *recipients_words(const struct recipients *recipients, char text[RECIPIENTS_WORDS_SIZE])
{
	char more[32] = "";

	if (recipients->count > 1)
		snprintf(more, sizeof(more), " and %u more", recipients->count - 1);
	snprintf(text, RECIPIENTS_WORDS_SIZE, "%s%s%s", recipients->list[0].text, more,
		 recipients->by_environment ? " (TARCAP_TO)" : "");
	return text;
}
