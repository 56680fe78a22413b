/* The objects that the two JSON members are made of. Each is the caller's; NULL when there was no memory. */
#ifndef TARCAP_MANIFEST_JSON_H
#define TARCAP_MANIFEST_JSON_H

#include "archive/manifest.h"
#include "base/json.h"

/* "pcap" or "pcapng", which is the end of a file's name, too. */
const char *manifest_json_format(bool pcapng);

/* Is it of a recorder, ours or another process'? */
bool manifest_json_records(const struct manifest_setup *setup);

/* The manifest's version, and capture.json's: readers of the old one need not know what the new one has more. */
unsigned manifest_json_version(const struct manifest_setup *setup);

json_t *manifest_json_limits(const struct manifest_setup *setup);
json_t *manifest_json_memory(const struct manifest_setup *setup);

/* Each interface, and with accounts what became of its packets. */
json_t *manifest_json_interfaces(const struct manifest_setup *setup, bool accounts);

/* What a recorder has overwritten. */
json_t *manifest_json_overwritten(const struct overwritten *overwritten);

/* Put the interfaces that are not captured, and why. */
void manifest_json_put_left_out(json_t **head, const struct capture_set *captures);

/* What a recorder's capture.json has under this name. */
json_t *manifest_json_told(const json_t *told, const char *name);

/* What --first has cut, of one interface or all: packets and bytes. */
json_t *manifest_json_cut(const struct account *account);

/*
 * The event that --until waited for, or null: none has come. member: the name of the packet's file; NULL: it is not in
 * the archive.
 */
json_t *manifest_json_event(const struct capture_event *event, const char *member);

/* All of capture.json: what was asked for, who asked, and where. started: ns since the epoch; clock_offset: ns. */
json_t *manifest_json_capture(const struct manifest_setup *setup, uint64_t started, uint64_t clock_offset);

#endif
