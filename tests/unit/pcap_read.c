#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/pcap_read.h"

static unsigned char file[2 * PCAP_READ_LONGEST + 4096];
static size_t file_size;
static struct pcap_read records;

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
	pcap_read_header(file, PCAP_READ_CAPLEN_MAX, 1);
}

static const uint32_t caplens[] = {0, 1, 60, 0, 1500, 3, PCAP_READ_CAPLEN_MAX};

#define PACKETS (sizeof(caplens) / sizeof(caplens[0]))

static void build(void)
{
	begin();
	for (uint32_t n = 0; n < PACKETS; n++)
		put_packet(n, caplens[n]);
}

static void check_packet(const struct packet *packet, uint32_t n)
{
	assert_int_equal(packet->header.seconds, n + 1);
	assert_int_equal(packet->header.caplen, caplens[n]);
	for (uint32_t i = 0; i < packet->header.caplen; i++)
		assert_true(packet->data[i] == (n & 255));
}

/* Those that can be had at once, behind n others: what is said of them all is what they have. */
static uint32_t check_run(uint32_t n)
{
	struct pcap_read_run run;
	uint64_t last = 0;
	uint32_t count = 0;

	while (pcap_read_run(&records, &run)) {
		assert_true(run.packets.count > 0 && run.first >= last);
		for (; run.packets.count > 0; count++) {
			uint64_t time = packet_run_time(&run.packets);
			struct packet packet;

			packet_run_take(&run.packets, &packet);
			check_packet(&packet, n + count);
			assert_true(time >= last && packet.origin.tick == PACKET_TICK_MICRO);
			assert_true(last > 0 || time == run.first);
			run.cut.packets -= packet_cut(&packet.header) > 0;
			run.cut.bytes -= packet_cut(&packet.header);
			last = time;
		}
		assert_true(run.packets.size == 0 && run.packets.last == last && records.time == last);
		assert_true(run.cut.packets == 0 && run.cut.bytes == 0);
	}
	return count;
}

/* Feed the file in pieces of step bytes, each in memory of its own. Returns the packets. */
static uint32_t read_pieces(size_t size, size_t step, bool in_runs, bool *damaged)
{
	struct packet packet;
	uint32_t n = 0;
	enum pcap_read_event event = PCAP_READ_MORE;

	pcap_read_begin(&records, PCAP_READ_OURS);
	for (size_t at = 0; at < size; at += step) {
		size_t part = size - at < step ? size - at : step;
		unsigned char *piece = malloc(part);

		memcpy(piece, file + at, part);
		pcap_read_feed(&records, piece, part);
		n += in_runs ? check_run(n) : 0;
		while ((event = pcap_read_next(&records, &packet)) != PCAP_READ_MORE && event != PCAP_READ_DAMAGED) {
			if (event == PCAP_READ_HEADER) {
				assert_int_equal(n, 0);
				assert_memory_equal(records.file_header, file, PACKET_FILE_HEADER);
			} else {
				check_packet(&packet, n++);
			}
			n += in_runs ? check_run(n) : 0;
		}
		free(piece);
		if (event == PCAP_READ_DAMAGED)
			break;
	}
	*damaged = event == PCAP_READ_DAMAGED;
	if (*damaged)
		assert_int_equal(pcap_read_next(&records, &packet), PCAP_READ_DAMAGED);
	assert_int_equal(records.packets, n);
	return n;
}

/* Both ways, which find the same. */
static uint32_t read_file(size_t size, size_t step, bool *damaged)
{
	uint32_t packets = read_pieces(size, step, false, damaged);
	bool complete = pcap_read_complete(&records), then;

	assert_int_equal(read_pieces(size, step, true, &then), packets);
	assert_true(then == *damaged && pcap_read_complete(&records) == complete);
	return packets;
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
		assert_true(pcap_read_complete(&records));
	}
}

