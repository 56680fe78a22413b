/* The kernel's counters of protocols by name, as JSON: of the files of /proc/net that have them (proc(5)). */
#ifndef TARCAP_COUNTERS_H
#define TARCAP_COUNTERS_H

#include <stddef.h>

#include "archive/netstate.h"

#define COUNTERS_NAME_SIZE 64

/* What is being filled: {"Tcp": {"RetransSegs": 784, ...}, ...}. */
struct counters {
	struct netstate_text *text;
	char group[COUNTERS_NAME_SIZE]; /* that is open; "": none */
};

/* text is the caller's, as netstate.h says, and stays until the end. */
void counters_begin(struct counters *counters, struct netstate_text *text);

/*
 * Put the counters of a file's text into it: of pairs of lines, names above numbers, as in snmp and netstat; and of
 * lines of one name and number, as in snmp6, whose names begin with the protocol's ("Udp6InErrors" is InErrors of
 * Udp6). What is neither is passed over. A protocol's counters stand together in all of them.
 */
void counters_put(struct counters *counters, const char *file, size_t size);

/* On failure text->errnum is set, and what is in text is nothing. */
void counters_end(struct counters *counters);

#endif
