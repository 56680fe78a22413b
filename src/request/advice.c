#include "request/advice.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "request/guess.h"
#include "request/usage.h"

#define WORDS_MAX 48
#define WORD_SIZE 64
#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

struct pair {
	const char *from, *to;
};

static const char *look_up(const struct pair *pairs, size_t count, const char *from)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(pairs[i].from, from) == 0)
			return pairs[i].to;
	}
	return NULL;
}

/* What is no protocol to pcap-filter(7), with the port where it usually is. */
static const struct pair protocols[] = {
	{"dhcp", "udp portrange 67-68"},
	{"dns", "port 53"},
	{"grpc", "tcp"},
	{"http", "tcp port 80"},
	{"http2", "tcp port 443"},
	{"https", "tcp port 443"},
	{"icmpv6", "icmp6"},
	{"ipv4", "ip"},
	{"ipv6", "ip6"},
	{"mdns", "udp port 5353"},
	{"mqtt", "tcp port 1883"},
	{"mysql", "tcp port 3306"},
	{"ntp", "udp port 123"},
	{"ping", "(icmp or icmp6)"},
	{"postgres", "tcp port 5432"},
	{"quic", "udp port 443"},
	{"redis", "tcp port 6379"},
	{"smtp", "tcp port 25"},
	{"ssh", "tcp port 22"},
	{"ssl", "tcp port 443"},
	{"tls", "tcp port 443"},
};

/* --- no filter at all --- */

/* What other programs call their commands. */
static const struct pair other_commands[] = {
	{"capture", "a capture needs no command: tarcap [OPTION]... [FILTER]"},
	{"cat", "did you mean 'tarcap join'?"},
	{"diagnose", "did you mean 'tarcap check'?"},
	{"dump", "a capture needs no command: tarcap [OPTION]... [FILTER]"},
	{"end", "did you mean 'tarcap stop'?"},
	{"exec", "did you mean 'tarcap hold'?"},
	{"info", "did you mean 'tarcap summary'?"},
	{"interfaces", "did you mean 'tarcap -D'?"},
	{"list", "did you mean 'tarcap -D'?"},
	{"ls", "did you mean 'tarcap -D'?"},
	{"merge", "did you mean 'tarcap join'?"},
	{"open", "did you mean 'tarcap join' or 'tarcap summary'?"},
	{"read", "did you mean 'tarcap -r FILE'?"},
	{"record", "a capture needs no command: tarcap [OPTION]... [FILTER]"},
	{"run", "a capture needs no command: tarcap [OPTION]... [FILTER]"},
	{"show", "did you mean 'tarcap summary'?"},
	{"sleep", "did you mean 'tarcap hold'?"},
	{"start", "a capture needs no command: tarcap [OPTION]... [FILTER]"},
	{"stats", "did you mean 'tarcap summary'?"},
	{"usage", "did you mean 'tarcap --help'?"},
	{"validate", "did you mean 'tarcap join --check'?"},
	{"verify", "did you mean 'tarcap join --check'?"},
	{"version", "did you mean 'tarcap --version'?"},
	{"wait", "did you mean 'tarcap hold'?"},
	{"bash", "the image has no shell, only tarcap"},
	{"sh", "the image has no shell, only tarcap"},
	{"/bin/sh", "the image has no shell, only tarcap"},
	{"/bin/bash", "the image has no shell, only tarcap"},
	{"tcpdump", "leave out 'tcpdump': tarcap takes its flags and its filters itself"},
	{"tarcap", "leave out the second 'tarcap': the image runs it by itself"},
};

/* A filter begins with one of these, or has it somewhere. */
static const char *const keywords[] = {
	"and",	  "arp",    "broadcast", "decnet",    "dst",  "ether",	    "gateway", "geneve",   "greater",
	"host",	  "icmp",   "icmp6",	 "inbound",   "ip",   "ip6",	    "igmp",    "len",	   "less",
	"link",	  "mask",   "mpls",	 "multicast", "net",  "not",	    "or",      "port",	   "portrange",
	"pppoed", "pppoes", "proto",	 "rarp",      "sctp", "src",	    "tcp",     "outbound", "udp",
	"vlan",	  "vrrp",   "wlan",	 "ah",	      "esp",  "protochain",
};

static bool is_keyword(const char *word)
{
	for (size_t i = 0; i < COUNT(keywords); i++) {
		if (strcmp(word, keywords[i]) == 0)
			return true;
	}
	return false;
}