/* Nothing but a packet that is not earlier goes with those before it. */
static void runs_end(void **state)
{
	const uint32_t seconds[] = {2, 2, 5, 4, 4, 9, 1};
	const uint32_t counts[] = {3, 3, 1};
	struct pcap_read_run run;
	struct packet packet;

	(void)state;
	begin();
	for (size_t i = 0; i < sizeof(seconds) / sizeof(seconds[0]); i++)
		put(&(struct packet_header){seconds[i], 0, 0, 0}, sizeof(struct packet_header));
	put(&(struct packet_header){0}, sizeof(struct packet_header));
	pcap_read_begin(&records, PCAP_READ_OURS);
	pcap_read_feed(&records, file, file_size);
	assert_false(pcap_read_run(&records, &run));
	assert_int_equal(pcap_read_next(&records, &packet), PCAP_READ_HEADER);
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		assert_true(pcap_read_run(&records, &run));
		assert_int_equal(run.packets.count, counts[i]);
	}
	assert_false(pcap_read_run(&records, &run));
	assert_int_equal(pcap_read_next(&records, &packet), PCAP_READ_MORE);
	assert_int_equal(records.zeros, 1);
	assert_int_equal(records.packets, 7);

	pcap_read_begin(&records, PCAP_READ_FOREIGN);
	pcap_read_feed(&records, file, file_size);
	assert_int_equal(pcap_read_next(&records, &packet), PCAP_READ_HEADER);
	assert_false(pcap_read_run(&records, &run));
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
		assert_int_equal(pcap_read_complete(&records), size == end);
	}
}

static void damage(void **state)
{
	const uint32_t too_long[] = {PCAP_READ_CAPLEN_MAX + 1, 0x80000000, UINT32_MAX, UINT32_MAX - 15};
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
			assert_false(pcap_read_complete(&records));
		}
	}
}

/* All of it fed at once, and as many bytes there as it claims: still no record. */
static void too_long_but_there(void **state)
{
	struct packet_header header = {1, 1, PCAP_READ_CAPLEN_MAX + 1, 1};
	bool damaged;

	(void)state;
	begin();
	put_packet(0, 0);
	put(&header, sizeof(header));
	memset(file + file_size, 1, PCAP_READ_CAPLEN_MAX + 100);
	file_size += PCAP_READ_CAPLEN_MAX + 100;
	assert_int_equal(read_file(file_size, sizeof(file), &damaged), 1);
	assert_true(damaged);
}

/* A tar's padding and its next header, where bytes of the member are missing: no packet is made of them. */
static void padding(void **state)
{
	bool damaged;

	(void)state;
	for (size_t step = 1; step < 200; step += 5) {
		begin();
		put_packet(0, 0);
		memset(file + file_size, 0, 160);
		memset(file + file_size + 160, 'n', 512);
		file_size += 160 + 512;
		assert_int_equal(read_file(file_size, step, &damaged), 1);
		assert_true(damaged);
		assert_false(pcap_read_next_zero(&records, &(struct packet){0}));
	}
}

/* Records of zeros are packets where a good one, or the file's end, is behind them. */
static void zeros(void **state)
{
	struct packet packet;

	(void)state;
	for (size_t at_end = 0; at_end < 2; at_end++) {
		begin();
		put_packet(0, 0);
		memset(file + file_size, 0, 160);
		file_size += 160;
		if (!at_end)
			put_packet(1, 60);
		pcap_read_begin(&records, PCAP_READ_OURS);
		pcap_read_feed(&records, file, file_size);
		assert_int_equal(pcap_read_next(&records, &packet), PCAP_READ_HEADER);
		for (int n = 0; n < (at_end ? 1 : 12); n++) {
			assert_int_equal(pcap_read_next(&records, &packet), PCAP_READ_PACKET);
			assert_int_equal(packet.header.caplen, n == 11 ? 60 : 0);
			assert_int_equal(records.time == 0, n > 0 && n < 11);
		}
		assert_int_equal(pcap_read_next(&records, &packet), PCAP_READ_MORE);
		assert_true(pcap_read_complete(&records));
		for (int n = 0; n < (at_end ? 10 : 0); n++)
			assert_true(pcap_read_next_zero(&records, &packet));
		assert_false(pcap_read_next_zero(&records, &packet));
		assert_int_equal(records.packets, at_end ? 11 : 12);
	}
}

