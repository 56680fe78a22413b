#include "capture/filter.h"

#include <errno.h>
#include <linux/filter.h>
#include <pcap/pcap.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "capture/filter_headers.h"
#include "capture/filter_split.h"
#include "request/advice.h"

_Static_assert(sizeof(struct bpf_insn) == sizeof(struct sock_filter), "libpcap's instructions are the kernel's");

static int optimize = 1; /* pcap_compile() takes an int */

void filter_no_optimize(void)
{
	optimize = 0;
}

/*
 * protochain alone compiles to a jump back. Kernels refuse that, and libpcap before 1.10.7 follows it for as long as a
 * packet says, which may be for ever (CVE-2026-6554): an authentication header that names itself as the next one does.
 */
static bool jumps_back(const struct bpf_program *program)
{
	for (unsigned i = 0; i < program->bf_len; i++) {
		if (program->bf_insns[i].code == (BPF_JMP | BPF_JA) && program->bf_insns[i].k > INT32_MAX)
			return true;
	}
	return false;
}

/*
 * Append next to program, whose returns that accept (or those that do not) go on there instead. next is freed. A jump
 * without a condition reaches everywhere and takes the place of one return, so nothing else moves.
 */
static int link_programs(struct bpf_program *program, bool accepting, struct bpf_program *next)
{
	unsigned length = program->bf_len, all = length + next->bf_len;
	struct bpf_insn *both = calloc(all, sizeof(*both));

	if (!both)
		return -1;
	for (unsigned i = 0; i < all; i++)
		both[i] = i < length ? program->bf_insns[i] : next->bf_insns[i - length];
	for (unsigned i = 0; i < length; i++) {
		if (BPF_CLASS(both[i].code) == BPF_RET && (both[i].k != 0) == accepting)
			both[i] = (struct bpf_insn)BPF_STMT(BPF_JMP | BPF_JA, length - i - 1);
	}
	pcap_freecode(program);
	pcap_freecode(next);
	*program = (struct bpf_program){all, both};
	return 0;
}

static void negate(struct bpf_program *program, unsigned accept)
{
	for (unsigned i = 0; i < program->bf_len; i++) {
		if (BPF_CLASS(program->bf_insns[i].code) == BPF_RET)
			program->bf_insns[i].k = program->bf_insns[i].k ? 0 : accept;
	}
}

static int compile_part(struct pcap *pcap, const struct filter_split_part *part, struct bpf_program *program)
{
	char *text = strndup(part->text, part->length);
	int result = text ? pcap_compile(pcap, program, text, optimize, PCAP_NETMASK_UNKNOWN) : -1;

	free(text);
	return result == 0 && program->bf_len > 0 ? 0 : -1;
}

/* False where a part is no filter by itself: one that no packet can pass, or none at all. */
static bool compile_parts(struct pcap *pcap, const struct filter_split *terms, struct bpf_program *program)
{
	struct bpf_program part;

	*program = (struct bpf_program){0};
	for (size_t i = 0; i < terms->count; i++) {
		bool compiled = compile_part(pcap, &terms->parts[i], &part) == 0;

		if (compiled && !jumps_back(&part) && link_programs(program, false, &part) == 0)
			continue;
		if (compiled)
			pcap_freecode(&part);
		pcap_freecode(program);
		return false;
	}
	if (terms->negated)
		negate(program, (unsigned)pcap_snapshot(pcap));
	return true;
}

static bool compile_long(struct pcap *pcap, const char *text, struct bpf_program *program)
{
	static struct filter_split terms;

	filter_split(text, &terms);
	return terms.count > 1 && compile_parts(pcap, &terms, program);
}

static bool is_filter(struct pcap *pcap, const char *text)
{
	struct bpf_program program;
	bool compiled = pcap_compile(pcap, &program, text, optimize, PCAP_NETMASK_UNKNOWN) == 0;

	if (compiled)
		pcap_freecode(&program);
	return compiled;
}

