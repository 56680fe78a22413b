/* cgroup.c: whose limit is found, in the trees that runtimes show; they are made here as files. */
#include "unit.h"

#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "system/cgroup.h"

#define MIB (UINT64_C(1) << 20)
#define V1 "sys/fs/cgroup/memory"
#define V2 "sys/fs/cgroup"
#define V1_NONE "9223372036854771712\n"

static char root[] = "/tmp/tarcap-unit-XXXXXX";

static int start(void **state)
{
	(void)state;
	strcpy(root + strlen(root) - 6, "XXXXXX");
	return mkdtemp(root) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)status;
	(void)type;
	(void)walk;
	return remove(path);
}

static int end(void **state)
{
	(void)state;
	return nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void put(const char *directory, const char *name, const char *text)
{
	char path[512];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s/%s", root, directory, name);
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		(void)mkdir(path, 0700);
		*slash = '/';
	}
	file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0 && fclose(file) == 0);
}

static void group(const char *directory, bool second, const char *limit, const char *used, const char *stat)
{
	put(directory, second ? "memory.max" : "memory.limit_in_bytes", limit);
	put(directory, second ? "memory.current" : "memory.usage_in_bytes", used);
	put(directory, "memory.stat", stat);
}

static void assert_memory(bool seen, uint64_t limit, uint64_t left)
{
	struct cgroup_memory memory = cgroup_memory(root);

	assert_int_equal(memory.seen, seen);
	assert_int_equal(memory.limit, limit);
	if (limit)
		assert_int_equal(memory.left, left);
}

static void nothing_to_see(void **state)
{
	(void)state;
	assert_memory(false, 0, 0);
	put("proc/self", "cgroup", "0::/\n");
	assert_memory(false, 0, 0);
}

/* docker run with a namespace of its own, Kubernetes on version 2. */
static void second_with_a_namespace(void **state)
{
	(void)state;
	put("proc/self", "cgroup", "0::/\n");
	group(V2, true, "16777216\n", "3145728\n", "anon 1048576\nfile 2097152\ninactive_file 1048576\n");
	assert_memory(true, 16 * MIB, 14 * MIB);
	group(V2, true, "max\n", "3145728\n", "inactive_file 0\n");
	assert_memory(true, 0, 0);
}

/* --cgroupns=host: the path leads through all of the machine's groups, and the tightest counts. */
static void second_without_a_namespace(void **state)
{
	(void)state;
	put("proc/self", "cgroup", "1:name=systemd:/x\n0::/system.slice/docker-1.scope\n");
	group(V2 "/system.slice/docker-1.scope", true, "33554432\n", "1048576\n", "inactive_file 0\n");
	group(V2 "/system.slice", true, "67108864\n", "66060288\n", "inactive_file 0\n");
	group(V2 "/other.slice", true, "4096\n", "4096\n", "inactive_file 0\n");
	assert_memory(true, 64 * MIB, MIB);
	group(V2 "/system.slice", true, "max\n", "66060288\n", "inactive_file 0\n");
	assert_memory(true, 32 * MIB, 31 * MIB);
}

/* A service's own group in a container, whose controllers are not switched on for it. */
static void second_below_the_container(void **state)
{
	(void)state;
	put("proc/self", "cgroup", "0::/init.scope\n");
	put(V2 "/init.scope", "cgroup.procs", "1\n");
	group(V2, true, "16777216\n", "0\n", "");
	assert_memory(true, 16 * MIB, 16 * MIB);
}

/* nsenter from outside: the path is not below what we see. */
static void from_outside_of_the_namespace(void **state)
{
	(void)state;
	put("proc/self", "cgroup", "0::/../other\n");
	group(V2, true, "16777216\n", "0\n", "");
	group(V2 "/other", true, "4096\n", "0\n", "");
	assert_memory(true, 16 * MIB, 16 * MIB);
}

/* Runtimes mount the container's group as the top: the path, which is the machine's, leads nowhere. */
static void first_as_runtimes_mount_it(void **state)
{
	(void)state;
	put("proc/self", "cgroup", "5:cpu,cpuacct:/docker/1\n4:hugetlb,memory:/docker/1\n0::/docker/1\n");
	group(V1, false, "16777216\n", "3145728\n", "inactive_file 5\ntotal_inactive_file 1048576\n");
	assert_memory(true, 16 * MIB, 14 * MIB);
	group(V1, false, V1_NONE, "3145728\n", "hierarchical_memory_limit 9223372036854771712\n");
	assert_memory(true, 0, 0);
}

/* The pod's limit, of an ephemeral container that has none: version 1 tells. */
static void first_tells_of_groups_above(void **state)
{
	(void)state;
	put("proc/self", "cgroup", "4:memory:/kubepods/pod1/c1\n");
	group(V1, false, V1_NONE, "1048576\n", "hierarchical_memory_limit 67108864\ntotal_inactive_file 0\n");
	assert_memory(true, 64 * MIB, 63 * MIB);
}

static void first_on_a_host(void **state)
{
	(void)state;
	put("proc/self", "cgroup", "4:memory:/user/1\n0::/user/1\n");
	group(V1, false, V1_NONE, "0\n", "");
	group(V1 "/user/1", false, "8388608\n", "9388608\n", "total_inactive_file 0\n");
	assert_memory(true, 8 * MIB, 0); /* more is used than allowed: the limit was lowered just now */
}

static void without_proc(void **state)
{
	(void)state;
	group(V2, true, "16777216\n", "0\n", "");
	assert_memory(true, 16 * MIB, 16 * MIB);
}

static void long_and_odd_lines(void **state)
{
	static char line[5000];

	(void)state;
	memset(line, 'x', sizeof(line) - 1);
	memcpy(line, "0::/", 4);
	group(V2, true, "16777216\n", "0\n", "");
	put("proc/self", "cgroup", line);
	assert_memory(true, 16 * MIB, 16 * MIB);
	put("proc/self", "cgroup", "\n:\n::\n0:\nx\n9:memoryx:/a\n");
	assert_memory(true, 16 * MIB, 16 * MIB);
	group(V2, true, "no number\n", "-\n", "inactive_file\n");
	assert_memory(true, 0, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)
	const struct CMUnitTest tests[] = {
		TEST(nothing_to_see),
		TEST(second_with_a_namespace),
		TEST(second_without_a_namespace),
		TEST(second_below_the_container),
		TEST(from_outside_of_the_namespace),
		TEST(first_as_runtimes_mount_it),
		TEST(first_tells_of_groups_above),
		TEST(first_on_a_host),
		TEST(without_proc),
		TEST(long_and_odd_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
