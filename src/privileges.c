#include "privileges.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CAPABILITIES 64 /* as many as the kernel's interface has room for */
#define SETPCAP (UINT64_C(1) << CAP_SETPCAP)

struct sets {
	uint64_t effective, permitted, inheritable;
};

/* There is no wrapper of it but libcap's. */
static int get_sets(struct sets *sets)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &header, data) < 0)
		return -1;
	sets->effective = data[0].effective | (uint64_t)data[1].effective << 32;
	sets->permitted = data[0].permitted | (uint64_t)data[1].permitted << 32;
	sets->inheritable = data[0].inheritable | (uint64_t)data[1].inheritable << 32;
	return 0;
}

static int set_sets(const struct sets *sets)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	const struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {
		{(uint32_t)sets->effective, (uint32_t)sets->permitted, (uint32_t)sets->inheritable},
		{(uint32_t)(sets->effective >> 32), (uint32_t)(sets->permitted >> 32),
		 (uint32_t)(sets->inheritable >> 32)},
	};

	return (int)syscall(SYS_capset, &header, data);
}

static void take_line(struct privileges *privileges, const char *line)
{
	unsigned no_new_privs;

	(void)(sscanf(line, "CapPrm: %" SCNx64, &privileges->permitted) == 1 ||
	       sscanf(line, "CapEff: %" SCNx64, &privileges->effective) == 1 ||
	       sscanf(line, "CapBnd: %" SCNx64, &privileges->bounding) == 1 ||
	       sscanf(line, "Seccomp: %d", &privileges->seccomp) == 1);
	if (sscanf(line, "NoNewPrivs: %u", &no_new_privs) == 1)
		privileges->no_new_privs = no_new_privs;
}

/* user_namespaces(7): only the initial one maps all ids to themselves. */
static bool maps_whole_range(void)
{
	FILE *map = fopen("/proc/self/uid_map", "re");
	uint64_t inside = 1, outside = 1, count = 0;
	bool whole = true;

	if (map) {
		whole = fscanf(map, "%" SCNu64 " %" SCNu64 " %" SCNu64, &inside, &outside, &count) == 3 &&
			inside == 0 && outside == 0 && count == UINT32_MAX;
		fclose(map);
	}
	return whole;
}

void privileges_read(struct privileges *privileges)
{
	FILE *status = fopen("/proc/self/status", "re");
	char line[256];

	*privileges = (struct privileges){.uid = (int)getuid(), .gid = (int)getgid(), .seccomp = -1};
	while (status && fgets(line, sizeof(line), status))
		take_line(privileges, line);
	if (status)
		fclose(status);
	privileges->whole_range = maps_whole_range();
}

void privileges_raise(void)
{
	struct sets sets;

	if (get_sets(&sets) < 0 || !(sets.permitted & ~sets.effective & PRIVILEGES_NET_RAW))
		return;
	sets.effective |= PRIVILEGES_NET_RAW;
	(void)set_sets(&sets);
}

static void drop_bounding(uint64_t keep)
{
	for (unsigned long i = 0; i < CAPABILITIES; i++) {
		/* EINVAL: this kernel has no more of them. */
		if (!(keep >> i & 1) && prctl(PR_CAPBSET_DROP, i) < 0)
			return;
	}
}

int privileges_drop(uint64_t keep, struct err *err)
{
	struct sets sets;

	if (get_sets(&sets) < 0)
		return err_sys(err, errno, "capget");
	if (sets.effective & SETPCAP)
		drop_bounding(keep);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_sys(err, errno, "no_new_privs");
	/* The ambient set follows: capabilities(7). */
	sets = (struct sets){sets.effective & keep, sets.permitted & keep, 0};
	return set_sets(&sets) < 0 ? err_sys(err, errno, "capset") : 0;
}

#define AS_ROOT "securityContext: {runAsUser: 0, runAsNonRoot: false}"

/* clang-format off */
static const struct refusal
	other_namespace = {
		"this network belongs to another user namespace than the container's NET_RAW does",
		"--userns=host", "hostUsers: true"},
	policy = {
		"NET_RAW is there, but a seccomp, AppArmor or SELinux policy refuses packet sockets",
		"--security-opt seccomp=unconfined (or apparmor=unconfined, label=disable)",
		"securityContext: {seccompProfile: {type: RuntimeDefault}}"},
	not_in_container = {
		"the container was started without the capability NET_RAW",
		"--cap-add NET_RAW", "securityContext: {capabilities: {add: [NET_RAW]}}"},
	not_in_container_nor_root = {
		"the container was started without the capability NET_RAW, and with no_new_privs, so that only root could "
		"use it",
		"--cap-add NET_RAW --user 0",
		"securityContext: {capabilities: {add: [NET_RAW]}, runAsUser: 0, runAsNonRoot: false}"},
	given_up = {
		"whoever started tarcap here gave NET_RAW up before",
		"tarcap as the command itself, not by a shell or a wrapper", "the same"},
	not_root = {
		"no_new_privs keeps a user that is not root from the binary's file capability",
		"--user 0, or no --security-opt no-new-privileges", AS_ROOT " or {allowPrivilegeEscalation: true}"},
	no_file_capability = {
		"the binary brings no file capability (a copy loses it, so does a mount with nosuid) and the user is "
		"not root",
		"--user 0, or the image as it was built", AS_ROOT};
/* clang-format on */

const struct refusal *privileges_refusal(const struct privileges *privileges)
{
	if (privileges->effective & PRIVILEGES_NET_RAW)
		return privileges->whole_range ? &policy : &other_namespace;
	if (!(privileges->bounding & PRIVILEGES_NET_RAW))
		return privileges->uid != 0 && privileges->no_new_privs ? &not_in_container_nor_root
									: &not_in_container;
	if (privileges->uid == 0)
		return &given_up;
	return privileges->no_new_privs ? &not_root : &no_file_capability;
}
