#include "system/sandbox.h"

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

#include "system/bindings.h"
#include "system/privileges.h"

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

/*
 * A rule allows a system call if all of its conditions hold. Each is about one half of an argument (the kernel looks at
 * the lower 32 bits alone of what is no pointer and no size): behind the mask it has the value, or with unequal has
 * not.
 */
struct condition {
	uint32_t mask; /* 0: there is no condition */
	uint32_t value;
	unsigned at;
	bool upper, unequal;
	bool confining; /* holds bind(2) to the table of bindings.h, if there is one */
};

#define CONDITIONS 3

struct rule {
	int number;
	struct condition conditions[CONDITIONS];
	bool only_capture;
};

#define EQUAL(n, what) \
	{ \
		.mask = UINT32_MAX, .value = (what), .at = (n) \
	}
#define WITHOUT(n, bits) \
	{ \
		.mask = (bits), .at = (n) \
	}
/* The pointer is to an entry of the table. Its size is a power of two. */
#define ENTRY_UPPER(n) \
	{ \
		.mask = UINT32_MAX, .at = (n), .upper = true, .confining = true \
	}
#define ENTRY(n) \
	{ \
		.mask = ~(BINDINGS_SIZE - BINDINGS_SLOT), .value = BINDINGS_AT, .at = (n), .confining = true \
	}
/* The pointer is above 4 GiB, and so not to the table. The uppermost 8 bits may be a tag, which arm64 ignores. */
#define HIGH(n) \
	{ \
		.mask = 0x00ffffff, .at = (n), .upper = true, .unequal = true, .confining = true \
	}
#define NOT_OVER_THE_TABLE(n, bits) \
	{ \
		.mask = (bits), .at = (n), .confining = true \
	}

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
	{SYS_brk}, {SYS_munmap, {HIGH(0)}}, {SYS_madvise, {HIGH(0)}},
	{SYS_mremap, {HIGH(0), NOT_OVER_THE_TABLE(3, MREMAP_FIXED)}},
	{SYS_mmap, {WITHOUT(2, PROT_EXEC), NOT_OVER_THE_TABLE(3, MAP_FIXED)}},
	{SYS_mprotect, {WITHOUT(2, PROT_EXEC), HIGH(0)}},
	{SYS_fcntl, {EQUAL(1, F_GETFL)}}, {SYS_fcntl, {EQUAL(1, F_SETFL)}},
	{SYS_ioctl, {EQUAL(1, TIOCGWINSZ)}}, /* isatty */
	{SYS_ioctl, {EQUAL(1, TIOCGPGRP)}, .only_capture = true}, /* may the live line be shown? */
	/* The packet socket: to disarm and arm, to count, to see whether the interface is there. */
	{SYS_bind, {ENTRY_UPPER(1), ENTRY(1), EQUAL(2, sizeof(struct sockaddr_ll))}, .only_capture = true},
	{SYS_getsockopt, {EQUAL(1, SOL_PACKET), EQUAL(2, PACKET_STATISTICS)}, .only_capture = true},
	{SYS_getsockopt, {EQUAL(1, SOL_SOCKET), EQUAL(2, SO_ERROR)}, .only_capture = true},
	{SYS_ioctl, {EQUAL(1, SIOCGIFNAME)}, .only_capture = true},
	{SYS_ioctl, {EQUAL(1, SIOCGIFFLAGS)}, .only_capture = true},
	{SYS_getsockname, .only_capture = true},
	{SYS_epoll_pwait, .only_capture = true}, /* which of many interfaces have packets */
	/* No setsockopt: libpcap tries to take down the ring at its end, but gets EINVAL; it goes with the socket. */
};
/* clang-format on */

#define RULE_INSTRUCTIONS (3 + 3 * CONDITIONS) /* at most */
#define HEAD_INSTRUCTIONS 4
#define PROGRAM_SIZE (HEAD_INSTRUCTIONS + RULE_INSTRUCTIONS * sizeof(rules) / sizeof(rules[0]) + 1)

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(field))
#define RETURN(action) BPF_STMT(BPF_RET | BPF_K, action)
#define REFUSE RETURN(SECCOMP_RET_ERRNO | EPERM)
#define NUMBER offsetof(struct seccomp_data, nr)

/* All our architectures have the lower half first. */
#define ARGUMENT(n, upper) (offsetof(struct seccomp_data, args) + (n) * sizeof(uint64_t) + ((upper) ? 4 : 0))

/* Three instructions, the last of which goes on to the next if the condition holds, and else further ahead by skip. */
static unsigned add_condition(struct sock_filter *program, const struct condition *condition, unsigned skip)
{
	const struct sock_filter part[] = {
		LOAD(ARGUMENT(condition->at, condition->upper)),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, condition->mask),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, condition->value, (uint8_t)(condition->unequal ? skip : 0),
			 (uint8_t)(condition->unequal ? 0 : skip)),
	};

	memcpy(program, part, sizeof(part));
	return sizeof(part) / sizeof(part[0]);
}

/* Those that count. */
static unsigned choose_conditions(const struct rule *rule, bool confined, const struct condition *chosen[CONDITIONS])
{
	unsigned count = 0;

	for (unsigned i = 0; i < CONDITIONS && rule->conditions[i].mask; i++) {
		if (confined || !rule->conditions[i].confining)
			chosen[count++] = &rule->conditions[i];
	}
	return count;
}

/* Append the rule to program, which has the system call's number in its accumulator, and has it again behind it. */
static unsigned add_rule(struct sock_filter *program, const struct rule *rule, bool confined)
{
	const struct condition *chosen[CONDITIONS];
	unsigned conditions = choose_conditions(rule, confined, chosen), size = conditions ? 3 + 3 * conditions : 2;
	unsigned count = 0;

	program[count++] =
		(struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)rule->number, 0, (uint8_t)(size - 1));
	for (unsigned i = 0; i < conditions; i++)
		count += add_condition(program + count, chosen[i], size - count - 4);
	program[count++] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
	if (conditions)
		program[count++] = (struct sock_filter)LOAD(NUMBER);
	return count;
}

static unsigned make_program(struct sock_filter program[PROGRAM_SIZE], enum sandbox_work work, bool confined)
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
			count += add_rule(program + count, &rules[i], confined);
	}
	program[count++] = (struct sock_filter)REFUSE;
	return count;
}

static void restrict_calls(enum sandbox_work work, struct sandbox *granted)
{
	struct sock_filter filter[PROGRAM_SIZE];
	struct sock_fprog program = {.filter = filter};
	bool confined = work == SANDBOX_CAPTURE && bindings_seal();

	program.len = (unsigned short)make_program(filter, work, confined);
	granted->seccomp = prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0;
	granted->bind_open = granted->seccomp && work == SANDBOX_CAPTURE && bindings_any() && !confined;
}

int sandbox_enter(enum sandbox_work work, struct sandbox *granted, struct err *err)
{
	*granted = (struct sandbox){0};
	if (privileges_drop(0, err) < 0)
		return -1;
	granted->no_capabilities = true;
#ifndef SANDBOX_OPEN /* a build for tests, which writes what it has counted at its end */
	granted->landlock = restrict_files();
	restrict_calls(work, granted);
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
		 !granted->seccomp    ? "no seccomp"
		 : granted->bind_open ? "seccomp, but a packet socket may move to another interface"
				      : "seccomp");
	return text;
}
