/*
 * The first process of the virtual machine: tests/arm64/boot makes it /init, beside the shipped /tarcap and /probe, the
 * same program with tries to get out of its sandbox.
 *
 * It captures numbered UDP packets on lo with each of them, then powers the machine off. What tarcap writes goes to the
 * first virtio port. All it says, the status of its process while it captures, and the probe's results go to the
 * second.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PACKETS 1000
#define PORT 4242
#define ARCHIVE_PORT "/dev/vport0p1"
#define REPORT_PORT "/dev/vport0p2"

static _Noreturn void power_off(void)
{
	sync();
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}

static void must(int ok, const char *what)
{
	if (ok)
		return;
	printf("init: %s: %s\n", what, strerror(errno));
	power_off();
}

/* The ports appear some time after the device. */
static int open_port(const char *path)
{
	int fd = -1;

	for (int tries = 0; tries < 100 && fd < 0; tries++) {
		fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd < 0)
			usleep(100000);
	}
	must(fd >= 0, path);
	return fd;
}

static void set_up(void)
{
	struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int sock = socket(AF_INET, SOCK_DGRAM, 0);
	int report;

	must(mount("none", "/dev", "devtmpfs", 0, NULL) == 0, "/dev");
	must(mount("none", "/proc", "proc", 0, NULL) == 0, "/proc");
	must(mount("none", "/sys", "sysfs", 0, NULL) == 0, "/sys");
	must(ioctl(sock, SIOCSIFFLAGS, &lo) == 0, "lo");
	close(sock);
	report = open_port(REPORT_PORT);
	dup2(report, STDOUT_FILENO);
	dup2(report, STDERR_FILENO);
	close(report);
	setvbuf(stdout, NULL, _IOLBF, 0);
}

/* tarcap with its stdout (and, where said differs from -1, its stderr) there. */
static pid_t start(char *const argv[], int out, int said)
{
	pid_t pid = fork();

	must(pid >= 0, "fork");
	if (pid == 0) {
		int null = open("/dev/null", O_RDONLY);

		dup2(null, STDIN_FILENO);
		dup2(out, STDOUT_FILENO);
		if (said >= 0)
			dup2(said, STDERR_FILENO);
		execv(argv[0], argv);
		_exit(127);
	}
	return pid;
}

static void finish(const char *name, pid_t pid)
{
	int status = -1;

	must(waitpid(pid, &status, 0) == pid, "waitpid");
	printf("init: %s ended with status %d, signal %d\n", name, WIFEXITED(status) ? WEXITSTATUS(status) : -1,
	       WIFSIGNALED(status) ? WTERMSIG(status) : 0);
}

/* Pass on what tarcap says, up to and with the line that says it listens. */
static void await_listening(FILE *said)
{
	char line[1024];

	while (fgets(line, sizeof(line), said)) {
		fputs(line, stdout);
		if (strstr(line, "listening on"))
			return;
	}
	must(0, "tarcap does not listen");
}

static void show_file(const char *path, const char *what)
{
	FILE *file = fopen(path, "r");
	char line[256];

	must(file != NULL, path);
	while (fgets(line, sizeof(line), file))
		printf("%s: %s", what, line);
	fclose(file);
}

static void show_process(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	show_file(path, "status");
	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	show_file(path, "maps");
}

static void send_packets(void)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_port = htons(PORT), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int sock = socket(AF_INET, SOCK_DGRAM, 0);

	/* Someone to take them: otherwise ICMP answers, and sending fails. */
	must(bind(sock, (struct sockaddr *)&to, sizeof(to)) == 0, "bind");
	for (unsigned int i = 0; i < PACKETS; i++) {
		char payload[64], taken[sizeof(payload)];
		int size = snprintf(payload, sizeof(payload), "packet %u", i);

		must(sendto(sock, payload, (size_t)size, 0, (struct sockaddr *)&to, sizeof(to)) == size, "sendto");
		must(recv(sock, taken, sizeof(taken), 0) == size, "recv");
	}
	close(sock);
}

static void copy(int from, int to)
{
	char buffer[65536];
	ssize_t size;

	while ((size = read(from, buffer, sizeof(buffer))) > 0) {
		for (ssize_t at = 0; at < size;) {
			ssize_t part = write(to, buffer + at, (size_t)(size - at));

			must(part > 0, ARCHIVE_PORT);
			at += part;
		}
	}
	must(size == 0, "reading tarcap's stdout");
}

static void capture(char *program, int archive)
{
	char *argv[] = {program, "-v", "-i", "lo", "--name", "arm64", "udp port 4242", NULL};
	char line[1024];
	int out[2], said[2];
	FILE *words;
	pid_t pid;

	must(pipe2(out, O_CLOEXEC) == 0 && pipe2(said, O_CLOEXEC) == 0, "pipe2");
	pid = start(argv, out[1], said[1]);
	close(out[1]);
	close(said[1]);
	words = fdopen(said[0], "r");
	await_listening(words);
	show_process(pid);
	send_packets();
	must(kill(pid, SIGTERM) == 0, "kill");
	copy(out[0], archive);
	while (fgets(line, sizeof(line), words))
		fputs(line, stdout);
	finish(program, pid);
	close(out[0]);
	fclose(words);
}

int main(void)
{
	char *version[] = {"/tarcap", "--version", NULL};
	char *check[] = {"/tarcap", "check", "-i", "lo", NULL};

	if (getpid() != 1)
		return 1; /* it would power off whatever it runs on */
	set_up();
	finish("--version", start(version, STDOUT_FILENO, -1));
	finish("check", start(check, STDOUT_FILENO, -1));
	capture("/tarcap", open_port(ARCHIVE_PORT));
	setenv("PROBE_LOG", "/probe.log", 1);
	capture("/probe", open("/dev/null", O_WRONLY | O_CLOEXEC));
	show_file("/probe.log", "probe");
	power_off();
}
