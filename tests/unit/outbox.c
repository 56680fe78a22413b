#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/outbox.h"
#include "archive/tar.h"

static void open_pipe(int ends[2], struct sink *sink)
{
	struct err err = {0};

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(sink_init(sink, ends[1], &err), 0);
}

static void close_pipe(const int ends[2])
{
	close(ends[0]);
	close(ends[1]);
}

/* More than a pipe takes: part leaves, the rest waits, nothing blocks, and the bytes are the same. */
static void partial(void **state)
{
	static unsigned char body[5 << 20], back[5 << 20];
	struct outbox outbox;
	struct err err = {0};
	struct sink sink;
	int ends[2];
	size_t got = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(body); i++)
		body[i] = (unsigned char)(i * 2654435761u >> 13);
	open_pipe(ends, &sink);
	outbox_init(&outbox);
	outbox_set_body(&outbox, body, sizeof(body));
	assert_int_equal(outbox_put(&outbox, "head", 4, &err), 0);
	assert_int_equal(outbox_put(&outbox, body, sizeof(body), &err), 0);
	assert_int_equal(outbox_put(&outbox, "tail", 4, &err), 0);
	assert_int_equal(outbox.small_used, 8); /* the body was not copied */
	assert_false(outbox.started);
	while (!outbox_empty(&outbox)) {
		unsigned char head[4];
		ssize_t sent = outbox_send(&outbox, &sink), n;

		assert_true(sent > 0);
		assert_int_equal(outbox_send(&outbox, &sink), 0); /* full */
		if (got == 0) {
			assert_true(outbox.started);
			assert_int_equal(read(ends[0], head, 4), 4);
			assert_memory_equal(head, "head", 4);
			sent -= 4;
		}
		for (; sent > 0; sent -= n, got += (size_t)n) {
			size_t room = sizeof(back) - got;
			size_t want = (size_t)sent < room ? (size_t)sent : room;

			if (want == 0)
				break;
			n = read(ends[0], back + got, want);
			assert_true(n > 0);
		}
	}
	assert_int_equal(got, sizeof(body));
	assert_memory_equal(body, back, sizeof(body));
	assert_false(outbox.started);
	close_pipe(ends);
}

static void limits(void **state)
{
	struct outbox outbox;
	struct err err = {0};
	char big[OUTBOX_SMALL + 1] = "";

	(void)state;
	outbox_init(&outbox);
	assert_int_equal(outbox_put(&outbox, big, sizeof(big), &err), -1);
	assert_int_equal(err.status, STATUS_FAILED); /* and says why, always */
	assert_true(outbox_empty(&outbox));
	err = (struct err){0};
	assert_int_equal(outbox_put(&outbox, big, OUTBOX_SMALL, &err), 0);
	assert_int_equal(outbox_put(&outbox, big, 1, &err), -1);
	assert_int_equal(err.status, STATUS_FAILED);
	assert_int_equal(outbox.pending, OUTBOX_SMALL);
	outbox_discard(&outbox);
	assert_true(outbox_empty(&outbox));
	assert_int_equal(outbox_put(&outbox, big, OUTBOX_SMALL, &err), 0);
}

/* Parts that lie apart, of which there is a number, too. */
static void parts(void **state)
{
	static const char body[2 * OUTBOX_PARTS + 2];
	struct outbox outbox;
	struct err err = {0};

	(void)state;
	outbox_init(&outbox);
	outbox_set_body(&outbox, body, sizeof(body));
	for (int i = 0; i < OUTBOX_PARTS; i++)
		assert_int_equal(outbox_put(&outbox, body + (size_t)2 * (size_t)i, 1, &err), 0);
	assert_int_equal(outbox_put(&outbox, body + (size_t)2 * OUTBOX_PARTS, 1, &err), -1);
	assert_int_equal(err.status, STATUS_FAILED);
	assert_int_equal(outbox.pending, OUTBOX_PARTS);
}

/* As large as it likes: nothing of it is copied. */
static void large_body(void **state)
{
	static const char body[3 * OUTBOX_SMALL];
	struct outbox outbox;
	struct err err = {0};

	(void)state;
	outbox_init(&outbox);
	assert_int_equal(outbox_put_body(&outbox, body, sizeof(body), &err), 0);
	assert_int_equal(outbox.pending, sizeof(body));
	assert_int_equal(outbox.small_used, 0);
}

static void reader_gone(void **state)
{
	struct outbox outbox;
	struct err err = {0};
	struct sink sink;
	int ends[2];

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	open_pipe(ends, &sink);
	close(ends[0]);
	outbox_init(&outbox);
	assert_int_equal(outbox_put(&outbox, "x", 1, &err), 0);
	assert_int_equal(outbox_send(&outbox, &sink), -EPIPE);
	close(ends[1]);
}

