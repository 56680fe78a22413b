#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "records.h"

static unsigned char file[2 * RECORDS_LONGEST + 4096];
static size_t file_size;
static struct records records;

static void put(const void *data, size_t size)
{
	memcpy(file + file_size, data, size);
	file_size += size;
}

static void put_packet(uint32_t n, uint32_t caplen)
{
	struct packet_header header = {n + 1, n % 1000000, caplen, caplen + n};

	put(&header, sizeof(header));
	memset(file + file_size, (int)(n & 255), caplen);
	file_size += caplen;
}

static void begin(void)
{
	file_size = PACKET_FILE_HEADER;
	records_header(file, RECORDS_CAPLEN_MAX, 1);
}

static const uint32_t caplens[] = {0, 1, 60, 0, 1500, 3, RECORDS_CAPLEN_MAX};

#define PACKETS (sizeof(caplens) / sizeof(caplens[0]))

static void build(void)
{
	begin();
	for (uint32_t n = 0; n < PACKETS; n++)
		put_packet(n, caplens[n]);
}

/* Feed the file in pieces of step bytes, each in memory of its own. Returns the packets. */
static uint32_t read_file(size_t size, size_t step, bool *damaged)
{
	struct packet packet;
	uint32_t n = 0;
	enum records_event event = RECORDS_MORE;

	records_begin(&records);
	for (size_t at = 0; at < size; at += step) {
		size_t part = size - at < step ? size - at : step;
		unsigned char *piece = malloc(part);

		memcpy(piece, file + at, part);
		records_feed(&records, piece, part);
		while ((event = records_next(&records, &packet)) != RECORDS_MORE && event != RECORDS_DAMAGED) {
			if (event == RECORDS_HEADER) {
				assert_int_equal(n, 0);
				assert_memory_equal(records.file_header, file, PACKET_FILE_HEADER);
				continue;
			}
			assert_int_equal(packet.header.seconds, n + 1);
			assert_int_equal(packet.header.caplen, caplens[n]);
			for (uint32_t i = 0; i < packet.header.caplen; i++)
				assert_true(packet.data[i] == (n & 255));
			n++;
		}
		free(piece);
		if (event == RECORDS_DAMAGED)
			break;
	}
	*damaged = event == RECORDS_DAMAGED;
	if (*damaged)
		assert_int_equal(records_next(&records, &packet), RECORDS_DAMAGED);
	assert_int_equal(records.packets, n);
	return n;
}

static void pieces(void **state)
{
	const size_t steps[] = {1, 2, 15, 16, 17, 24, 100, 4096, 65536, sizeof(file)};
	bool damaged;

	(void)state;
	build();
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		assert_int_equal(read_file(file_size, steps[i], &damaged), PACKETS);
		assert_false(damaged);
		assert_true(records_complete(&records));
	}
}

static void every_prefix(void **state)
{
	size_t end = PACKET_FILE_HEADER;
	uint32_t n = 0;
	bool damaged;

	(void)state;
	build();
	for (size_t size = 0; size < 3000; size++) {
		if (n < PACKETS && size == end + 16 + caplens[n])
			end += 16 + caplens[n++];
		assert_int_equal(read_file(size, 50, &damaged), n);
		assert_false(damaged);
		assert_int_equal(records_complete(&records), size == end);
	}
}

static void damage(void **state)
{
	const uint32_t too_long[] = {RECORDS_CAPLEN_MAX + 1, 0x80000000, UINT32_MAX, UINT32_MAX - 15};
	bool damaged;

	(void)state;
	for (size_t i = 0; i < sizeof(too_long) / sizeof(too_long[0]); i++) {
		struct packet_header header = {1, 1, too_long[i], 1};

		for (size_t step = 1; step < 200; step += 5) {
			begin();
			put_packet(0, 0);
			put_packet(1, 1);
			put(&header, sizeof(header));
			put_packet(3, 60);
			assert_int_equal(read_file(file_size, step, &damaged), 2);
			assert_true(damaged);
			assert_false(records_complete(&records));
		}
	}
}

/* All of it fed at once, and as many bytes there as it claims: still no record. */
static void too_long_but_there(void **state)
{
	struct packet_header header = {1, 1, RECORDS_CAPLEN_MAX + 1, 1};
	bool damaged;

	(void)state;
	begin();
	put_packet(0, 0);
	put(&header, sizeof(header));
	memset(file + file_size, 1, RECORDS_CAPLEN_MAX + 100);
	file_size += RECORDS_CAPLEN_MAX + 100;
	assert_int_equal(read_file(file_size, sizeof(file), &damaged), 1);
	assert_true(damaged);
}

/* A tar's padding, where bytes of the member are missing. */
static void zeros(void **state)
{
	bool damaged;

	(void)state;
	for (size_t step = 1; step < 200; step += 5) {
		begin();
		put_packet(0, 0);
		memset(file + file_size, 0, 160);
		file_size += 160;
		assert_int_equal(read_file(file_size, step, &damaged), 1);
		assert_true(damaged);
	}
}

/* The file header says how long its records are at most. */
static void longer_than_the_snaplen(void **state)
{
	(void)state;
	begin();
	records_header(file, 60, 1);
	put_packet(2, 60);
	put_packet(5, 61);
	records_begin(&records);
	records_feed(&records, file, file_size);
	assert_int_equal(records_next(&records, &(struct packet){0}), RECORDS_HEADER);
	assert_int_equal(records_next(&records, &(struct packet){0}), RECORDS_PACKET);
	assert_int_equal(records_next(&records, &(struct packet){0}), RECORDS_DAMAGED);
}

static void file_headers(void **state)
{
	bool damaged;

	(void)state;
	for (size_t i = 0; i < 20; i++) { /* behind them is the link type, which may be any */
		build();
		file[i] ^= 0x80;
		read_file(200, 64, &damaged);
		assert_true(damaged);
	}
	records_header(file, 96, 228);
	read_file(PACKET_FILE_HEADER, 64, &damaged);
	assert_false(damaged);
	build();
	assert_int_equal(read_file(PACKET_FILE_HEADER, 64, &damaged), 0);
	assert_true(records_complete(&records));
	assert_int_equal(records.tick, 1000);
	memcpy(file, &(uint32_t){0xa1b23c4d}, 4);
	read_file(PACKET_FILE_HEADER, 64, &damaged);
	assert_true(records_complete(&records));
	assert_int_equal(records.tick, 1);
	/* The other byte order is not what tarcap writes here. */
	memcpy(file, &(uint32_t){0xd4c3b2a1}, 4);
	read_file(PACKET_FILE_HEADER, 64, &damaged);
	assert_true(damaged);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces),	cmocka_unit_test(every_prefix),
		cmocka_unit_test(damage),	cmocka_unit_test(too_long_but_there),
		cmocka_unit_test(zeros),	cmocka_unit_test(longer_than_the_snaplen),
		cmocka_unit_test(file_headers),
	};

	return cmocka_run_group_tests_name("records", tests, NULL, NULL);
}
