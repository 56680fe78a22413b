/*
 * Tries, from inside the sandbox, what it is there to refuse: linked with the shipped program's objects by
 * -Wl,--wrap=sandbox_enter. The work goes on afterwards as if nothing had been tried.
 *
 * PROBE_LOG=FILE: a line "WHAT: RESULT" for each thing tried goes there; RESULT is an errno's name, or "allowed", or
 * a sentence where there was nothing to be refused.
 * PROBE_WITHOUT=seccomp, landlock or both: the kernel seems to have none, so that each shows what it does alone.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "system/bindings.h"
#include "system/sandbox.h"

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#endif

#define CALL_OF_32_BITS 20 /* getpid, by the numbers of 32-bit programs */

int __real_sandbox_enter(enum sandbox_work work, struct sandbox *granted, struct err *err);
int __wrap_sandbox_enter(enum sandbox_work work, struct sandbox *granted, struct err *err);
int __real_prctl(int option, ...);
int __wrap_prctl(int option, ...);
long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);

static int log_fd = -1;

static int is_without(const char *what)
{
	const char *without = getenv("PROBE_WITHOUT");

	return without && (strcmp(without, what) == 0 || strcmp(without, "both") == 0);
}

int __wrap_prctl(int option, ...)
{
	unsigned long arguments[4];
	va_list list;

	va_start(list, option);
	for (int i = 0; i < 4; i++)
		arguments[i] = va_arg(list, unsigned long);
	va_end(list);
	if (option == PR_SET_SECCOMP && is_without("seccomp")) {
		errno = EINVAL;
		return -1;
	}
	return __real_prctl(option, arguments[0], arguments[1], arguments[2], arguments[3]);
}

long __wrap_syscall(long number, ...)
{
	long arguments[6];
	va_list list;

	va_start(list, number);
	for (int i = 0; i < 6; i++)
		arguments[i] = va_arg(list, long);
	va_end(list);
	if (number == SYS_landlock_create_ruleset && is_without("landlock")) {
		errno = ENOSYS;
		return -1;
	}
	return __real_syscall(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4],
			      arguments[5]);
}

static void say(const char *what, const char *said)
{
	char line[80];

	snprintf(line, sizeof(line), "%s: %s\n", what, said);
	if (write(log_fd, line, strlen(line)) < 0)
		_exit(99);
}

/* result below 0: refused, as errno says. */
static void note(const char *what, long result)
{
	static const struct {
		int number;
		const char *name;
	} names[] = {{EPERM, "EPERM"},	 {EACCES, "EACCES"}, {ENOSYS, "ENOSYS"},
		     {EINVAL, "EINVAL"}, {ENOENT, "ENOENT"}, {ENOMEM, "ENOMEM"}};
	const char *said = result < 0 ? "other" : "allowed";

	for (size_t i = 0; result < 0 && i < sizeof(names) / sizeof(names[0]); i++) {
		if (names[i].number == errno)
			said = names[i].name;
	}
	say(what, said);
}

static void try_files(void)
{
	static char *const words[] = {"/proc/self/exe", "--version", NULL};

	note("open to read", open("/proc/self/status", O_RDONLY));
	note("open to write", open("probe-was-here", O_WRONLY | O_CREAT, 0600));
	note("open a directory", open("/", O_RDONLY | O_DIRECTORY));
	note("mkdir", mkdir("probe-was-here.d", 0700));
	note("unlink", unlink("probe-is-not-here"));
	note("rename", rename("probe-is-not-here", "probe-is-not-here-either"));
	note("truncate", truncate("/proc/self/comm", 0));
	note("chmod", chmod("/proc/self/comm", 0600));
	note("mount", mount("none", ".", "tmpfs", 0, NULL));
	if (!is_without("both")) /* it would be allowed, and end this program */
		note("execve", execve(words[0], words, NULL));
}

static void try_network(void)
{
	note("socket of packets", socket(AF_PACKET, SOCK_RAW, 0));
	note("socket of IPv4", socket(AF_INET, SOCK_STREAM, 0));
	note("socket of unix", socket(AF_UNIX, SOCK_STREAM, 0));
	note("socketpair", socketpair(AF_UNIX, SOCK_STREAM, 0, (int[2]){0}));
	note("sendto", sendto(log_fd, "", 1, 0, NULL, 0));
	note("detach the filter", setsockopt(log_fd, SOL_SOCKET, 27 /* SO_DETACH_FILTER */, &(int){0}, sizeof(int)));
}

static void try_processes(void)
{
	static char here[8];
	struct iovec there = {here, sizeof(here)};

	note("fork", syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
	note("ptrace", ptrace(PTRACE_TRACEME, 0, NULL, NULL));
	note("kill", kill(getppid(), 0));
	note("process_vm_readv", process_vm_readv(getppid(), &there, 1, &there, 1, 0));
	note("setuid", setuid(0));
	note("prctl", prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
	note("capset", syscall(SYS_capset, NULL, NULL));
	note("unshare", syscall(SYS_unshare, 0x10000000 /* CLONE_NEWUSER */));
	note("bpf", syscall(SYS_bpf, 0, NULL, 0));
	note("io_uring_setup", syscall(SYS_io_uring_setup, 1, NULL));
	note("perf_event_open", syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0));
	note("userfaultfd", syscall(SYS_userfaultfd, 0));
}

static void try_memory(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	note("memory", page == MAP_FAILED ? -1 : 0);
	note("mprotect to execute", mprotect(page, 4096, PROT_READ | PROT_EXEC));
	note("mmap to execute",
	     mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0);
}

static int packet_socket(void)
{
	for (int fd = 3; fd < 64; fd++) {
		int domain = 0;
		socklen_t size = sizeof(domain);

		if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_PACKET)
			return fd;
	}
	return -1;
}