/* A FIFO refuses RWF_NOWAIT on some kernels: O_NONBLOCK is set while we use it, and only then. */
static void flags_restored(void **state)
{
	char directory[] = "/tmp/tarcap-unit-XXXXXX", path[64];
	static char lots[1 << 20];
	struct err err = {0};
	struct sink sink;
	int reader, writer;

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/fifo", directory);
	assert_int_equal(mkfifo(path, 0600), 0);
	reader = open(path, O_RDONLY | O_NONBLOCK);
	writer = open(path, O_WRONLY);
	assert_true(reader >= 0 && writer >= 0);
	assert_int_equal(sink_init(&sink, writer, &err), 0);
	for (int i = 0; i < 4; i++) {
		struct iovec part = {lots, sizeof(lots)};
		assert_true(sink_write(&sink, &part, 1) >= 0);
	}
	sink_restore(&sink);
	assert_int_equal(fcntl(writer, F_GETFL) & O_NONBLOCK, 0);
	close(reader);
	close(writer);
	unlink(path);
	rmdir(directory);
}

/* The fallback for kernels and descriptors without RWF_NOWAIT, forced. */
static void forced_fallback(void **state)
{
	static char lots[1 << 20];
	struct iovec part = {lots, sizeof(lots)};
	struct sink sink;
	int ends[2];
	ssize_t n;

	(void)state;
	open_pipe(ends, &sink);
	sink_fall_back(&sink);
	assert_int_equal(sink.kind, SINK_NONBLOCK);
	assert_true(fcntl(ends[1], F_GETFL) & O_NONBLOCK);
	do {
		n = sink_write(&sink, &part, 1);
		assert_true(n >= 0);
	} while (n > 0);
	sink_restore(&sink);
	assert_int_equal(fcntl(ends[1], F_GETFL) & O_NONBLOCK, 0);
	close_pipe(ends);
}

static void read_only_output(void **state)
{
	struct err err = {0};
	struct sink sink;
	int fd = open("/dev/null", O_RDONLY);

	(void)state;
	assert_int_equal(sink_init(&sink, fd, &err), -1);
	assert_int_equal(err.status, STATUS_FAILED);
	close(fd);
}

/* A member's header, data and padding come out whole, in ustar, whatever the length of its name. */
static void member(void **state)
{
	static unsigned char archive[8192];
	const char data[] = "twelve bytes";
	char prefix[65];
	struct err err = {0};
	struct outbox outbox;
	struct sink sink;
	struct tar *tar;
	int ends[2];
	ssize_t n;

	(void)state;
	memset(prefix, 'p', 64);
	prefix[64] = '\0';
	open_pipe(ends, &sink);
	outbox_init(&outbox);
	tar = tar_open(&outbox, prefix, &err);
	assert_non_null(tar);
	assert_int_equal(tar_member(tar, "abcdefghijklmnopqrstuvwxyz012345_4294967295_20261122084500.pcap", 1795337100,
				    data, 12, &err),
			 0);
	assert_int_equal(outbox.pending, 1024);
	assert_int_equal(outbox_send(&outbox, &sink), 1024);
	assert_int_equal(tar_end(tar, &err), 0);
	assert_int_equal(outbox.pending, 1024);
	assert_int_equal(outbox_send(&outbox, &sink), 1024);
	assert_true(outbox_empty(&outbox));
	n = read(ends[0], archive, sizeof(archive));
	assert_int_equal(n, 2048);
	assert_memory_equal(archive + 257, "ustar\00000", 8);
	assert_int_equal(archive[156], '0'); /* a plain file: no extended header comes before it */
	assert_memory_equal(archive + 100, "000600 ", 7);
	assert_memory_equal(archive + 345, prefix, 64);
	assert_memory_equal(archive, "abcdef", 6);
	assert_memory_equal(archive + 512, data, 12);
	for (int i = 512 + 12; i < 2048; i++)
		assert_int_equal(archive[i], 0);
	tar_close(tar);
	close_pipe(ends);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(partial),	   cmocka_unit_test(limits),	       cmocka_unit_test(parts),
		cmocka_unit_test(large_body),	   cmocka_unit_test(reader_gone),      cmocka_unit_test(flags_restored),
		cmocka_unit_test(forced_fallback), cmocka_unit_test(read_only_output), cmocka_unit_test(member),
	};

	return cmocka_run_group_tests_name("outbox", tests, NULL, NULL);
}