/* The file header says how long its records are at most. */
static void longer_than_the_snaplen(void **state)
{
	(void)state;
	begin();
	pcap_read_header(file, 60, 1);
	put_packet(2, 60);
	put_packet(5, 61);
	pcap_read_begin(&records, PCAP_READ_OURS);
	pcap_read_feed(&records, file, file_size);
	assert_int_equal(pcap_read_next(&records, &(struct packet){0}), PCAP_READ_HEADER);
	assert_int_equal(pcap_read_next(&records, &(struct packet){0}), PCAP_READ_PACKET);
	assert_int_equal(pcap_read_next(&records, &(struct packet){0}), PCAP_READ_DAMAGED);
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
	pcap_read_header(file, 96, 228);
	read_file(PACKET_FILE_HEADER, 64, &damaged);
	assert_false(damaged);
	build();
	assert_int_equal(read_file(PACKET_FILE_HEADER, 64, &damaged), 0);
	assert_true(pcap_read_complete(&records));
	assert_int_equal(records.tick, 1000);
	memcpy(file, &(uint32_t){0xa1b23c4d}, 4);
	read_file(PACKET_FILE_HEADER, 64, &damaged);
	assert_true(pcap_read_complete(&records));
	assert_int_equal(records.tick, 1);
	/* The other byte order is not what tarcap writes here. */
	memcpy(file, &(uint32_t){0xd4c3b2a1}, 4);
	read_file(PACKET_FILE_HEADER, 64, &damaged);
	assert_true(damaged);
}

/* --- files of others --- */

/* In the other byte order where that is asked for. */
static void put32(uint32_t value, bool swapped)
{
	value = swapped ? __builtin_bswap32(value) : value;
	put(&value, sizeof(value));
}

struct kind {
	uint32_t magic;
	uint16_t major, minor;
	uint32_t zone, accuracy, snaplen, link_type;
	bool lengths_swapped;
};

static void put_foreign(const struct kind *kind, bool swapped, uint32_t packets)
{
	uint32_t version =
		swapped ? (uint32_t)kind->major << 16 | kind->minor : (uint32_t)kind->minor << 16 | kind->major;

	file_size = 0;
	put32(kind->magic, swapped);
	put32(version, swapped);
	put32(kind->zone, swapped);
	put32(kind->accuracy, swapped);
	put32(kind->snaplen, swapped);
	put32(kind->link_type, swapped);
	for (uint32_t n = 0; n < packets; n++) {
		put32(1700000000 + n, swapped);
		put32(n, swapped);
		put32(kind->lengths_swapped ? 1500 : 60, swapped);
		put32(kind->lengths_swapped ? 60 : 1500, swapped);
		if (kind->magic == 0xa1b2cd34)
			put("interface", 8);
		memset(file + file_size, (int)n, 60);
		file_size += 60;
	}
}

static uint32_t read_foreign(size_t step, enum pcap_read_event *last)
{
	struct packet packet;
	uint32_t n = 0;

	pcap_read_begin(&records, PCAP_READ_FOREIGN);
	*last = PCAP_READ_MORE;
	for (size_t at = 0; at < file_size && *last != PCAP_READ_DAMAGED; at += step) {
		pcap_read_feed(&records, file + at, file_size - at < step ? file_size - at : step);
		while ((*last = pcap_read_next(&records, &packet)) == PCAP_READ_HEADER || *last == PCAP_READ_PACKET) {
			if (*last == PCAP_READ_HEADER)
				continue;
			assert_int_equal(packet.header.caplen, 60);
			assert_int_equal(packet.header.length, 1500);
			assert_true(packet.data[0] == n && packet.data[59] == n);
			assert_int_equal(records.time, (1700000000 + n) * CLOCK_SECOND + (uint64_t)n * records.tick);
			n++;
		}
	}
	return n;
}