static void note_bind(const char *what, int fd, unsigned long address, size_t size)
{
	note(what, syscall(SYS_bind, fd, address, size));
}

/* Where its addresses stand nothing can be changed, or put in their place. */
static void try_table(void)
{
	unsigned long at = BINDINGS_AT, tagged = at | 1UL << 56;
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	note("table, mprotect", syscall(SYS_mprotect, at, 4096, PROT_READ | PROT_WRITE));
	note("table, mprotect by a tag", syscall(SYS_mprotect, tagged, 4096, PROT_READ | PROT_WRITE));
	note("table, munmap", syscall(SYS_munmap, at, 4096));
	note("table, munmap from below", syscall(SYS_munmap, at - 4096, 8192));
	note("table, munmap by a tag", syscall(SYS_munmap, tagged, 4096));
	note("table, madvise", syscall(SYS_madvise, at, 4096, MADV_DONTNEED));
	note("table, mmap over it",
	     syscall(SYS_mmap, at, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	note("table, mremap over it", syscall(SYS_mremap, page, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, at));
	note("table, mremap away", syscall(SYS_mremap, at, 4096, 8192, MREMAP_MAYMOVE));
}

/* It can be armed and disarmed, and be bound to nothing else. */
static void try_binding(int fd)
{
	const struct sockaddr_ll elsewhere = {.sll_family = AF_PACKET, .sll_protocol = htons(3)};
	unsigned long at = BINDINGS_AT;

	note_bind("bind elsewhere", fd, (unsigned long)&elsewhere, sizeof(elsewhere));
	note_bind("bind within an entry", fd, at + 4, sizeof(elsewhere));
	note_bind("bind behind the table", fd, at + BINDINGS_SIZE, sizeof(elsewhere));
	note_bind("bind by an upper half", fd, at | 1UL << 40, sizeof(elsewhere));
	note_bind("bind with more", fd, at, BINDINGS_SLOT);
	note("ring",
	     setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &(struct tpacket_req3){0}, sizeof(struct tpacket_req3)));
	note("membership",
	     setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &(struct packet_mreq){0}, sizeof(struct packet_mreq)));
	note("the number on another level", setsockopt(fd, SOL_SOCKET, PACKET_RX_RING, &(int){0}, sizeof(int)));
	note("another option", getsockopt(fd, SOL_SOCKET, SO_TYPE, &(int){0}, &(socklen_t){sizeof(int)}));
	try_table();
	note_bind("arm", fd, at, sizeof(elsewhere));
	note_bind("disarm", fd, at + BINDINGS_SLOT, sizeof(elsewhere));
}

/*
 * The same kernel has more than one table of system calls; or it has not: without 32-bit calls their instruction is an
 * error, and its SIGSEGV ends whoever tries. So that is a child, in a sandbox of its own as nothing forks inside one,
 * and another outside of any shows whether there is such a table.
 */
#ifdef __x86_64__
static void end_by_call_of_32_bits(void)
{
	long result;

	__asm__ volatile("int $0x80" : "=a"(result) : "a"(CALL_OF_32_BITS) : "memory");
	_exit(result < 0 ? (int)-result : 0);
}

static void try_32_bits(enum sandbox_work work, struct sandbox granted, struct err err)
{
	int free_status = 0, status = 0;

	if (fork() == 0)
		end_by_call_of_32_bits();
	wait(&free_status);
	if (fork() == 0) {
		if (__real_sandbox_enter(work, &granted, &err) < 0)
			_exit(99);
		end_by_call_of_32_bits();
	}
	wait(&status);
	errno = WEXITSTATUS(status);
	if (WIFEXITED(status))
		note("32 bits", errno ? -1 : 0);
	else if (WIFSIGNALED(free_status) && WTERMSIG(free_status) == SIGSEGV && WTERMSIG(status) == SIGSEGV)
		say("32 bits", "no such path on this kernel");
	else
		say("32 bits", "killed in the sandbox, though the kernel has such calls");
}

static void try_x32(void)
{
	note("x32", syscall(0x40000000 + SYS_getuid));
}
#else
static void try_32_bits(enum sandbox_work work, struct sandbox granted, struct err err)
{
	(void)work, (void)granted, (void)err;
}

static void try_x32(void)
{
}
#endif

int __wrap_sandbox_enter(enum sandbox_work work, struct sandbox *granted, struct err *err)
{
	const char *path = getenv("PROBE_LOG");
	int result, packets;

	if (path)
		log_fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (log_fd >= 0)
		try_32_bits(work, *granted, *err);
	packets = packet_socket();
	result = __real_sandbox_enter(work, granted, err);
	if (log_fd >= 0) {
		try_memory();
		try_x32();
		try_network();
		if (packets >= 0 && !is_without("seccomp"))
			try_binding(packets); /* it would work, and nothing be captured */
		try_files();
		if (!is_without("seccomp"))
			try_processes(); /* a fork would run on */
		close(log_fd);
	}
	return result;
}