/* libpcap has just refused text: say what was meant where that can be told, and what libpcap says otherwise. */
static int refuse(struct pcap *pcap, const char *text, struct err *err)
{
	char said[PCAP_ERRBUF_SIZE], meant[ADVICE_SIZE];
	bool display = advice_is_display_filter(text);

	snprintf(said, sizeof(said), "%s", pcap_geterr(pcap));
	if (advice_rewrite(text, meant) && is_filter(pcap, meant))
		return err_set(err, STATUS_USAGE, "the filter '%.100s': %sdid you mean '%s'?", text,
			       display ? "that is a display filter; " : "", meant);
	if (strstr(said, "syntax error") && advice_no_filter(text, meant))
		return err_set(err, STATUS_USAGE, "'%.100s' is no filter: %s", text, meant);
	if (strstr(said, "syntax error") && display)
		return err_set(
			err, STATUS_USAGE,
			"the filter '%.200s': that is a display filter; a capture needs pcap-filter(7)'s language, "
			"such as 'tcp port 443'",
			text);
	return err_set(err, STATUS_USAGE, "the filter '%.200s': %s", text, said);
}

static int compile(struct pcap *pcap, const char *text, struct bpf_program *program, struct err *err)
{
	if (compile_long(pcap, text, program))
		return 0;
	if (pcap_compile(pcap, program, text, optimize, PCAP_NETMASK_UNKNOWN) < 0)
		return refuse(pcap, text, err);
	if (!jumps_back(program))
		return 0;
	pcap_freecode(program);
	return err_set(
		err, STATUS_USAGE,
		"the filter '%.200s': protochain is not offered, as a packet can keep it busy for ever: use proto",
		text);
}

static char *with_term(const char *term, const char *text)
{
	size_t size = strlen(term) + strlen(text) + sizeof(" and ()");
	char *both = malloc(size);

	if (both)
		snprintf(both, size, text[strspn(text, " \t\n")] ? "%s and (%s)" : "%s", term, text);
	return both;
}

/* program is the user's filter, and freed on failure: let term come first. */
static int put_in_front(struct pcap *pcap, const char *term, struct bpf_program *program, struct err *err)
{
	struct bpf_program both = {0};

	if (compile(pcap, term, &both, err) == 0 && link_programs(&both, true, program) == 0) {
		program->bf_len = both.bf_len;
		program->bf_insns = both.bf_insns;
		return 0;
	}
	free(both.bf_insns);
	pcap_freecode(program);
	return err_set(err, STATUS_FAILED, "the filter: out of memory");
}

/* As one text, for a better program, and one that is refused where no packet can pass both. */
static int compile_together(struct pcap *pcap, const char *term, const char *text, struct bpf_program *program,
			    struct err *err)
{
	char *both = with_term(term, text);
	int result;

	if (!both)
		return err_set(err, STATUS_FAILED, "the filter: out of memory");
	result = compile(pcap, both, program, err);
	free(both);
	return result;
}

/*
 * The user's own text first: an error must not speak of words nobody typed, and "tcp) or (udp", which is an error,
 * would be none inside our brackets.
 */
static int compile_both(struct pcap *pcap, const char *term, const char *text, struct bpf_program *program,
			struct err *err)
{
	if (compile_long(pcap, text, program))
		return term ? put_in_front(pcap, term, program, err) : 0;
	if (compile(pcap, text, program, err) < 0)
		return -1;
	if (!term)
		return 0;
	pcap_freecode(program);
	return compile_together(pcap, term, text, program, err);
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

/* The filter that the kernel has for fd: how many instructions, 0 for none. */
static unsigned kernels_filter(int fd, struct sock_filter instructions[FILTER_KERNEL_MAX])
{
	socklen_t length = 0;

	/* The length is in instructions; asked with 0, the kernel only tells it: socket(7), SO_GET_FILTER. */
	/* cppcheck-suppress nullPointer ; with 0 nothing is written there */
	if (getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, NULL, &length) < 0 || length == 0 || length > FILTER_KERNEL_MAX ||
	    getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, instructions, &length) < 0)
		return 0;
	return length;
}