/* The command or the keyword that is nearest to word, or NULL. */
static const char *nearest(const char *word)
{
	struct guess guess;

	guess_begin(&guess, word);
	for (size_t i = 0; i < COUNT(keywords); i++)
		guess_try(&guess, keywords[i]);
	for (size_t i = 0; i < usage_command_count; i++)
		guess_try(&guess, usage_commands[i].name);
	return guess.best;
}

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), end_length = strlen(end);

	return length > end_length && strcmp(text + length - end_length, end) == 0;
}

/* "eth0", "ens3", "net1": letters and then digits, but not "icmp6", "port80" or "ipv4". */
static bool is_interface(const char *word)
{
	size_t letters = strspn(word, "abcdefghijklmnopqrstuvwxyz"), digits = strspn(word + letters, "0123456789");
	char kind[WORD_SIZE];

	if (strcmp(word, "lo") == 0 || strcmp(word, "any") == 0 || strcmp(word, "all") == 0)
		return true;
	snprintf(kind, sizeof(kind), "%.*s", (int)letters, word);
	return letters >= 2 && digits > 0 && digits <= 3 && !word[letters + digits] &&
	       (!is_keyword(kind) || strcmp(kind, "net") == 0) && !look_up(protocols, COUNT(protocols), word);
}

static bool is_archive(const char *word)
{
	return strstr(word, ".tar") || ends_with(word, ".tgz");
}

static bool is_packets(const char *word)
{
	return strstr(word, ".pcap") || ends_with(word, ".cap");
}

bool advice_no_filter(const char *text, char advice[ADVICE_SIZE])
{
	char word[WORD_SIZE];
	const char *found, *option = text;

	text += strspn(text, " \t\n'\"");
	snprintf(word, sizeof(word), "%.*s", (int)strcspn(text, " \t\n'\""), text);
	found = look_up(other_commands, COUNT(other_commands), word);
	advice[0] = '\0';
	if (found) {
		snprintf(advice, ADVICE_SIZE, "%s", found);
	} else if (is_archive(word)) {
		snprintf(advice, ADVICE_SIZE, "to read an archive: tarcap summary %s, or tarcap join %s > x.pcap", word,
			 word);
	} else if (is_packets(word)) {
		snprintf(advice, ADVICE_SIZE, "to read a capture file: tarcap summary %s, or tarcap -r %s", word, word);
	} else if (is_interface(word)) {
		snprintf(advice, ADVICE_SIZE, "an interface is named by -i: tarcap -i %s", word);
	} else if (!is_keyword(word) && (found = nearest(word)) && !is_keyword(found)) {
		if (strcmp(word, found) == 0)
			snprintf(advice, ADVICE_SIZE, "a command comes first, then its options: tarcap %s", word);
		else
			snprintf(advice, ADVICE_SIZE, "there is no command '%s': did you mean 'tarcap %s'?", word,
				 found);
	}
	while (!advice[0] && (option = strstr(option, " -")) && *(option += 2)) {
		if (isalpha((unsigned char)option[*option == '-']))
			snprintf(advice, ADVICE_SIZE, "options come before the filter, and outside its quotes");
	}
	return advice[0];
}

/* --- words --- */

struct words {
	char list[WORDS_MAX][WORD_SIZE];
	size_t count;
};

static bool add_word(struct words *words, const char *text, size_t length)
{
	if (words->count == WORDS_MAX || length >= WORD_SIZE)
		return false;
	memcpy(words->list[words->count], text, length);
	words->list[words->count++][length] = '\0';
	return true;
}

/* How much of text is one word: a sign such as "==" or "(", or what has no blank, sign or comma in it. "tcp[13]" is
 * whole. */
static size_t word_length(const char *text)
{
	size_t length = strcspn(text, " \t\n()=!<>&|,'\";[");

	if (text[length] == '[')
		length += strcspn(text + length, "]") + (strchr(text + length, ']') != NULL);
	if (length > 0)
		return length;
	length = strspn(text, "=!<>&|");
	return length > 2 ? 2 : length > 0 ? length : 1;
}

static bool split(const char *text, struct words *words)
{
	words->count = 0;
	while (*(text += strspn(text, " \t\n'\";"))) {
		size_t length = word_length(text);

		if (!add_word(words, text, length))
			return false;
		text += length;
	}
	return words->count > 0;
}

/* --- a filter in other words --- */

