/* What those who write the archive's JSON members and those who read them agree on. */
#ifndef TARCAP_MANIFEST_LAYOUT_H
#define TARCAP_MANIFEST_LAYOUT_H

#include "base/json.h"

#define MANIFEST_VERSION 1	    /* raised when a reader of the old one would misread the new */
#define MANIFEST_VERSION_RECORDER 2 /* with --record, --until or --first: the account has more parts */
#define MANIFEST_LEFT_OUT 64	    /* interfaces that are named as not captured; of more, only the number is told */

/* The numbers of "overwritten", a struct overwritten, and of "cut_by_first", a struct cut_by_first (base/account.h). */
extern const struct json_field manifest_layout_overwritten[];
extern const struct json_field manifest_layout_cut[];

#endif