int filter_leave_to_kernel(struct pcap *pcap, int fd, struct err *err)
{
	static struct sock_filter instructions[FILTER_KERNEL_MAX];
	struct sock_fprog program = {0, instructions};

	program.len = (unsigned short)kernels_filter(fd, instructions);
	if (program.len == 0)
		return 0;
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

static struct filter_headers headers_for(struct pcap *pcap, bool in_kernel)
{
	return (struct filter_headers){pcap_datalink(pcap), in_kernel, (uint32_t)pcap_snapshot(pcap)};
}

bool filter_cut_in_kernel(struct pcap *pcap, int fd)
{
	static struct sock_filter instructions[FILTER_KERNEL_MAX];
	struct sock_fprog program = {0, instructions};
	struct filter_headers headers = headers_for(pcap, true);
	unsigned length = kernels_filter(fd, instructions);

	if (length > 0)
		length = filter_headers_append(instructions, length, FILTER_KERNEL_MAX, &headers);
	program.len = (unsigned short)length;
	return length > 0 && setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) == 0;
}

struct bpf_program *filter_headers(struct pcap *pcap, struct err *err)
{
	struct sock_filter *instructions = calloc(FILTER_HEADERS_INSTRUCTIONS_MAX, sizeof(*instructions));
	struct bpf_program *program = calloc(1, sizeof(*program));
	struct filter_headers headers = headers_for(pcap, false);

	if (program && instructions) {
		program->bf_len = filter_headers_program(instructions, &headers);
		program->bf_insns = (struct bpf_insn *)instructions;
		return program;
	}
	free(instructions);
	free(program);
	err_set(err, STATUS_FAILED, "--headers: out of memory");
	return NULL;
}

unsigned filter_header_length(const struct bpf_program *headers, const unsigned char *data, unsigned caplen)
{
	/* caplen for the length, too: the program loads nothing behind that, and so never says 0. */
	unsigned length = bpf_filter(headers->bf_insns, data, caplen, caplen);

	return length < caplen ? length : caplen;
}

/* A copy of program with the cut behind it; NULL without memory. */
static struct bpf_insn *with_headers(struct pcap *pcap, const struct bpf_program *program, unsigned *length)
{
	unsigned max = program->bf_len + FILTER_HEADERS_INSTRUCTIONS_MAX;
	struct sock_filter *both = calloc(max, sizeof(*both));
	struct filter_headers headers = headers_for(pcap, false);

	if (!both)
		return NULL;
	memcpy(both, program->bf_insns, program->bf_len * sizeof(*both));
	*length = filter_headers_append(both, program->bf_len, max, &headers);
	return (struct bpf_insn *)both;
}

int filter_dump(struct pcap *pcap, const char *text, bool headers, int level, struct err *err)
{
	struct bpf_program program;
	struct bpf_insn *both;
	unsigned length = 0;

	if (compile(pcap, text, &program, err) < 0)
		return -1;
	both = headers ? with_headers(pcap, &program, &length) : NULL;
	if (length > 0) {
		pcap_freecode(&program);
		program = (struct bpf_program){length, both};
	}
	bpf_dump(&program, level);
	pcap_freecode(&program);
	return 0;
}

int filter_dump_unopened(const char *link_type, const char *text, int snaplen, bool headers, int level, struct err *err)
{
	int number = link_type ? pcap_datalink_name_to_val(link_type) : DLT_EN10MB;
	struct pcap *pcap;
	int result;

	if (number < 0)
		return err_set(err, STATUS_USAGE,
			       "-y/--linktype %.60s: no such link type: allowed is a name such as EN10MB or RAW",
			       link_type);
	pcap = pcap_open_dead(number, snaplen);
	if (!pcap)
		return err_set(err, STATUS_FAILED, "the filter: out of memory");
	result = filter_dump(pcap, text, headers, level, err);
	pcap_close(pcap);
	return result;
}