/* Fields of display filters; %s is where the value goes, and without it the field is one of a TCP packet's flags. */
static const struct pair fields[] = {
	{"eth.addr", "ether host "},  {"eth.dst", "ether dst "},	{"eth.src", "ether src "},
	{"eth.type", "ether proto "}, {"frame.len", "len = "},		{"icmp.type", "icmp[icmptype] = "},
	{"ip.addr", "host "},	      {"ip.dst", "dst host "},		{"ip.dst_host", "dst host "},
	{"ip.host", "host "},	      {"ip.proto", "ip proto "},	{"ip.src", "src host "},
	{"ip.src_host", "src host "}, {"ipv6.addr", "host "},		{"ipv6.dst", "dst host "},
	{"ipv6.src", "src host "},    {"sctp.port", "sctp port "},	{"tcp.dstport", "tcp dst port "},
	{"tcp.port", "tcp port "},    {"tcp.srcport", "tcp src port "}, {"udp.dstport", "udp dst port "},
	{"udp.port", "udp port "},    {"udp.srcport", "udp src port "}, {"vlan.id", "vlan "},
};

static const struct pair flags[] = {
	{"tcp.flags.ack", "tcp-ack"},	{"tcp.flags.fin", "tcp-fin"}, {"tcp.flags.push", "tcp-push"},
	{"tcp.flags.reset", "tcp-rst"}, {"tcp.flags.syn", "tcp-syn"},
};

static const char *const display_protocols[] = {"arp.",	 "dns.",    "eth.", "frame.", "http.", "http2.",
						"icmp.", "icmpv6.", "ip.",  "ipv6.",  "sctp.", "tcp.",
						"tls.",	 "ssl.",    "udp.", "vlan.",  "quic."};

static bool is_field(const char *word)
{
	for (size_t i = 0; i < COUNT(display_protocols); i++) {
		const char *rest = word + strlen(display_protocols[i]);

		if (strncmp(word, display_protocols[i], strlen(display_protocols[i])) == 0)
			return isalpha((unsigned char)*rest);
	}
	return false;
}

bool advice_is_display_filter(const char *text)
{
	static struct words words;

	split(text, &words);
	for (size_t i = 0; i < words.count; i++) {
		if (is_field(words.list[i]))
			return true;
	}
	return false;
}

struct rewriting {
	const struct words *words;
	char *out;
	size_t used;
	bool failed;
	char last[WORD_SIZE]; /* the last word of out, or "" */
};

static void put(struct rewriting *r, const char *text)
{
	const char *space = strrchr(text, ' ');
	bool joined = !r->used || strcmp(r->last, "(") == 0 || strcmp(r->last, "!") == 0 || strcmp(text, ")") == 0;
	int length = snprintf(r->out + r->used, ADVICE_SIZE - r->used, "%s%s", joined ? "" : " ", text);

	r->failed |= length < 0 || r->used + (size_t)length >= ADVICE_SIZE;
	if (r->failed)
		return;
	r->used += (size_t)length;
	snprintf(r->last, sizeof(r->last), "%s", space ? space + 1 : text);
}

static bool is_one_of(const char *word, const char *const *list)
{
	for (; *list; list++) {
		if (strcmp(word, *list) == 0)
			return true;
	}
	return false;
}

/* Does what follows belong to the last word, as 80 does to port? */
static bool wants_value(const char *last)
{
	static const char *const list[] = {"host",    "port", "net",	 "portrange", "proto",
					   "gateway", "less", "greater", "mask",      NULL};

	return is_one_of(last, list);
}

/* Does a new term begin here? */
static bool begins_term(const char *last)
{
	static const char *const list[] = {"", "and", "or", "not", "&&", "||", "!", "(", NULL};

	return is_one_of(last, list);
}

static bool is_number(const char *word)
{
	return word[0] && word[strspn(word, "0123456789")] == '\0';
}

static bool is_equal_sign(const char *word)
{
	static const char *const list[] = {"=", "==", "eq", NULL};

	return is_one_of(word, list);
}

/* "10.0.0.1", "10.0.0.0/8", "10.0.0.1:80" */
static bool is_address(const char *word)
{
	int dots = 0;

	for (const char *p = word; *p; p++)
		dots += *p == '.';
	return dots == 3 && word[strspn(word, "0123456789.:/")] == '\0';
}

