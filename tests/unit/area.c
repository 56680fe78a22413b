/* area.c: what is stored comes back byte for byte, the oldest goes first, and a reader sees when it has gone. */
#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "record/area.h"

#define SIZE ((uint64_t)64 << 10)

static struct area area;
static struct area_view view;
static int fd;

static void open_area(uint64_t size)
{
	struct err err = {0};

	fd = area_create(size, &err);
	assert_true(fd >= 0);
	assert_int_equal(area_map(&area, fd, &err), 0);
	area_begin(&area, 2, 5);
	strcpy(area.series[0].name, "eth0");
	strcpy(area.series[1].name, "eth1");
	assert_true(area_add_text(&area, "capture.json", 7, "{}\n", 3));
	assert_true(area_add_text(&area, "context/start/hosts", 8, "", 0));
	area_start(&area);
}

static void close_area(void)
{
	area_close(&view);
	area_unmap(&area);
	close(fd);
}

/* Bytes that tell where they belong. */
static void fill(unsigned char *data, size_t size, uint32_t number)
{
	for (size_t i = 0; i < size; i++)
		data[i] = (unsigned char)(i * 7 + number);
}

/* As a recorder does it: drop what is in the way, copy, enter. */
static void store(size_t stored, uint32_t number)
{
	static unsigned char data[SIZE];
	const struct segment segment = {
		.used = stored + 1, .stored = stored, .number = number, .packets = number, .first = 1, .last = 2};

	fill(data, stored, number);
	area_change(&area);
	while (!area_has_room(&area, stored))
		area_drop_oldest(&area);
	area_changed(&area);
	area_copy_in(&area, data, stored);
	area_change(&area);
	area_enter(&area, &segment, number % 2, number);
	area_changed(&area);
}

static void look(void)
{
	struct err err = {0};

	if (!view.memory)
		assert_int_equal(area_open(&view, fd, &err), 0);
	assert_int_equal(area_look(&view, &err), 0);
}

static void assert_copied(uint64_t number, uint32_t file)
{
	static unsigned char expected[SIZE], found[SIZE];
	struct area_entry entry;

	assert_true(area_find(&view, number, &entry));
	assert_int_equal(entry.number, file);
	assert_int_equal(entry.place, file % 2);
	fill(expected, entry.stored, file);
	assert_true(area_copy(&view, &entry, found));
	assert_memory_equal(found, expected, entry.stored);
}

/* Over the data's end, too: sizes that no data is a multiple of. */
static void what_is_stored_comes_back(void **state)
{
	static unsigned char found[SIZE], expected[SIZE];
	unsigned in_two = 0;

	(void)state;
	open_area(SIZE);
	for (uint32_t number = 1; number < 500; number++) {
		size_t size = 1000 + number * 37 % 5000;

		store(size, number);
		look();
		assert_true(view.state.end == number && view.state.end > view.state.first);
		for (uint64_t i = view.state.first; i < view.state.end; i++)
			assert_copied(i, (uint32_t)i + 1);
		in_two += !area_piece(&area, area_oldest(&area));
		area_copy_out(&area, area_oldest(&area), found);
		fill(expected, area_oldest(&area)->stored, area_oldest(&area)->number);
		assert_memory_equal(found, expected, area_oldest(&area)->stored);
	}
	assert_true(in_two > 0);
	close_area();
}

static void the_sums_are_of_what_is_there(void **state)
{
	struct overwritten sum[2] = {{0}};

	(void)state;
	open_area(SIZE);
	for (uint32_t number = 1; number < 200; number++)
		store(3000 + number, number);
	look();
	for (uint64_t i = view.state.first; i < view.state.end; i++) {
		struct area_entry entry;

		assert_true(area_find(&view, i, &entry));
		sum[entry.place].files++;
		sum[entry.place].packets += entry.packets;
		sum[entry.place].bytes += entry.used;
	}
	for (int i = 0; i < 2; i++)
		assert_memory_equal(&view.series[i].stored, &sum[i], sizeof(sum[i]));
	close_area();
}

/* Of small ones the index is full before the data. */
static void as_many_as_the_index_has_entries(void **state)
{
	(void)state;
	open_area(SIZE);
	for (uint32_t number = 1; number < 100; number++)
		store(10, number);
	assert_int_equal(area_count(&area), area.header->entries);
	look();
	for (uint64_t i = view.state.first; i < view.state.end; i++)
		assert_copied(i, (uint32_t)i + 1);
	close_area();
}

