#include "system/privileges.h"

#include <errno.h>
#include <fcntl.h>
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

/* user_namespaces(7): only the initial one maps all ids to themselves. */
static void read_id_map(struct privileges *privileges)
{
	FILE *map = fopen("/proc/self/uid_map", "re");
	uint64_t inside = 1, outside = 1, count = 0;

	privileges->range_known = map;
	privileges->whole_range = true;
	if (!map)
		return;
	privileges->whole_range = fscanf(map, "%" SCNu64 " %" SCNu64 " %" SCNu64, &inside, &outside, &count) == 3 &&
				  inside == 0 && outside == 0 && count == UINT32_MAX;
	fclose(map);
}

static uint64_t bounding_set(void)
{
	uint64_t set = 0;
	int has;

	for (unsigned long i = 0; i < CAPABILITIES && (has = prctl(PR_CAPBSET_READ, i)) >= 0; i++)
		set |= (uint64_t)has << i;
	return set;
}

void privileges_read(struct privileges *privileges)
{
	struct sets sets = {0};

	(void)get_sets(&sets);
	*privileges = (struct privileges){
		.uid = getuid(),
		.gid = getgid(),
		.permitted = sets.permitted,
		.effective = sets.effective,
		.bounding = bounding_set(),
		.no_new_privs = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1,
		.seccomp = prctl(PR_GET_SECCOMP),
	};
	read_id_map(privileges);
}

static bool be_the_first_to_go(void)
{
	static const char most[] = "1000";
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	bool done;

	if (fd < 0)
		return false;
	done = write(fd, most, sizeof(most) - 1) == (ssize_t)sizeof(most) - 1;
	close(fd);
	return done;
}

void privileges_stand_back(void)
{
	if (!be_the_first_to_go() && prctl(PR_SET_DUMPABLE, 1) == 0)
		(void)be_the_first_to_go();
	(void)prctl(PR_SET_DUMPABLE, 0);
}

int privileges_be_seen(struct err *err)
{
	return prctl(PR_SET_DUMPABLE, 1) < 0 ? err_sys(err, errno, "dumpable") : 0;
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
	policy_or_namespace = {
		"NET_RAW is there, but a seccomp, AppArmor or SELinux policy refuses packet sockets, or this network belongs "
		"to another user namespace (without /proc it can't be told which)",
		"--security-opt seccomp=unconfined (or apparmor=unconfined, label=disable), or --userns=host",
		"securityContext: {seccompProfile: {type: RuntimeDefault}}"},
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
		return !privileges->range_known	 ? &policy_or_namespace
		       : privileges->whole_range ? &policy
						 : &other_namespace;
	if (!(privileges->bounding & PRIVILEGES_NET_RAW))
		return privileges->uid != 0 && privileges->no_new_privs ? &not_in_container_nor_root
									: &not_in_container;
	if (privileges->uid == 0)
		return &given_up;
	return privileges->no_new_privs ? &not_root : &no_file_capability;
}