/* A field, its sign and its value: 3 words, or 0 where that cannot be said. */
static size_t put_field(struct rewriting *r, size_t at)
{
	const char *name = r->words->list[at], *sign = at + 2 < r->words->count ? r->words->list[at + 1] : "";
	const char *value = sign[0] ? r->words->list[at + 2] : "", *flag = look_up(flags, COUNT(flags), name);
	const char *qualifier = look_up(fields, COUNT(fields), name);
	bool differs = strcmp(sign, "!=") == 0 || strcmp(sign, "ne") == 0;
	char text[2 * WORD_SIZE + 32], protocol[WORD_SIZE];

	if (flag && is_equal_sign(sign)) {
		snprintf(text, sizeof(text), "tcp[tcpflags] & %s %s 0", flag,
			 value[0] == '0' || value[0] == 'F' ? "=" : "!=");
	} else if (qualifier && (is_equal_sign(sign) || differs)) {
		snprintf(text, sizeof(text), "%s%s%s", differs ? "not " : "", qualifier, value);
	} else if (!sign[0] || begins_term(sign) || strcmp(sign, ")") == 0) {
		snprintf(protocol, sizeof(protocol), "%.*s", (int)strcspn(name, "."), name);
		qualifier = look_up(protocols, COUNT(protocols), protocol);
		put(r, qualifier ? qualifier : protocol);
		return 1;
	} else {
		return 0;
	}
	put(r, text);
	return 3;
}

static void put_address(struct rewriting *r, const char *word)
{
	char text[2 * WORD_SIZE];
	const char *colon = strchr(word, ':');

	if (begins_term(r->last) || (!wants_value(r->last) && is_keyword(r->last) && strcmp(r->last, "src") != 0 &&
				     strcmp(r->last, "dst") != 0))
		put(r, strchr(word, '/') ? "net" : "host");
	if (colon) {
		snprintf(text, sizeof(text), "%.*s and port %s", (int)(colon - word), word, colon + 1);
		put(r, text);
	} else {
		put(r, word);
	}
}

static void put_number(struct rewriting *r, const char *word)
{
	static const char *const transports[] = {"tcp", "udp", "sctp", NULL};

	if (is_number(r->last))
		put(r, "or");
	else if (begins_term(r->last) || is_one_of(r->last, transports))
		put(r, "port");
	put(r, word);
}

/* "tcp:80", "port:80", "80-90": two words, or a range. */
static bool put_pair(struct rewriting *r, const char *word)
{
	const char *middle = word + strcspn(word, ":-");
	char first[WORD_SIZE];

	if (!*middle || !is_number(middle + 1))
		return false;
	snprintf(first, sizeof(first), "%.*s", (int)(middle - word), word);
	if (*middle == '-' && is_number(first) && strcmp(r->last, "port") == 0) {
		r->used -= strlen("port");
		r->used -= r->used > 0;
		put(r, "portrange");
		put(r, word);
		return true;
	}
	if (*middle != ':' || !is_keyword(first))
		return false;
	put(r, first);
	put_number(r, middle + 1);
	return true;
}

static void put_word(struct rewriting *r, const char *word)
{
	const char *meant = look_up(protocols, COUNT(protocols), word);
	struct guess guess;

	if (wants_value(r->last) || is_keyword(word) || !isalpha((unsigned char)word[0])) {
		put(r, word);
	} else if (meant) {
		put(r, meant);
	} else {
		guess_begin(&guess, word);
		for (size_t i = 0; i < COUNT(keywords); i++)
			guess_try(&guess, keywords[i]);
		put(r, guess.best ? guess.best : word);
	}
}

static void lower(char *word)
{
	for (; *word; word++)
		*word = (char)tolower((unsigned char)*word);
}

/* How many words have been used; 0 where they cannot be said in other words. */
static size_t put_next(struct rewriting *r, size_t at)
{
	char word[WORD_SIZE];

	memcpy(word, r->words->list[at], sizeof(word));
	lower(word);
	if (wants_value(r->last) && isalpha((unsigned char)word[0]))
		memcpy(word, r->words->list[at], sizeof(word)); /* a name */
	if (is_field(word))
		return put_field(r, at);
	if (is_equal_sign(word) && (wants_value(r->last) || strcmp(r->last, "src") == 0 || strcmp(r->last, "dst") == 0))
		return 1;
	if (strcmp(word, ",") == 0 && at + 1 < r->words->count) {
		put(r, "or");
		put(r, r->words->list[at + 1]); /* with the qualifiers of the one before */
		return 2;
	}
	if (is_address(word))
		put_address(r, word);
	else if (is_number(word))
		put_number(r, word);
	else if (!put_pair(r, word))
		put_word(r, word);
	return 1;
}

bool advice_rewrite(const char *text, char meant[ADVICE_SIZE])
{
	static struct words words;
	struct rewriting r = {.words = &words, .out = meant};

	meant[0] = '\0';
	if (strlen(text) >= ADVICE_SIZE || !split(text, &words))
		return false;
	for (size_t at = 0, used; at < words.count; at += used) {
		used = put_next(&r, at);
		if (used == 0 || r.failed)
			return false;
	}
	return strcmp(meant, text) != 0;
}