static void what_is_larger_than_all_has_no_room(void **state)
{
	(void)state;
	open_area(SIZE);
	assert_true(area_can_have(&area, area.header->data));
	assert_false(area_can_have(&area, area.header->data + 1));
	store(area.header->data, 1);
	look();
	assert_copied(0, 1);
	store(1, 2);
	look();
	assert_int_equal(view.state.first, 1);
	close_area();
}

static void a_reader_sees_that_it_was_overwritten(void **state)
{
	unsigned char found[SIZE];
	struct area_entry entry, again;

	(void)state;
	open_area(SIZE);
	store(5000, 1);
	look();
	assert_true(area_find(&view, 0, &entry));
	for (uint32_t number = 2; number < 40; number++)
		store(5000, number);
	assert_false(area_copy(&view, &entry, found));
	assert_false(area_find(&view, 0, &again));
	close_area();
}

static void wiped_bytes_are_zero(void **state)
{
	const struct area_entry *dropped;
	unsigned more = 0;

	(void)state;
	open_area(SIZE);
	for (uint32_t number = 1; number < 60; number++)
		store(7001, number);
	while (area_count(&area)) {
		area_change(&area);
		dropped = area_drop_oldest(&area);
		area_changed(&area);
		area_wipe(&area, dropped);
	}
	/* What an earlier one has left is none of these; a recorder that keeps to a time wipes that, too. */
	for (uint64_t i = 0; i < area.header->data; i++)
		more += area.data[i] != 0;
	assert_true(more < 7001);
	close_area();
}

static void texts_come_as_they_were_put(void **state)
{
	struct area_text text;
	const char *data;

	(void)state;
	open_area(SIZE);
	assert_false(area_add_text(&area, "large", 0, area.memory, SIZE / 4));
	look();
	assert_true(area_text(&view, 0, &text, &data));
	assert_string_equal(text.name, "capture.json");
	assert_memory_equal(data, "{}\n", 3);
	assert_int_equal(text.time, 7);
	assert_true(area_text(&view, 1, &text, &data));
	assert_string_equal(text.name, "context/start/hosts");
	assert_int_equal(text.size, 0);
	assert_false(area_text(&view, 2, &text, &data));
	close_area();
}

static void nobody_else_may_write_it(void **state)
{
	char path[40];
	int other;

	(void)state;
	open_area(SIZE);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	other = open(path, O_RDWR); /* root may open it all the same */
	if (other >= 0) {
		assert_ptr_equal(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, other, 0), MAP_FAILED);
		assert_int_equal(write(other, "x", 1), -1);
		assert_int_equal(ftruncate(other, 0), -1);
		close(other);
	}
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
	close_area();
}

/* Whatever is in the header: it is refused, or everything that is read lies within. */
static void a_hostile_header_leads_nowhere(void **state)
{
	uint64_t good[sizeof(struct area_header) / 8];
	static const uint64_t bad[] = {0, 1, 63, SIZE - 1, SIZE, UINT64_MAX, UINT64_MAX / 2, UINT64_MAX - 63, 1 << 20};
	static unsigned char found[SIZE];

	(void)state;
	open_area(SIZE);
	for (uint32_t number = 1; number < 20; number++)
		store(5000, number);
	memcpy(good, area.header, sizeof(good));
	for (size_t i = 0; i < sizeof(good) / 8 * sizeof(bad) / 8; i++) {
		struct err err = {0};
		struct area_entry entry;
		struct area_text text;
		const char *data;

		if (i / (sizeof(bad) / 8) == offsetof(struct area_header, sequence) / 8)
			continue; /* an odd one is waited for: below */
		((uint64_t *)area.header)[i / (sizeof(bad) / 8)] = bad[i % (sizeof(bad) / 8)];
		if (area_open(&view, fd, &err) == 0 && area_look(&view, &err) == 0) {
			for (uint64_t n = view.state.first; n < view.state.end; n++)
				(void)!(area_find(&view, n, &entry) && area_copy(&view, &entry, found));
			for (uint64_t n = 0; n < 4 && area_text(&view, n, &text, &data); n++)
				memcpy(found, data, text.size);
		} else {
			assert_true(err.status == STATUS_FAILED);
		}
		area_close(&view);
		memcpy(area.header, good, sizeof(good));
	}
	close_area();
}

