#include "request/conflicts.h"

#include <stdbool.h>
#include <string.h>

static int check_interfaces(const struct options *options, struct err *err)
{
	if (options->read_file && options->interface_count)
		return err_set(err, STATUS_USAGE, "-i %.60s cannot be combined with -r", options->interfaces[0]);
	for (int i = 0; options->interface_count > 1 && i < options->interface_count; i++) {
		const char *name = options->interfaces[i];

		if (strcmp(name, "all") == 0 || strcmp(name, "any") == 0)
			return err_set(err, STATUS_USAGE, "-i %s cannot be combined with other interfaces", name);
	}
	return 0;
}

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), end_length = strlen(end);

	return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

/* The name says what is in the file: one that promises what is not done would be believed. */
int conflicts_check_write_file(const struct options *options, struct err *err)
{
	static const struct {
		const char *end, *program;
	} packed[] = {{".gz", "gzip"}, {".tgz", "gzip"},  {".zst", "zstd"}, {".tzst", "zstd"}, {".xz", "xz"},
		      {".txz", "xz"},  {".bz2", "bzip2"}, {".lz4", "lz4"},  {".zip", "zip"}};
	const char *name = options->write_file, *what = options->raw ? "capture file" : "tar";

	if (!name || (options->recipients && ends_with(name, ".age")))
		return 0;
	for (size_t i = 0; i < sizeof(packed) / sizeof(packed[0]); i++) {
		if (ends_with(name, packed[i].end))
			return err_set(
				err, STATUS_USAGE,
				"-w %.200s: a plain %s would be written under that name: leave -w out and add '| %s > "
				"%.100s'%s",
				name, what, packed[i].program, name,
				options->raw ? "" : ", or take --compress zstd and a name that ends in .tar");
	}
	if (ends_with(name, ".age"))
		return err_set(
			err, STATUS_USAGE,
			"-w %.200s: nobody is named to encrypt to: add --to age1..., which 'age-keygen -o key.txt' "
			"prints, or --to FILE of such recipients",
			name);
	if (ends_with(name, ".gpg"))
		return err_set(
			err, STATUS_USAGE,
			"-w %.200s: tarcap encrypts to age keys alone: leave -w out and add '| gpg -e > %.100s', "
			"or take --to and a name that ends in .age",
			name, name);
	if (!options->raw && (ends_with(name, ".pcap") || ends_with(name, ".pcapng") || ends_with(name, ".cap")))
		return err_set(
			err, STATUS_USAGE,
			"-w %.200s: what is written is a tar of pcap files: give it a name that ends in .tar, or "
			"use --raw",
			name);
	return 0;
}

/* A row for each two that do not go together and need no value to say so. */
static int check_rows(const struct options *options, struct err *err)
{
	bool raw = options->raw, cut = options->segments || options->segment_size || options->segment_time;
	bool several = options->interface_count > 1 || options_all_interfaces(options);
	bool from_stdin = options->read_file && strcmp(options->read_file, "-") == 0;
	const struct {
		bool wrong;
		const char *says;
	} rows[] = {
		{options->record && raw, "--record cannot be combined with --raw: what it has is sent as an archive"},
		{options->record && options->segments,
		 "--record cannot be combined with -W: its memory says how many files are kept"},
		{options->keep && !options->record, "--keep takes --record SIZE: nothing else is kept"},
		{raw && options->format == FORMAT_PCAP && several,
		 "--raw: a pcap file has one link type: name one interface, or any, or add --format pcapng"},
		{options->read_file && options->action == ACTION_LIST_LINK_TYPES,
		 "-L/--list-data-link-types cannot be combined with -r: it asks an interface"},
		{options->headers && options->first,
		 "--first cannot be combined with --headers, which keeps no byte behind them"},
		{raw && cut, "--raw cannot be combined with -C, -G or -W: it is one file"},
		{raw && options->compression != COMPRESSION_NONE, "--raw cannot be combined with --compress"},
		{options->wait_reader && options->write_file,
		 "--wait-reader cannot be combined with -w FILE: nobody reads stdout"},
		{options->wait_reader && from_stdin,
		 "--wait-reader cannot be combined with -r -: stdin cannot be both the packets and the sign"},
		{options->format == FORMAT_PCAPNG && options->precision == PRECISION_MICRO,
		 "--time-stamp-precision micro cannot be combined with --format pcapng, which is in nanoseconds"},
	};

	for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
		if (rows[row].wrong)
			return err_set(err, STATUS_USAGE, "%s", rows[row].says);
	}
	return 0;
}

int conflicts_check(const struct options *options, struct err *err)
{
	if (check_interfaces(options, err) < 0 || conflicts_check_write_file(options, err) < 0)
		return -1;
	if (options->read_file && options->link_type)
		return err_set(err, STATUS_USAGE, "-y/--linktype %.60s cannot be combined with -r", options->link_type);
	if (options_check_reason(options->reason, err) < 0)
		return -1;
	return check_rows(options, err);
}
