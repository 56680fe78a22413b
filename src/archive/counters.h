/* The kernel's counters of protocols by name, as JSON: of the files of /proc/net that have them (proc(5)). */
#ifndef TARCAP_COUNTERS_H
#define TARCAP_COUNTERS_H

#include <stddef.h>

#include "archive/netstate.h"
#include "base/json.h"

/*
 * Put the counters of a file's text into {"Tcp": {"RetransSegs": 784, ...}, ...}: of pairs of lines, names above
 * numbers, as in snmp and netstat; and of lines of one name and number, as in snmp6, whose names begin with the
 * protocol's ("Udp6InErrors" is InErrors of Udp6). What is neither is passed over.
 */
void counters_put(json_t **counters, const char *text, size_t size);

/* counters into text, which is the caller's as netstate.h says; they end here. */
void counters_write(struct netstate_text *text, json_t *counters);

#endif
