#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/context.h"
#include "base/clock.h"

#define SOCKETS_MAX 60 /* more than two pages of rows */

static char directory[] = "/tmp/context-XXXXXX";

static const char *path_of(const char *name)
{
	static char paths[CONTEXT_SOURCES][64];
	static unsigned next;
	char *path = paths[next++ % CONTEXT_SOURCES];

	snprintf(path, sizeof(paths[0]), "%s/%s", directory, name);
	return path;
}

/* size bytes in lines of 100, numbered. */
static const char *file_of(const char *name, size_t size)
{
	const char *path = path_of(name);
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	for (size_t at = 0; at < size; at += 100)
		fprintf(file, "%.*s", (int)(size - at < 100 ? size - at : 100),
			"a line that is a hundred bytes long, with its end; xxxxxxxxx"
			"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n");
	fclose(file);
	return path;
}

static struct context *open_context(const struct context_source *sources, size_t count)
{
	static struct context context;
	struct err err = {0};

	assert_int_equal(context_open(&context, sources, count, &err), 0);
	return &context;
}

/* What is there is read; what is absent, no file or no number is left out with the reason, and nothing fails. */
static void read_and_left_out(void **state)
{
	const struct context_source sources[] = {
		{"small", file_of("small", 250)}, {"absent", path_of("absent")}, {"empty", file_of("empty", 0)},
		{"directory", directory},	  {"fifo", path_of("fifo")},
	};
	char name[CONTEXT_NAME_SIZE];
	uint64_t before = clock_real();
	struct context *context;
	const struct context_member *members;

	(void)state;
	assert_int_equal(mkfifo(path_of("fifo"), 0600), 0);
	context = open_context(sources, 5);
	members = context->members[CONTEXT_START];
	assert_int_equal(context_next(context, CONTEXT_START), -1); /* not before it is read */
	context_read(context, CONTEXT_START);
	assert_int_equal(members[0].size, 250);
	assert_memory_equal(members[0].text, "a line", 6);
	assert_true(members[0].time >= before && members[0].time <= clock_real());
	assert_false(members[0].cut);
	assert_string_equal(members[1].left_out, "No such file or directory");
	assert_int_equal(members[2].size, 0);
	assert_null(members[2].left_out);
	assert_string_equal(members[3].left_out, "Is a directory");
	assert_true(members[4].left_out || members[4].size == 0); /* it keeps nobody waiting */
	assert_int_equal(context_next(context, CONTEXT_START), 0);
	assert_int_equal(context_next(context, CONTEXT_END), -1);
	assert_string_equal(context_name(context, CONTEXT_START, 0, name), "context/start/small");
	assert_string_equal(context_name(context, CONTEXT_END, 1, name), "context/end/absent");
	context_close(context);
}

/* The second time, it is what the file has then; what was read first stays as it was. */
static void read_again(void **state)
{
	const struct context_source sources[] = {{"file", file_of("file", 100)}};
	struct context *context = open_context(sources, 1);

	(void)state;
	context_read(context, CONTEXT_START);
	file_of("file", 300);
	context_read(context, CONTEXT_START); /* once only */
	context_read(context, CONTEXT_END);
	assert_int_equal(context->members[CONTEXT_START][0].size, 100);
	assert_int_equal(context->members[CONTEXT_END][0].size, 300);
	context_close(context);
}

static void cut(void **state)
{
	const struct context_source sources[] = {
		{"fits", file_of("fits", CONTEXT_MEMBER_MAX)},
		{"long", file_of("long", CONTEXT_MEMBER_MAX + 1)},
	};
	struct context *context = open_context(sources, 2);
	const struct context_member *member = &context->members[CONTEXT_START][1];
	const char *last;

	(void)state;
	context_read(context, CONTEXT_START);
	assert_int_equal(context->members[CONTEXT_START][0].size, CONTEXT_MEMBER_MAX);
	assert_false(context->members[CONTEXT_START][0].cut);
	assert_true(member->cut && member->size <= CONTEXT_MEMBER_MAX && member->size > CONTEXT_MEMBER_MAX - 200);
	last = (const char *)memrchr(member->text, '\n', member->size - 1) + 1;
	assert_memory_equal(last, "# cut here", 10);
	assert_int_equal(member->text[member->size - 1], '\n');
	assert_int_equal((last - member->text) % 100, 0); /* behind a line */
	context_close(context);
}

