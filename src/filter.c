#include "filter.h"

#include <errno.h>
#include <linux/filter.h>
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

/*
 * The user's own text first: an error must not speak of words nobody typed, and "tcp) or (udp", which is an error,
 * would be none inside our brackets.
 */
static int compile_both(struct pcap *pcap, const char *term, const char *text, struct bpf_program *program,
			struct err *err)
{
	char *both;
	int result;

	if (compile(pcap, text, program, err) < 0)
		return -1;
	if (!term)
		return 0;
	pcap_freecode(program);
	both = with_term(term, text);
	if (!both)
		return err_set(err, STATUS_FAILED, "the filter: out of memory");
	result = compile(pcap, both, program, err);
	free(both);
	return result;
}

int filter_set(struct pcap *pcap, const char *term, const char *text, unsigned max, struct err *err)
{
	struct bpf_program program;
	int result;

	if (compile_both(pcap, term, text, &program, err) < 0)
		return -1;
	if (program.bf_len > max) {
		pcap_freecode(&program);
		return 1;
	}
	result = pcap_setfilter(pcap, &program);
	pcap_freecode(&program);
	if (result < 0)
		return err_set(err, STATUS_FAILED, "the filter: %s", pcap_geterr(pcap));
	return 0;
}

int filter_leave_to_kernel(struct pcap *pcap, int fd, struct err *err)
{
	static struct sock_filter instructions[FILTER_KERNEL_MAX];
	struct sock_fprog program = {0, instructions};
	socklen_t length = 0;

	/* The length is in instructions; asked with 0, the kernel only tells it: socket(7), SO_GET_FILTER. */
	/* cppcheck-suppress nullPointer ; with 0 nothing is written there */
	if (getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, NULL, &length) < 0 || length == 0 || length > FILTER_KERNEL_MAX ||
	    getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, instructions, &length) < 0)
		return 0;
	program.len = (unsigned short)length;
	if (filter_set(pcap, NULL, "", FILTER_KERNEL_MAX, err) < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0)
		return err_sys(err, errno, "the filter");
	return 1;
}

struct bpf_program *filter_compile(struct pcap *pcap, const char *term, const char *text, struct err *err)
{
	struct bpf_program *program = calloc(1, sizeof(*program));
	struct pcap *dead = pcap_open_dead(pcap_datalink(pcap), pcap_snapshot(pcap));
	int result = -1;

	if (program && dead)
		result = compile_both(dead, term, text, program, err);
	else
		err_set(err, STATUS_FAILED, "the filter: out of memory");
	if (dead)
		pcap_close(dead);
	if (result == 0)
		return program;
	free(program);
	return NULL;
}

void filter_free(struct bpf_program *program)
{
	if (program)
		pcap_freecode(program);
	free(program);
}

bool filter_matches(const struct bpf_program *program, const unsigned char *data, unsigned length, unsigned caplen)
{
	return bpf_filter(program->bf_insns, data, length, caplen) != 0;
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
