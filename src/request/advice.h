/* What was probably meant by a filter that libpcap refuses. */
#ifndef TARCAP_ADVICE_H
#define TARCAP_ADVICE_H

#include <stdbool.h>
#include <stddef.h>

#define ADVICE_SIZE 240 /* bytes of an advice, or of a filter that is meant */

/*
 * Is text no filter at all, but a command that is misspelt or that other programs have, a file, an interface, or this
 * program's name once more? Then advice is a sentence about it.
 */
bool advice_no_filter(const char *text, char advice[ADVICE_SIZE]);

/*
 * text in pcap-filter(7)'s language, where it is a display filter, has protocols that are ports, lists, values without
 * their qualifier, capitals or misspelt words. False where it is that already, or too long. Whether meant is a filter,
 * the caller has to try.
 */
bool advice_rewrite(const char *text, char meant[ADVICE_SIZE]);

/* Is there a field of Wireshark's display filters in it? */
bool advice_is_display_filter(const char *text);

#endif
