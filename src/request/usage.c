#include "request/usage.h"

#include <stdio.h>

#define COLUMN 33 /* where the lines begin, as those of the flags do */

const struct usage usage_commands[] = {
	{"join", "[FILE] > x.pcap", "an archive as one pcap file, checked"},
	{"summary", "[FILE]", "an archive on one page: who talked with whom"},
	{"check", "[OPTION]...", "whether a capture would work here, or why not"},
	{"hold", "[-- CAPTURE]", "stay idle in a container, for captures in it"},
	{"snapshot", "[OPTION]...", "what the hold has recorded, as an archive"},
	{"stop", "", "end this container's captures and its hold"},
	{"tar", "cf - PATH", "what 'kubectl cp' runs; /capture captures"},
	{"help", "[COMMAND]", "the same as COMMAND --help"},
};

const size_t usage_command_count = sizeof(usage_commands) / sizeof(usage_commands[0]);

void usage_print(void)
{
	for (size_t i = 0; i < usage_command_count; i++) {
		char left[COLUMN];

		snprintf(left, sizeof(left), "tarcap %s %s", usage_commands[i].name, usage_commands[i].synopsis);
		printf("  %-*s%s\n", COLUMN - 2, left, usage_commands[i].line);
	}
}
