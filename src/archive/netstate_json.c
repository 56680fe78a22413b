#include "archive/netstate_json.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/clock.h"

#define TAIL_SIZE 64 /* bytes that the text's end takes at most */
#define NAME_SIZE 32

/* clang-format off */
const struct netstate_word netstate_scopes[] = {
	{RT_SCOPE_UNIVERSE, "global"}, {RT_SCOPE_SITE, "site"}, {RT_SCOPE_LINK, "link"}, {RT_SCOPE_HOST, "host"},
	{RT_SCOPE_NOWHERE, "nowhere"}, {0}};
/* clang-format on */

json_t *netstate_json_word(const struct netstate_word *words, unsigned number)
{
	for (; words->name; words++) {
		if (words->number == number)
			return json_string(words->name);
	}
	return json_sprintf("%u", number);
}

json_t *netstate_json_words(const struct netstate_word *words, unsigned bits)
{
	json_t *list = json_array();

	for (; words->name; words++) {
		if (bits & words->number)
			json_append(&list, json_string(words->name));
	}
	return list;
}

json_t *netstate_json_name(const void *data, size_t size)
{
	char name[NAME_SIZE];

	snprintf(name, sizeof(name), "%.*s", (int)size, (const char *)data);
	for (char *p = name; *p; p++) {
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	}
	return json_string(name);
}

json_t *netstate_json_interface(struct netstate_names *names, uint32_t index)
{
	if (names->last.ifr_ifindex != (int)index) {
		names->last = (struct ifreq){.ifr_ifindex = (int)index};
		if (ioctl(names->fd, SIOCGIFNAME, &names->last) < 0)
			snprintf(names->last.ifr_name, sizeof(names->last.ifr_name), "if%u", index);
		names->last.ifr_ifindex = (int)index;
	}
	return netstate_json_name(names->last.ifr_name, sizeof(names->last.ifr_name));
}

const char *netstate_family(int family)
{
	return family == AF_INET ? "inet" : "inet6";
}

size_t netstate_address_size(int family)
{
	return family == AF_INET ? 4 : family == AF_INET6 ? 16 : 0;
}

json_t *netstate_json_address(int family, const void *data, size_t size)
{
	char text[INET6_ADDRSTRLEN];

	if (!data || !netstate_address_size(family) || size < netstate_address_size(family))
		return NULL;
	return json_string(inet_ntop(family, data, text, sizeof(text)));
}

json_t *netstate_json_link_address(const unsigned char *data, size_t size)
{
	char text[3 * 32 + 1] = "";

	for (size_t i = 0; i < size && i < 32; i++)
		snprintf(text + (i ? 3 * i - 1 : 0), 4, i ? ":%02x" : "%02x", data[i]);
	return json_string(text);
}

void netstate_begin(struct netstate_text *text, const char *name, uint64_t time)
{
	char when[CLOCK_TEXT_SIZE];

	text->used = (size_t)snprintf(text->text, text->size, "{\"time\": \"%s\",\n\"%s\": [",
				      clock_rfc3339(time, when), name);
}

bool netstate_add(struct netstate_text *text, json_t *entry)
{
	const char *front = text->text[text->used - 1] == '[' ? "\n" : ",\n";
	size_t taken = text->used + strlen(front) + TAIL_SIZE, room = taken < text->size ? text->size - taken : 0;
	size_t size;

	size = json_dumpb(entry, text->text + text->used + strlen(front), room, JSON_COMPACT | JSON_ENSURE_ASCII);
	json_decref(entry);
	if (size == 0) {
		text->errnum = ENOMEM;
		return false;
	}
	if (size > room) {
		text->cut = true;
		return false;
	}
	memcpy(text->text + text->used, front, strlen(front));
	text->used += strlen(front) + size;
	return true;
}

void netstate_end(struct netstate_text *text)
{
	text->used += (size_t)snprintf(text->text + text->used, text->size - text->used,
				       "\n],\n\"cut\": %s, \"changed\": %s}\n", text->cut ? "true" : "false",
				       text->changed ? "true" : "false");
}

void netstate_ask(struct netstate_text *text, int fd, uint16_t request, rtnetlink_entry *entry, void *context)
{
	enum rtnetlink_result result = text->errnum ? RTNETLINK_WHOLE : rtnetlink_list(fd, request, entry, context);

	if (result == RTNETLINK_FAILED)
		text->errnum = errno;
	text->changed |= result == RTNETLINK_CHANGED;
}
