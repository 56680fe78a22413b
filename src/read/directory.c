#include "read/directory.h"

#include <stdint.h>
#include <string.h>

#include "format/naming.h"

static bool is_ours(const char *name)
{
	uint64_t number;
	bool compressed;

	return naming_kind(name, &compressed, &number) != NAMING_OTHER;
}

const char *directory_below(struct directory *directory, const char *path)
{
	const char *name = naming_begin(path);
	size_t length = (size_t)(name - path);

	if (!directory->known && is_ours(name) && !naming_is_leftover(path)) {
		memcpy(directory->path, path, length);
		directory->path[length] = '\0';
		directory->known = true;
	}
	if (!directory->known || strncmp(path, directory->path, strlen(directory->path)) != 0)
		return NULL;
	return path + strlen(directory->path);
}