/* All of them together do not take more than half of the memory at a moment. */
static void full(void **state)
{
	struct context_source sources[CONTEXT_SOURCES];
	struct context *context;
	size_t used = 0, left_out = 0;

	(void)state;
	for (size_t i = 0; i < CONTEXT_SOURCES; i++)
		sources[i] = (struct context_source){"long", file_of("long", 2 * CONTEXT_MEMBER_MAX)};
	context = open_context(sources, CONTEXT_SOURCES);
	context_read(context, CONTEXT_START);
	context_read(context, CONTEXT_END);
	for (size_t i = 0; i < CONTEXT_SOURCES; i++) {
		used += context->members[CONTEXT_START][i].size;
		left_out += context->members[CONTEXT_START][i].left_out != NULL;
		assert_true(context->members[CONTEXT_START][i].left_out || context->members[CONTEXT_START][i].cut);
	}
	assert_true(used <= CONTEXT_MEMORY / 2 && used > CONTEXT_MEMORY / 2 - 8192 && left_out == 8);
	assert_true(context->members[CONTEXT_END][0].text - context->members[CONTEXT_START][0].text ==
		    CONTEXT_MEMORY / 2);
	context_close(context);
}

static void dropped(void **state)
{
	const struct context_source sources[] = {{"first", file_of("first", 10)}, {"second", file_of("second", 10)}};
	struct context *context = open_context(sources, 2);
	struct context_member *members = context->members[CONTEXT_START];

	(void)state;
	context_read(context, CONTEXT_START);
	members[0].sent = true;
	assert_int_equal(context_next(context, CONTEXT_START), 1);
	context_drop(context, "late");
	assert_int_equal(context_next(context, CONTEXT_START), -1);
	assert_null(members[0].left_out);
	assert_string_equal(members[1].left_out, "late");
	assert_null(context->members[CONTEXT_END][0].left_out); /* it has not been read */
	context_close(context);
}

/* Of these sources, and with so many sockets. */
static void check_sockets(const struct context_source *sources, size_t count, size_t number)
{
	struct context *context = open_context(sources, count);
	const struct context_member *member = context->members[CONTEXT_START];
	int fds[SOCKETS_MAX];
	size_t tcp = 0, found = 0;

	while (strcmp(sources[tcp].name, "proc-net-tcp") != 0)
		tcp++;
	for (size_t i = 0; i < number; i++)
		assert_true((fds[i] = socket(AF_INET, SOCK_STREAM, 0)) >= 0 && listen(fds[i], 1) == 0);
	context_read(context, CONTEXT_START);
	for (size_t i = 0; i < number; i++) {
		struct stat status;
		char inode[32];

		assert_int_equal(fstat(fds[i], &status), 0);
		snprintf(inode, sizeof(inode), " %llu ", (unsigned long long)status.st_ino);
		found += memmem(member[tcp].text, member[tcp].size, inode, strlen(inode)) != NULL;
		close(fds[i]);
	}
	assert_int_equal(found, number);
	context_close(context);
}

/* As an archive has them: all are there, and each with the inode behind it. */
static void rows(void **state)
{
	(void)state;
	for (size_t number = 0; number <= SOCKETS_MAX; number += 20)
		check_sockets(context_sources, context_source_count, number);
}

static int no_sock_diag(void)
{
	errno = EPROTONOSUPPORT;
	return -1;
}

/*
 * Where the kernel lists no sockets, its file is read. The end of it is seen without asking for more, wherever in a
 * page it lies, and no row is missing.
 */
static void rows_of_the_file(void **state)
{
	const struct context_source sources[] = {
		{"sockets.json", NULL, netstate_sockets, .open = no_sock_diag},
		{"proc-net-tcp", "/proc/net/tcp", netstate_tcp, .row = 256},
	};

	(void)state;
	for (size_t number = 0; number <= SOCKETS_MAX; number += 3)
		check_sockets(sources, 2, number);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(read_and_left_out),
		cmocka_unit_test(read_again),
		cmocka_unit_test(cut),
		cmocka_unit_test(full),
		cmocka_unit_test(dropped),
		cmocka_unit_test(rows),
		cmocka_unit_test(rows_of_the_file),
	};
	static const char *const names[] = {"small", "empty", "fifo", "file", "fits", "long", "first", "second"};
	int failed;

	if (!mkdtemp(directory))
		return 1;
	failed = cmocka_run_group_tests_name("context", tests, NULL, NULL);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlink(path_of(names[i]));
	rmdir(directory);
	return failed;
}
