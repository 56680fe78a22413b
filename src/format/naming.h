/* What a member is, by its name, without the archive's directory in front. */
#ifndef TARCAP_NAMING_H
#define TARCAP_NAMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NAMING_SERIES_MAX 32 /* bytes of an interface's name that its series has */

enum naming_kind {
	NAMING_OTHER,
	NAMING_PACKETS,	 /* "eth0_00001_20261122084500.pcap" or .pcapng, or with ".zst" behind it */
	NAMING_MANIFEST, /* "manifest.json", or a part of it, "manifest_00001.json" */
	NAMING_CONTEXT,	 /* "context/start/hosts" */
	NAMING_CAPTURE,	 /* "capture.json" */
};

/* compressed: it ends in .zst. number: a manifest part's; 0 for manifest.json. */
enum naming_kind naming_kind(const char *name, bool *compressed, uint64_t *number);

/* Where in a path the name begins that may be one of an archive's members: behind the last slash, or at "context/". */
const char *naming_begin(const char *path);

/* Is it below a PaxHeader directory: an extended header that a tar without pax has unpacked as a file? */
bool naming_is_leftover(const char *path);

/* The series ("eth0") of a file of packets, as the length of its name, and the file's number in it; else 0. */
size_t naming_series(const char *name, uint64_t *number);

/* Is that the series of the interface's files: its name, with '-' for what a file's name cannot have? */
bool naming_is_series(const char *series, const char *interface);

#endif
