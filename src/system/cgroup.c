#include "system/cgroup.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PATH_SIZE 1024
#define LIMIT_NONE (UINT64_C(1) << 60) /* from here on it is none: version 1 has no word for that */

struct version {
	const char *controller; /* in /proc/self/cgroup */
	const char *top;
	const char *limit, *used;
	const char *cache; /* in memory.stat: pages of files that the kernel takes back first, as the kubelet reckons */
	const char *above; /* in memory.stat: the least limit of all groups above, which may not be visible; or NULL */
};

/* clang-format off */
static const struct version versions[] = {
	{"memory", "sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file ",
	 "hierarchical_memory_limit "},
	{"", "sys/fs/cgroup", "memory.max", "memory.current", "inactive_file ", NULL},
};
/* clang-format on */

static bool has_word(const char *list, const char *word)
{
	size_t length = strlen(word);

	for (const char *at = list; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
		if (strncmp(at, word, length) == 0 && (at[length] == ',' || at[length] == '\0'))
			return true;
	}
	return false;
}

/* The path in the line of our hierarchy: "4:cpu,memory:/path", or "0::/path" in version 2. NULL: it is another. */
static const char *path_in(char *line, const struct version *version)
{
	char *list = strchr(line, ':'), *path = list ? strchr(list + 1, ':') : NULL;

	if (!path)
		return NULL;
	*path++ = '\0';
	path[strcspn(path, "\n")] = '\0';
	/* Of a group that lies outside of our namespace, nothing can be seen below the top. */
	return has_word(list + 1, version->controller) && !strstr(path, "/..") ? path : NULL;
}

/* The group's directory, or the top of the hierarchy. */
static void own_directory(const char *root, const struct version *version, char directory[PATH_SIZE])
{
	char name[PATH_SIZE], line[PATH_SIZE];
	const char *path = NULL;
	FILE *file;

	snprintf(name, sizeof(name), "%s/proc/self/cgroup", root);
	file = fopen(name, "re");
	while (file && !path && fgets(line, sizeof(line), file))
		path = path_in(line, version);
	if (file)
		fclose(file);
	if (snprintf(directory, PATH_SIZE, "%s/%s%s", root, version->top, path ? path : "") >= PATH_SIZE)
		snprintf(directory, PATH_SIZE, "%s/%s", root, version->top);
}

/* The number behind the key, with which its line begins; missing if there is none, as for the word "max". */
static uint64_t read_number(const char *directory, const char *name, const char *key, uint64_t missing)
{
	char path[PATH_SIZE + 64], line[256];
	uint64_t number = missing;
	bool found = false;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "re");
	while (file && !found && fgets(line, sizeof(line), file))
		found = strncmp(line, key, strlen(key)) == 0 && sscanf(line + strlen(key), "%" SCNu64, &number) == 1;
	if (file)
		fclose(file);
	return number;
}

/* Bytes that are used and cannot be given back at once. */
static uint64_t used_in(const char *directory, const struct version *version)
{
	uint64_t used = read_number(directory, version->used, "", 0);
	uint64_t cache = read_number(directory, "memory.stat", version->cache, 0);

	return used > cache ? used - cache : 0;
}

/* One group: note its limit where that leaves less than those before. False: no group above has one, either. */
static bool take_limit(const char *directory, const struct version *version, struct cgroup_memory *memory)
{
	uint64_t limit = read_number(directory, version->limit, "", UINT64_MAX), used, left, above = 0;

	if (version->above)
		above = read_number(directory, "memory.stat", version->above, 0);
	if (above && above < limit)
		limit = above;
	if (limit >= LIMIT_NONE)
		return above < LIMIT_NONE;
	used = used_in(directory, version);
	left = limit > used ? limit - used : 0;
	if (!memory->limit || left < memory->left) {
		memory->limit = limit;
		memory->left = left;
	}
	return true;
}

static bool has(const char *directory, const char *name)
{
	char path[PATH_SIZE + 64];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return access(path, F_OK) == 0;
}

/* Our group, and those above it up to the top. */
static void climb(const char *root, const struct version *version, struct cgroup_memory *memory)
{
	char directory[PATH_SIZE];
	size_t top = strlen(root) + 1 + strlen(version->top);

	own_directory(root, version, directory);
	for (;;) {
		char *slash;

		if (has(directory, version->used)) {
			memory->seen = true;
			if (!take_limit(directory, version, memory))
				return; /* the top's memory.stat takes milliseconds */
		}
		slash = strrchr(directory, '/');
		if (!slash || strlen(directory) <= top)
			return;
		*slash = '\0';
	}
}

struct cgroup_memory cgroup_memory(const char *root)
{
	struct cgroup_memory memory = {0};

	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]) && !memory.seen; i++)
		climb(root, &versions[i], &memory);
	return memory;
}
