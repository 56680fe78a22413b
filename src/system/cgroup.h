/*
 * The memory limit of the control groups (cgroups(7)) that this process is in, version 1 or 2, as far as it can be seen
 * from inside a container.
 */
#ifndef TARCAP_CGROUP_H
#define TARCAP_CGROUP_H

#include <stdbool.h>
#include <stdint.h>

struct cgroup_memory {
	bool seen;	/* there are files about it; else nothing is known */
	uint64_t limit; /* bytes: of that of the groups, ours and those above, that leaves least; 0: there is none */
	uint64_t left;	/* what it leaves: the limit less what is used and cannot be given back at once */
};

/*
 * root: "" for this process; a test has a directory with a proc/self/cgroup and a sys/fs/cgroup of its own.
 *
 * /proc/self/cgroup has the path of our group. In a cgroup namespace it begins at the container's group, which is what
 * /sys/fs/cgroup shows. Without one it begins at the machine's root, and /sys/fs/cgroup shows either all of that, or,
 * as container runtimes mount version 1, the container's group alone: the path leads nowhere there, and what stands at
 * the top is ours. Without /proc the top is what there is, too.
 */
struct cgroup_memory cgroup_memory(const char *root);

#endif