static void foreign_files(void **state)
{
	static const struct kind kinds[] = {
		{0xa1b2c3d4, 2, 4, 0, 0, 65535, 1, false},  {0xa1b23c4d, 2, 4, 0, 0, 65535, 1, false},
		{0xa1b2cd34, 2, 4, 0, 0, 65535, 1, false},  {0xa1b2c3d4, 2, 4, 3600, 6, 65535, 1, false},
		{0xa1b2c3d4, 2, 4, 0, 0, 0, 1, false},	    {0xa1b2c3d4, 2, 4, 0, 0, 524288, 1, false},
		{0xa1b2c3d4, 2, 4, 0, 0, UINT32_MAX, 1, 0}, {0xa1b2c3d4, 2, 4, 0, 0, 40, 1, false},
		{0xa1b2c3d4, 2, 3, 0, 0, 65535, 1, false},  {0xa1b2c3d4, 2, 3, 0, 0, 65535, 1, true},
		{0xa1b2c3d4, 2, 2, 0, 0, 65535, 1, true},   {0xa1b2c3d4, 2, 0, 0, 0, 65535, 1, true},
		{0xa1b2c3d4, 543, 0, 0, 0, 65535, 1, true},
	};
	const size_t steps[] = {1, 7, sizeof(file)};
	enum pcap_read_event last;

	(void)state;
	for (size_t i = 0; i < 6 * sizeof(kinds) / sizeof(kinds[0]); i++) {
		put_foreign(&kinds[i / 6], i % 2, 5);
		assert_int_equal(read_foreign(steps[i / 2 % 3], &last), 5);
		assert_int_equal(last, PCAP_READ_MORE);
		assert_true(pcap_read_complete(&records));
		assert_in_range(records.interface.snaplen, 1, PCAP_READ_CAPLEN_MAX);
	}
}

/* Neither libpcap nor Wireshark reads these. */
static void foreign_damage(void **state)
{
	static const struct kind kinds[] = {
		{0xa1b2c3d5, 2, 4, 0, 0, 65535, 1, false},
		{0xa1b2c3d4, 1, 4, 0, 0, 65535, 1, false},
		{0xa1b2c3d4, 3, 0, 0, 0, 65535, 1, false},
	};
	enum pcap_read_event last;

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		put_foreign(&kinds[i], i % 2, 5);
		assert_int_equal(read_foreign(100, &last), 0);
		assert_int_equal(last, PCAP_READ_DAMAGED);
	}
}

/* A packet that is longer than there is room for: damage, but where the link type has such packets. */
static void foreign_giants(void **state)
{
	const uint32_t link_types[] = {1, 189, 220, 231, 249};
	struct packet packet;

	(void)state;
	for (size_t i = 0; i < sizeof(link_types) / sizeof(link_types[0]); i++) {
		put_foreign(&(struct kind){0xa1b2c3d4, 2, 4, 0, 0, 0, link_types[i], false}, false, 0);
		put(&(struct packet_header){1, 1, PCAP_READ_CAPLEN_MAX + 3, 1}, 16);
		memset(file + file_size, 1, PCAP_READ_CAPLEN_MAX + 3);
		file_size += PCAP_READ_CAPLEN_MAX + 3;
		put_packet(6, 60);
		pcap_read_begin(&records, PCAP_READ_FOREIGN);
		pcap_read_feed(&records, file, file_size);
		assert_int_equal(pcap_read_next(&records, &packet), PCAP_READ_HEADER);
		assert_int_equal(pcap_read_next(&records, &packet), i ? PCAP_READ_PACKET : PCAP_READ_DAMAGED);
		assert_int_equal(records.passed.packets, i ? 1 : 0);
		assert_true(!i || packet.data[59] == 6);
	}
}

/* Ours are never longer than they were on the wire; others may be. */
static void longer_than_on_the_wire(void **state)
{
	struct packet packet;

	(void)state;
	for (int writer = PCAP_READ_OURS; writer <= PCAP_READ_FOREIGN; writer++) {
		begin();
		put(&(struct packet_header){1, 1, 60, 59}, 16);
		memset(file + file_size, 1, 60);
		file_size += 60;
		pcap_read_begin(&records, (enum pcap_read_writer)writer);
		pcap_read_feed(&records, file, file_size);
		assert_int_equal(pcap_read_next(&records, &packet), PCAP_READ_HEADER);
		assert_int_equal(pcap_read_next(&records, &packet),
				 writer == PCAP_READ_FOREIGN ? PCAP_READ_PACKET : PCAP_READ_DAMAGED);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces),
		cmocka_unit_test(runs_end),
		cmocka_unit_test(every_prefix),
		cmocka_unit_test(damage),
		cmocka_unit_test(too_long_but_there),
		cmocka_unit_test(zeros),
		cmocka_unit_test(padding),
		cmocka_unit_test(longer_than_the_snaplen),
		cmocka_unit_test(file_headers),
		cmocka_unit_test(foreign_files),
		cmocka_unit_test(foreign_damage),
		cmocka_unit_test(foreign_giants),
		cmocka_unit_test(longer_than_on_the_wire),
	};

	return cmocka_run_group_tests_name("records", tests, NULL, NULL);
}
