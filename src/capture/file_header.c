#include "capture/file_header.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/version.h"

size_t file_header_section(unsigned char *to, const struct options *options)
{
	struct pcapng_section section = {.comment = ""};
	struct utsname system = {0};
	char text[REASON_MAX_LENGTH + sizeof(system.nodename) + 100];

	uname(&system);
	snprintf(text, sizeof(text), "host: %s%s%s; version: tarcap %s", system.nodename,
		 options->reason ? "; reason: " : "", options->reason ? options->reason : "", VERSION_TEXT);
	pcapng_text(section.comment, sizeof(section.comment), text);
	snprintf(text, sizeof(text), "%s %s", system.sysname, system.release);
	pcapng_text(section.os, sizeof(section.os), text);
	snprintf(section.application, sizeof(section.application), "tarcap %s", VERSION_TEXT);
	return pcapng_put_section(to, &section);
}

/* What was asked for, and what the interface's capture leaves out besides. */
static void filter_text(const struct options *options, const struct capture *capture, char *text, size_t size)
{
	const char *filter = options->filter;

	if (!capture->excluded[0])
		snprintf(text, size, "%s", filter);
	else
		snprintf(text, size, "not (%s)%s%s%s", capture->excluded, filter[0] ? " and (" : "", filter,
			 filter[0] ? ")" : "");
}

size_t file_header_interface(unsigned char *to, const struct options *options, struct capture *capture,
			     const char *name, struct err *err)
{
	unsigned char header[PACKET_FILE_HEADER];
	struct pcapng_interface interface = {.snaplen = capture->snaplen};
	/* Longer than there is room for, so that it shows that it is cut. */
	char text[sizeof(interface.filter) + 1];

	if (capture_file_header(capture, header, err) < 0)
		return 0;
	/* libpcap's numbers for link types are its own, those of files are in the file header. */
	memcpy(&interface.link_type, header + 20, sizeof(interface.link_type));
	pcapng_text(interface.name, sizeof(interface.name), name);
	snprintf(text, sizeof(text), "%s %s %s", name, options->read_file ? "in" : "on", options->name);
	pcapng_text(interface.description, sizeof(interface.description), text);
	filter_text(options, capture, text, sizeof(text));
	pcapng_text(interface.filter, sizeof(interface.filter), text);
	return pcapng_put_interface(to, &interface);
}

size_t file_header_make(unsigned char front[PCAPNG_FRONT_MAX], const struct options *options, struct capture *capture,
			const char *name, struct err *err)
{
	size_t section, interface;

	if (options->format == FORMAT_PCAP)
		return capture_file_header(capture, front, err) < 0 ? 0 : PACKET_FILE_HEADER;
	section = file_header_section(front, options);
	interface = file_header_interface(front + section, options, capture, name, err);
	return interface ? section + interface : 0;
}
