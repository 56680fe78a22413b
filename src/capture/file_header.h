/* What stands in front of the packets: a pcap file's header, or a pcapng section's header and its interface. */
#ifndef TARCAP_FILE_HEADER_H
#define TARCAP_FILE_HEADER_H

#include <stddef.h>

#include "base/err.h"
#include "capture/capture.h"
#include "format/pcapng.h"
#include "request/options.h"

/* A pcapng section that tells host, reason and version. Returns its bytes, at most PCAPNG_SECTION_MAX. */
MUST_CHECK size_t file_header_section(unsigned char *to, const struct options *options);

/*
 * An interface of it, called name. Returns its bytes, at most PCAPNG_INTERFACE_MAX, or 0 with *err: libpcap has no
 * number for its link type.
 */
MUST_CHECK size_t file_header_interface(unsigned char *to, const struct options *options, struct capture *capture,
					const char *name, struct err *err);

/* All that one interface's files begin with, in the format that options ask for. Returns its bytes, or 0 with *err. */
MUST_CHECK size_t file_header_make(unsigned char front[PCAPNG_FRONT_MAX], const struct options *options,
				   struct capture *capture, const char *name, struct err *err);

#endif
