/*
 * A long filter of alternatives, in parts that can be compiled one by one. libpcap's optimizer takes time with the
 * third power of a filter's length (its issue 1255): a list of 1,000 hosts takes minutes, ten lists of 100 a second.
 */
#ifndef TARCAP_FILTER_SPLIT_H
#define TARCAP_FILTER_SPLIT_H

#include <stdbool.h>
#include <stddef.h>

#define FILTER_SPLIT_PART 32 /* alternatives in a part, at least */
#define FILTER_SPLIT_PARTS 512

struct filter_split {
	bool negated; /* not (A or B or ...) */
	size_t count; /* of parts; 1 where the text is no such list, or a short one */
	struct filter_split_part {
		const char *text;
		size_t length;
	} parts[FILTER_SPLIT_PARTS];
};

/*
 * Split text, a pcap-filter(7) expression, so that it means "part or part or ...", or the opposite where it is negated.
 * A part begins only where a qualifier does, because "port 80 or 81" leaves one out; where something else is in the
 * text that reaches beyond an "or" (and, vlan, arithmetic), it stays whole. It need not be a valid expression: then a
 * part is none either.
 */
void filter_split(const char *text, struct filter_split *terms);

#endif
