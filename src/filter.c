#include "filter.h"

#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static int compile(struct pcap *pcap, const char *text, struct bpf_program *program, struct err *err)
{
	if (pcap_compile(pcap, program, text, 1, PCAP_NETMASK_UNKNOWN) < 0)
		return err_set(err, STATUS_USAGE, "the filter '%.200s': %s", text, pcap_geterr(pcap));
	return 0;
}

static char *with_term(const char *term, const char *text)
{
	size_t size = strlen(term) + strlen(text) + sizeof(" and ()");
	char *both = malloc(size);

	if (both)
		snprintf(both, size, text[strspn(text, " \t\n")] ? "%s and (%s)" : "%s", term, text);
	return both;
}

int filter_set(struct pcap *pcap, const char *term, const char *text, struct err *err)
{
	struct bpf_program program;
	char *both = NULL;
	int result;

	/* The user's own text first: an error must not speak of words nobody typed. */
	if (compile(pcap, text, &program, err) < 0)
		return -1;
	if (term) {
		pcap_freecode(&program);
		both = with_term(term, text);
		if (!both)
			return err_set(err, STATUS_FAILED, "the filter: out of memory");
		result = compile(pcap, both, &program, err);
		free(both);
		if (result < 0)
			return -1;
	}
	result = pcap_setfilter(pcap, &program);
	pcap_freecode(&program);
	if (result < 0)
		return err_set(err, STATUS_FAILED, "the filter: %s", pcap_geterr(pcap));
	return 0;
}

bool filter_in_kernel(int fd)
{
	socklen_t instructions = 0;

	/* Asked with length 0 the kernel answers with the filter's length: socket(7), SO_GET_FILTER. */
	return getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, NULL, &instructions) == 0 && instructions > 0;
}

int filter_dump(struct pcap *pcap, const char *text, int level, struct err *err)
{
	struct bpf_program program;

	if (compile(pcap, text, &program, err) < 0)
		return -1;
	bpf_dump(&program, level);
	pcap_freecode(&program);
	return 0;
}

int filter_dump_ethernet(const char *text, int snaplen, int level, struct err *err)
{
	struct pcap *pcap = pcap_open_dead(DLT_EN10MB, snaplen);
	int result;

	if (!pcap)
		return err_set(err, STATUS_FAILED, "the filter: out of memory");
	result = filter_dump(pcap, text, level, err);
	pcap_close(pcap);
	return result;
}
