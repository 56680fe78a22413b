#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "privileges.h"

#ifdef __x86_64__
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "which system calls this architecture has is not known here"
#endif

/* The same numbers on all architectures, but not in all headers. */
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_restrict_self 446
#endif

/* linux/landlock.h, of a newer kernel than the headers may be of. */
struct ruleset {
	uint64_t files, tcp, scopes;
};

#define LANDLOCK_VERSION 1U

/* How many of the rights a version of the ABI knows; landlock(7) has the table. */
static void fill_ruleset(struct ruleset *ruleset, long version)
{
	int rights = version >= 5 ? 16 : version >= 3 ? 15 : version == 2 ? 14 : 13;

	*ruleset = (struct ruleset){.files = (UINT64_C(1) << rights) - 1};
	if (version >= 4)
		ruleset->tcp = 3; /* bind, connect */
	if (version >= 6)
		ruleset->scopes = 3; /* abstract unix sockets, signals */
}

/* The version of the ABI that is in force now, or 0. */
static int restrict_files(void)
{
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_VERSION);
	struct ruleset ruleset;
	size_t size = version >= 6 ? sizeof(ruleset) : version >= 4 ? 16 : 8;
	int fd, result;

	if (version < 1)
		return 0;
	fill_ruleset(&ruleset, version);
	fd = (int)syscall(SYS_landlock_create_ruleset, &ruleset, size, 0);
	if (fd < 0)
		return 0;
	result = (int)syscall(SYS_landlock_restrict_self, fd, 0);
	close(fd);
	return result < 0 ? 0 : (int)version;
}

enum condition {
	ALWAYS,
	EQUAL,	 /* argument at has the value */
	WITHOUT, /* none of the value's bits are in argument at */
};

/* Of an argument its lower 32 bits are looked at: all that the kernel looks at in these. */
struct rule {
	int number;
	enum condition condition;
	unsigned at;
	uint32_t value;
	bool only_capture;
};

/* clang-format off */
static const struct rule rules[] = {
	{SYS_read}, {SYS_readv}, {SYS_write}, {SYS_writev}, {SYS_pwritev2}, {SYS_lseek}, {SYS_ftruncate}, {SYS_close},
	{SYS_fstat},
#ifdef SYS_poll
	{SYS_poll},
#endif
	{SYS_ppoll}, {SYS_timerfd_create}, {SYS_timerfd_settime}, {SYS_clock_gettime}, {SYS_nanosleep}, {SYS_clock_nanosleep},
	{SYS_rt_sigprocmask}, {SYS_rt_sigaction}, {SYS_rt_sigreturn}, {SYS_restart_syscall}, {SYS_futex},
	{SYS_exit}, {SYS_exit_group},
	{SYS_brk}, {SYS_munmap}, {SYS_mremap}, {SYS_madvise},
	{SYS_mmap, WITHOUT, 2, PROT_EXEC}, {SYS_mprotect, WITHOUT, 2, PROT_EXEC},
	{SYS_fcntl, EQUAL, 1, F_GETFL}, {SYS_fcntl, EQUAL, 1, F_SETFL},
	{SYS_ioctl, EQUAL, 1, TIOCGWINSZ}, /* isatty */
	{SYS_ioctl, EQUAL, 1, TIOCGPGRP, .only_capture = true}, /* may the live line be shown? */
	/* The packet socket: to disarm, to count, to see whether the interface is there. */
	{SYS_bind, .only_capture = true}, {SYS_getsockopt, .only_capture = true},
	{SYS_ioctl, EQUAL, 1, SIOCGIFNAME, .only_capture = true},
	{SYS_ioctl, EQUAL, 1, SIOCGIFFLAGS, .only_capture = true},
	{SYS_setsockopt, EQUAL, 2, PACKET_RX_RING, .only_capture = true}, /* to take it down */
};
/* clang-format on */

#define RULE_INSTRUCTIONS 5 /* at most */
#define HEAD_INSTRUCTIONS 4
#define PROGRAM_SIZE (HEAD_INSTRUCTIONS + RULE_INSTRUCTIONS * sizeof(rules) / sizeof(rules[0]) + 1)

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(field))
#define RETURN(action) BPF_STMT(BPF_RET | BPF_K, action)
#define REFUSE RETURN(SECCOMP_RET_ERRNO | EPERM)
#define NUMBER offsetof(struct seccomp_data, nr)

/* All our architectures have the lower half first. */
#define ARGUMENT(n) (offsetof(struct seccomp_data, args) + (n) * sizeof(uint64_t))

/* Append the rule to program, which has the system call's number in its accumulator, and has it again behind it. */
static unsigned add_rule(struct sock_filter *program, const struct rule *rule)
{
	const struct sock_filter always[] = {
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)rule->number, 0, 1),
		RETURN(SECCOMP_RET_ALLOW),
	};
	const struct sock_filter on_condition[] = {
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)rule->number, 0, 4),
		LOAD(ARGUMENT(rule->at)),
		rule->condition == EQUAL ? (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, rule->value, 0, 1)
					 : (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, rule->value, 1, 0),
		RETURN(SECCOMP_RET_ALLOW),
		LOAD(NUMBER),
	};
	const struct sock_filter *part = rule->condition == ALWAYS ? always : on_condition;
	unsigned count = rule->condition == ALWAYS ? 2 : RULE_INSTRUCTIONS;

	memcpy(program, part, count * sizeof(*program));
	return count;
}

static unsigned make_program(struct sock_filter program[PROGRAM_SIZE], enum sandbox_work work)
{
	static const struct sock_filter head[HEAD_INSTRUCTIONS] = {
		LOAD(offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0),
		REFUSE,
		LOAD(NUMBER),
	};
	unsigned count = HEAD_INSTRUCTIONS;

	memcpy(program, head, sizeof(head));
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		if (work == SANDBOX_CAPTURE || !rules[i].only_capture)
			count += add_rule(program + count, &rules[i]);
	}
	program[count++] = (struct sock_filter)REFUSE;
	return count;
}

static bool restrict_calls(enum sandbox_work work)
{
	struct sock_filter filter[PROGRAM_SIZE];
	struct sock_fprog program = {.filter = filter};

	program.len = (unsigned short)make_program(filter, work);
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0;
}

int sandbox_enter(enum sandbox_work work, struct sandbox *granted, struct err *err)
{
	*granted = (struct sandbox){0};
	if (privileges_drop(0, err) < 0)
		return -1;
	granted->no_capabilities = true;
#ifndef SANDBOX_OPEN /* a build for tests, which writes what it has counted at its end */
	granted->landlock = restrict_files();
	granted->seccomp = restrict_calls(work);
#else
	(void)work;
	(void)restrict_files;
	(void)restrict_calls;
#endif
	return 0;
}

char *sandbox_text(const struct sandbox *granted, char text[SANDBOX_TEXT_SIZE])
{
	char landlock[40] = "no Landlock";

	if (granted->landlock)
		snprintf(landlock, sizeof(landlock), "Landlock (ABI %d)", granted->landlock);
	snprintf(text, SANDBOX_TEXT_SIZE, "%s, %s, %s",
		 granted->no_capabilities ? "no capabilities, no_new_privs" : "none", landlock,
		 granted->seccomp ? "seccomp" : "no seccomp");
	return text;
}
