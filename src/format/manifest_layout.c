#include "format/manifest_layout.h"

#include "base/account.h"

const struct json_field manifest_layout_overwritten[] = {
	{"files", offsetof(struct overwritten, files)},
	{"packets", offsetof(struct overwritten, packets)},
	{"bytes", offsetof(struct overwritten, bytes)},
	{"dropped", offsetof(struct overwritten, dropped)},
	{0},
};

const struct json_field manifest_layout_cut[] = {
	{"packets", offsetof(struct cut_by_first, packets)},
	{"bytes", offsetof(struct cut_by_first, bytes)},
	{0},
};