static void a_hostile_entry_leads_nowhere(void **state)
{
	static const uint64_t bad[] = {0, SIZE, UINT64_MAX, UINT64_MAX / 2};
	static unsigned char found[SIZE];
	struct area_entry good, entry;

	(void)state;
	open_area(SIZE);
	store(5000, 1);
	good = area.entries[0];
	for (size_t i = 0; i < sizeof(good) / 8 * sizeof(bad) / 8; i++) {
		((uint64_t *)area.entries)[i / (sizeof(bad) / 8)] = bad[i % (sizeof(bad) / 8)];
		look();
		if (area_find(&view, 0, &entry))
			(void)!area_copy(&view, &entry, found);
		area.entries[0] = good;
	}
	close_area();
}

static void who_does_not_keep_still_is_no_endless_wait(void **state)
{
	struct err err = {0};

	(void)state;
	open_area(SIZE);
	look();
	area_change(&area); /* and was killed */
	assert_int_equal(area_look(&view, &err), -1);
	assert_non_null(strstr(err.text, "keep still"));
	close_area();
}

static void what_is_none_of_ours_is_refused(void **state)
{
	struct err err = {0};
	int other = memfd_create("other", MFD_ALLOW_SEALING);

	(void)state;
	assert_int_equal(ftruncate(other, SIZE), 0);
	assert_int_equal(area_open(&view, other, &err), -1); /* its size can change */
	assert_int_equal(fcntl(other, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	err = (struct err){0};
	assert_int_equal(area_open(&view, other, &err), -1);
	assert_non_null(strstr(err.text, "not begun"));
	close(other);
	err = (struct err){0};
	assert_int_equal(area_open(&view, STDERR_FILENO, &err), -1);
}

/* Another's may be to a request from before ours. */
static void an_answer_is_to_one_process(void **state)
{
	uint64_t since;

	(void)state;
	open_area(SIZE);
	look();
	area_answer(&area, 7);
	since = area_answers(&view);
	assert_false(area_has_answered(&view, since, 7));
	area_answer(&area, 8);
	assert_false(area_has_answered(&view, since, 7));
	area_answer(&area, 7);
	assert_true(area_has_answered(&view, since, 7));
	for (unsigned i = 0; i < AREA_ASKERS - 3; i++)
		area_answer(&area, 9);
	assert_true(area_has_answered(&view, since, 7));
	assert_false(area_has_answered(&view, since, 6));
	area_answer(&area, 9); /* so many that nobody knows */
	assert_true(area_has_answered(&view, since, 6));
	close_area();
}

/* Two processes, one that overwrites all the time: what the reader takes for whole is whole. */
static void a_reader_beside_a_busy_recorder(void **state)
{
	unsigned char found[SIZE], expected[SIZE];
	unsigned whole = 0, gone = 0;
	struct area_entry entry;
	pid_t child;

	(void)state;
	open_area(SIZE);
	store(4000, 1);
	child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (uint32_t number = 2;; number++)
			store(1000 + number * 37 % 5000, number);
	}
	for (int i = 0; i < 3000; i++) {
		look();
		for (uint64_t n = view.state.first; n < view.state.end; n++) {
			bool there = area_find(&view, n, &entry) && area_copy(&view, &entry, found);

			gone += !there;
			if (!there)
				continue;
			whole++;
			fill(expected, entry.stored, (uint32_t)n + 1);
			assert_memory_equal(found, expected, entry.stored);
		}
	}
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	assert_true(whole > 1000);
	assert_true(gone > 0);
	close_area();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_stored_comes_back),
		cmocka_unit_test(the_sums_are_of_what_is_there),
		cmocka_unit_test(as_many_as_the_index_has_entries),
		cmocka_unit_test(what_is_larger_than_all_has_no_room),
		cmocka_unit_test(a_reader_sees_that_it_was_overwritten),
		cmocka_unit_test(wiped_bytes_are_zero),
		cmocka_unit_test(texts_come_as_they_were_put),
		cmocka_unit_test(nobody_else_may_write_it),
		cmocka_unit_test(a_hostile_header_leads_nowhere),
		cmocka_unit_test(a_hostile_entry_leads_nowhere),
		cmocka_unit_test(who_does_not_keep_still_is_no_endless_wait),
		cmocka_unit_test(what_is_none_of_ours_is_refused),
		cmocka_unit_test(an_answer_is_to_one_process),
		cmocka_unit_test(a_reader_beside_a_busy_recorder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
