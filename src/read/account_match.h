/*
 * The account of each interface: that it adds up, and that the files have what it says. A file is known by its series,
 * an interface by its name.
 */
#ifndef TARCAP_ACCOUNT_MATCH_H
#define TARCAP_ACCOUNT_MATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/account.h"
#include "read/defects.h"
#include "read/manifest_read.h"
#include "read/match.h"
#include "read/roll.h"

#define ACCOUNT_MATCH_INTERFACES 256

/* What the manifest says of an interface, and the packets of the files that are listed for it. */
struct account_match_interface {
	char name[64];
	uint64_t hash; /* of it */
	uint64_t written, listed;
	bool told; /* the manifest has an account of it */
	uint64_t received, dropped;
	uint64_t before_files;	 /* of those dropped, as the files that are listed have them */
	uint64_t before_no_file; /* and as the account has the others; UINT64_MAX where it does not tell */
	uint64_t lost_after;	 /* what was read and is not written: at the stop, by a limit, by the output, ... */
	uint64_t link_type, snapshot_length;
	uint64_t files, highest; /* listed, and their highest number */
	struct manifest_read_recorder recorder;
};

/* What the files of a series have: the header of the first, and all packets that are cut. */
struct account_match_series {
	char name[ROLL_NAME_SIZE];
	uint32_t link_type, snapshot_length;
	struct cut_by_first cut;
};

/* All zero is the beginning. */
struct account_match {
	size_t interface_count, series_count;
	struct account_match_interface interfaces[ACCOUNT_MATCH_INTERFACES];
	struct account_match_series series[ACCOUNT_MATCH_INTERFACES];
};

/* A manifest lists a file. */
void account_match_listed(struct account_match *match, struct defects *defects, const struct manifest_read_file *file);

/* manifest.json has an account. */
void account_match_told(struct account_match *match, struct defects *defects,
			const struct manifest_read_account *account);

/* A file of packets of the series of that name has a header that says so. */
void account_match_header(struct account_match *match, const char *name, uint32_t link_type, uint32_t snapshot_length);

/* A file of packets has come, whole and for the first time. */
void account_match_file(struct account_match *match, const struct match_file *file);

/* An interface's counters; false when there is no account for that series of files. */
bool account_match_counters(const struct account_match *match, const char *series, uint64_t *received,
			    uint64_t *dropped);

/* The archive is over, and every text of the manifest has been read. */
void account_match_finish(const struct account_match *match, struct defects *defects);

#endif
