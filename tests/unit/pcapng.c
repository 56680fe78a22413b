#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "format/pcap_read.h"
#include "format/pcapng.h"

static unsigned char file[2 << 20];
static size_t used;
static bool swapped;
static struct pcap_read records;
static struct packet packet;

/* --- by hand, in either byte order, so that what is read is not what the same code has written --- */

static void byte(unsigned value)
{
	file[used++] = (unsigned char)value;
}

static void put16(uint16_t value)
{
	byte(swapped ? value >> 8 : value & 255u);
	byte(swapped ? value & 255u : value >> 8);
}

static void put32(uint32_t value)
{
	put16((uint16_t)(swapped ? value >> 16 : value));
	put16((uint16_t)(swapped ? value : value >> 16));
}

static void option(uint16_t code, const void *value, uint16_t size)
{
	put16(code);
	put16(size);
	memcpy(file + used, value, size);
	used += size;
	while (used % 4)
		byte(0);
}

static size_t begin_block(uint32_t type)
{
	put32(type);
	put32(0);
	return used - 8;
}

static void end_block(size_t at)
{
	size_t end;
	uint32_t size = (uint32_t)(used + 4 - at);

	put32(size);
	end = used;
	used = at + 4;
	put32(size);
	used = end;
}

static void section(void)
{
	size_t at = begin_block(0x0a0d0d0a);

	put32(0x1a2b3c4d);
	put16(1);
	put16(0);
	put32(UINT32_MAX);
	put32(UINT32_MAX);
	end_block(at);
}

static void interface(uint16_t link_type, uint32_t snaplen, int resolution, uint64_t offset)
{
	size_t at = begin_block(1);
	unsigned char value = (unsigned char)resolution;

	put16(link_type);
	put16(0);
	put32(snaplen);
	option(2, "eth0", 4);
	if (resolution >= 0)
		option(9, &value, 1);
	if (offset) {
		put16(14);
		put16(8);
		put32((uint32_t)(swapped ? offset >> 32 : offset));
		put32((uint32_t)(swapped ? offset : offset >> 32));
	}
	option(0, "", 0);
	end_block(at);
}

/* Its two lengths and its bytes, padded. */
static void put_packet(uint32_t caplen)
{
	put32(caplen);
	put32(caplen + 1);
	for (uint32_t i = 0; i < caplen; i++)
		byte(i & 255);
	while (used % 4)
		byte(0);
}

static size_t packet_block(uint32_t number, uint64_t time, uint32_t caplen)
{
	size_t at = begin_block(6);

	put32(number);
	put32((uint32_t)(time >> 32));
	put32((uint32_t)time);
	put_packet(caplen);
	put16(2);
	put16(4);
	put32(5);
	option(0, "", 0);
	end_block(at);
	return at;
}

static void begin_file(bool swap)
{
	used = 0;
	swapped = swap;
	section();
}

/* In pieces of step bytes, up to an event that is not "more". */
static enum pcap_read_event next(size_t *at, size_t step)
{
	enum pcap_read_event event;

	while ((event = pcap_read_next(&records, &packet)) == PCAP_READ_MORE && *at < used) {
		size_t part = used - *at < step ? used - *at : step;

		pcap_read_feed(&records, file + *at, part);
		*at += part;
	}
	return event;
}

/* The packet's time is right: s and ns. */
static void expect_time(int resolution, uint64_t offset, uint64_t time, uint32_t seconds, uint32_t nanoseconds)
{
	for (int swap = 0; swap < 2; swap++) {
		size_t at = 0;

		begin_file(swap);
		interface(1, 0, resolution, offset);
		packet_block(0, time, 3);
		pcap_read_begin(&records, PCAP_READ_OURS);
		assert_int_equal(next(&at, 64), PCAP_READ_HEADER);
		assert_int_equal(next(&at, 64), PCAP_READ_PACKET);
		assert_int_equal(packet.header.seconds, seconds);
		assert_int_equal(packet.header.fraction, nanoseconds);
		assert_int_equal(packet.origin.tick, 1);
	}
}

static void resolutions(void **state)
{
	(void)state;
	expect_time(-1, 0, 1700000000123456, 1700000000, 123456000);
	expect_time(6, 0, 1700000000123456, 1700000000, 123456000);
	expect_time(9, 0, 1700000000123456789, 1700000000, 123456789);
	expect_time(3, 0, 1700000000123, 1700000000, 123000000);
	expect_time(0, 0, 1700000000, 1700000000, 0);
	expect_time(12, 0, UINT64_C(1700000123456789), 1700, 123456);
	expect_time(0x80, 0, 1700000000, 1700000000, 0);
	expect_time(0x80 | 1, 0, 3, 1, 500000000);
	expect_time(0x80 | 32, 0, (UINT64_C(1700000000) << 32) + (UINT64_C(1) << 31), 1700000000, 500000000);
	expect_time(0x80 | 40, 0, (UINT64_C(170) << 40) + (UINT64_C(3) << 38), 170, 750000000);
	expect_time(0x80 | 63, 0, (UINT64_C(1) << 63) + (UINT64_C(1) << 62), 1, 500000000);
	expect_time(0x80 | 64, 0, UINT64_C(1) << 63, 0, 500000000);
	expect_time(0xff, 0, UINT64_MAX, 0, 0);
	expect_time(19, 0, UINT64_C(15) * 1000000000000000000, 1, 500000000);
	expect_time(127, 0, UINT64_MAX, 0, 0);
	expect_time(9, 1000, 5, 1000, 5);
	expect_time(9, (uint64_t)-1, 1500000000, 0, 500000000);
}

static void pieces(void **state)
{
	const size_t steps[] = {1, 3, 11, 12, 13, 100, sizeof(file)};

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(steps) / sizeof(steps[0]); i++) {
		size_t at = 0, step = steps[i / 2], skipped;
		const uint32_t caplens[] = {0, 1, 60, 1500, PCAP_READ_CAPLEN_MAX};

		begin_file(i % 2);
		interface(1, 0, 9, 0);
		skipped = begin_block(4); /* names */
		for (int n = 0; n < 100; n++)
			put32(6);
		end_block(skipped);
		interface(113, 60, 6, 0);
		for (uint32_t n = 0; n < 5; n++)
			packet_block(0, n, caplens[n]);
		packet_block(1, 1000000, 60);
		swapped = !swapped; /* another section, of the other byte order, with its own interfaces */
		section();
		interface(228, 0, 9, 0);
		packet_block(0, 7, 20);

		pcap_read_begin(&records, PCAP_READ_OURS);
		assert_int_equal(next(&at, step), PCAP_READ_HEADER);
		assert_true(records.pcapng && records.interface.link_type == 1);
		assert_int_equal(records.interface.snaplen, PCAP_READ_CAPLEN_MAX);
		assert_string_equal(records.interface.name, "eth0");
		assert_int_equal(next(&at, step), PCAP_READ_HEADER);
		assert_int_equal(records.interface_number, 1);
		assert_int_equal(records.interface.link_type, 113);
		for (uint32_t n = 0; n < 5; n++) {
			assert_int_equal(next(&at, step), PCAP_READ_PACKET);
			assert_int_equal(packet.header.caplen, caplens[n]);
			assert_int_equal(packet.header.length, caplens[n] + 1);
			assert_int_equal(packet.origin.flags, 5);
			for (uint32_t k = 0; k < caplens[n]; k++)
				assert_true(packet.data[k] == (k & 255));
		}
		assert_int_equal(next(&at, step), PCAP_READ_PACKET);
		assert_int_equal(packet.origin.interface, 1);
		assert_int_equal(packet.header.seconds, 1);
		assert_int_equal(next(&at, step), PCAP_READ_HEADER);
		assert_int_equal(records.interface_number, 0);
		assert_int_equal(records.interface.link_type, 228);
		assert_int_equal(next(&at, step), PCAP_READ_PACKET);
		assert_int_equal(next(&at, step), PCAP_READ_MORE);
		assert_true(pcap_read_complete(&records));
		assert_int_equal(records.packets, 7);
	}
}

/* Cut at any byte: whole only between blocks, and then never damaged. */
static void every_prefix(void **state)
{
	size_t whole[8], count = 0, size;

	(void)state;
	begin_file(false);
	interface(1, 0, 9, 0);
	whole[count++] = used;
	for (uint32_t n = 0; n < 3; n++) {
		packet_block(0, n, 10 + n);
		whole[count++] = used;
	}
	size = used;
	for (used = 0; used <= size; used++) {
		size_t at = 0;
		bool complete = false;
		enum pcap_read_event event;

		for (size_t i = 0; i < count; i++)
			complete |= whole[i] == used;
		pcap_read_begin(&records, PCAP_READ_OURS);
		while ((event = next(&at, 7)) != PCAP_READ_MORE)
			assert_int_not_equal(event, PCAP_READ_DAMAGED);
		assert_int_equal(pcap_read_complete(&records), complete);
	}
}

static void expect_damage(void)
{
	for (size_t step = 1; step <= sizeof(file); step = step * 5 + 1) {
		enum pcap_read_event event;
		size_t at = 0;

		pcap_read_begin(&records, PCAP_READ_OURS);
		while ((event = next(&at, step)) == PCAP_READ_HEADER || event == PCAP_READ_PACKET)
			;
		assert_int_equal(event, PCAP_READ_DAMAGED);
		assert_int_equal(pcap_read_next(&records, &packet), PCAP_READ_DAMAGED);
		assert_false(pcap_read_complete(&records));
	}
}

static void damage(void **state)
{
	const uint32_t sizes[] = {0, 4, 8, 12, 31, 33, 0x7ffffffc, UINT32_MAX, UINT32_MAX - 3, PCAPNG_READ_LONGEST + 4};
	const uint32_t caplens[] = {9, 60, PCAP_READ_CAPLEN_MAX + 1, UINT32_MAX, UINT32_MAX - 2};
	size_t at;

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		begin_file(false);
		interface(1, 0, 9, 0);
		at = packet_block(0, 1, 0);
		memcpy(file + at + 4, &sizes[i], 4);
		memset(file + used, 1, 1 << 20);
		used += 1 << 20;
		expect_damage();
	}
	for (size_t i = 0; i < sizeof(caplens) / sizeof(caplens[0]); i++) {
		begin_file(false);
		interface(1, 0, 9, 0);
		at = packet_block(0, 1, 0);
		memcpy(file + at + 20, &caplens[i], 4);
		expect_damage();
	}
	begin_file(false); /* the two sizes differ */
	interface(1, 0, 9, 0);
	packet_block(0, 1, 4);
	file[used - 4] ^= 4;
	expect_damage();
	begin_file(false); /* longer than its interface has packets */
	interface(1, 60, 9, 0);
	packet_block(0, 1, 61);
	expect_damage();
	begin_file(false); /* no such interface */
	interface(1, 0, 9, 0);
	packet_block(1, 1, 4);
	expect_damage();
	begin_file(false); /* zeros of a tar's padding */
	interface(1, 0, 9, 0);
	memset(file + used, 0, 512);
	used += 512;
	expect_damage();
	begin_file(false); /* another major version */
	file[12] = 2;
	expect_damage();
	begin_file(false); /* neither byte order */
	file[8] = 0;
	expect_damage();
	begin_file(false); /* seconds that no pcap header could tell */
	interface(1, 0, 0, 0);
	packet_block(0, UINT64_C(1) << 32, 4);
	expect_damage();
	begin_file(false); /* more interfaces than there is room for */
	for (unsigned n = 0; n <= PCAPNG_READ_INTERFACES_MAX; n++)
		interface(1, 0, 9, 0);
	expect_damage();
	begin_file(false); /* longer than on the wire */
	interface(1, 0, 9, 0);
	at = packet_block(0, 1, 60);
	memcpy(file + at + 24, &(uint32_t){59}, 4);
	expect_damage();
}

/* --- files of others --- */

static void simple_packet(uint32_t length, uint32_t there)
{
	size_t at = begin_block(3);

	put32(length);
	for (uint32_t i = 0; i < there; i++)
		byte(i & 255);
	while (used % 4)
		byte(0);
	end_block(at);
}

static void obsolete_packet(uint16_t number, uint16_t drops, uint64_t time, uint32_t caplen)
{
	size_t at = begin_block(2);

	put16(number);
	put16(drops);
	put32((uint32_t)(time >> 32));
	put32((uint32_t)time);
	put_packet(caplen);
	end_block(at);
}

static void put64(uint64_t value)
{
	put32((uint32_t)(swapped ? value >> 32 : value));
	put32((uint32_t)(swapped ? value : value >> 32));
}

/* Counters below 0 are not there. */
static void statistics(uint32_t number, int64_t of_interface, int64_t of_system)
{
	size_t at = begin_block(5);

	put32(number);
	put32(0);
	put32(0);
	for (int i = 0; i < 2; i++) {
		int64_t value = i ? of_system : of_interface;

		if (value < 0)
			continue;
		put16(i ? 7 : 5);
		put16(8);
		put64((uint64_t)value);
	}
	end_block(at);
}

static enum pcap_read_event read_foreign(uint64_t *packets)
{
	enum pcap_read_event event;
	size_t at = 0;

	pcap_read_begin(&records, PCAP_READ_FOREIGN);
	*packets = 0;
	while ((event = next(&at, 33)) == PCAP_READ_HEADER || event == PCAP_READ_PACKET)
		*packets += event == PCAP_READ_PACKET;
	return event;
}

static void expect_foreign(uint64_t packets, uint64_t passed_packets, uint64_t passed_blocks)
{
	uint64_t count;

	assert_int_equal(read_foreign(&count), PCAP_READ_MORE);
	assert_true(pcap_read_complete(&records));
	assert_int_equal(count, packets);
	assert_int_equal(records.packets, packets);
	assert_int_equal(records.passed.packets, passed_packets);
	assert_int_equal(records.passed.blocks, passed_blocks);
}

static void other_packet_blocks(void **state)
{
	size_t at;

	(void)state;
	for (int swap = 0; swap < 2; swap++) {
		begin_file(swap);
		interface(1, 50, 9, 0);
		simple_packet(10, 10);
		simple_packet(60, 50); /* cut to what its interface has of packets */
		obsolete_packet(0, 0, 1700000000123456789, 11);
		pcap_read_begin(&records, PCAP_READ_FOREIGN);
		at = 0;
		assert_int_equal(next(&at, 5), PCAP_READ_HEADER);
		assert_int_equal(next(&at, 5), PCAP_READ_PACKET);
		assert_true(!records.timed && packet.header.caplen == 10 && packet.header.length == 10);
		assert_int_equal(packet.data[9], 9);
		assert_int_equal(next(&at, 5), PCAP_READ_PACKET);
		assert_true(packet.header.caplen == 50 && packet.header.length == 60);
		assert_int_equal(next(&at, 5), PCAP_READ_PACKET);
		assert_true(records.timed && records.time == 1700000000123456789);
		assert_true(packet.header.caplen == 11 && packet.header.length == 12);
		assert_int_equal(next(&at, 5), PCAP_READ_MORE);
		assert_true(pcap_read_complete(&records));
	}
	begin_file(false); /* shorter than it says */
	interface(1, 0, 9, 0);
	simple_packet(61, 60);
	assert_int_equal(read_foreign(&(uint64_t){0}), PCAP_READ_DAMAGED);
	begin_file(false); /* of no interface */
	simple_packet(60, 60);
	assert_int_equal(read_foreign(&(uint64_t){0}), PCAP_READ_DAMAGED);
	begin_file(false); /* ours has no such blocks */
	interface(1, 0, 9, 0);
	simple_packet(60, 60);
	expect_damage();
	begin_file(false);
	interface(1, 0, 9, 0);
	obsolete_packet(0, 0, 1700000000123456789, 60);
	expect_damage();
}

/* What may hold packets is counted; what can't is not. */
static void unknown_blocks(void **state)
{
	const uint32_t types[] = {0xbad, 0x40000bad, 0x204, 0x7fffffff, 4, 7, 8, 9, 10, 0x80000001};

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		size_t at;

		begin_file(false);
		interface(1, 0, 9, 0);
		at = begin_block(types[i]);
		put32(types[i]);
		end_block(at);
		packet_block(0, 1, 9);
		expect_foreign(1, 0, i < 4);
		assert_int_equal(records.passed.type, i < 4 ? types[i] : 0);
	}
}

static void lenient(void **state)
{
	(void)state;
	begin_file(false); /* nothing but a section */
	expect_foreign(0, 0, 0);
	begin_file(false); /* longer than its interface has packets */
	interface(1, 60, 9, 0);
	packet_block(0, 1, 61);
	expect_foreign(1, 0, 0);
	begin_file(false); /* of a few more interfaces than there is room for */
	for (unsigned n = 0; n < PCAPNG_READ_INTERFACES_MAX + 2; n++)
		interface(1, 0, 9, 0);
	packet_block(PCAPNG_READ_INTERFACES_MAX - 1, 1, 4);
	packet_block(PCAPNG_READ_INTERFACES_MAX, 1, 4);
	packet_block(PCAPNG_READ_INTERFACES_MAX + 1, 1, 4);
	expect_foreign(1, 2, 0);
	packet_block(PCAPNG_READ_INTERFACES_MAX + 2, 1, 4);
	assert_int_equal(read_foreign(&(uint64_t){0}), PCAP_READ_DAMAGED);
	begin_file(false); /* too long for a block that is read whole, and for a packet */
	interface(231, 0, 9, 0);
	packet_block(0, 1, PCAP_READ_CAPLEN_MAX + 1);
	packet_block(0, 1, PCAP_READ_LONGEST);
	packet_block(0, 1, 4);
	expect_foreign(1, 2, 0);
}

static void expect_foreign_time(int resolution, uint64_t offset, uint64_t time, bool timed, uint64_t nanoseconds)
{
	begin_file(false);
	interface(1, 0, resolution, offset);
	packet_block(0, time, 4);
	expect_foreign(1, 0, 0);
	assert_int_equal(records.timed, timed);
	assert_true(records.time == nanoseconds);
}

/* Beyond 32 bits of seconds, at the edge of 64 bits of ns, beyond them, and before 1970. */
static void far_times(void **state)
{
	(void)state;
	expect_foreign_time(6, 0, UINT64_C(4294967300) * 1000000, true, UINT64_C(4294967300) * CLOCK_SECOND);
	expect_foreign_time(0, 0, UINT64_C(18446744072), true, UINT64_C(18446744072) * CLOCK_SECOND);
	expect_foreign_time(0, 0, UINT64_C(18446744073), false, 0);
	expect_foreign_time(0, 0, UINT64_MAX, false, 0);
	expect_foreign_time(0, 1, UINT64_MAX, true, 0); /* the day zero, by way of all 64 bits */
	expect_foreign_time(0, (uint64_t)-2, 1, false, 0);
}

static void expect_loss(uint64_t packets, uint64_t counted, uint64_t interfaces)
{
	uint64_t count;

	assert_int_equal(read_foreign(&count), PCAP_READ_MORE);
	assert_true(records.loss.packets == packets);
	assert_int_equal(records.loss.counted, counted);
	assert_int_equal(records.loss.interfaces, interfaces);
}

static void losses(void **state)
{
	(void)state;
	for (int swap = 0; swap < 2; swap++) {
		begin_file(swap);
		interface(1, 0, 9, 0);
		interface(1, 0, 9, 0);
		expect_loss(0, 0, 2);
		statistics(0, -1, -1);
		expect_loss(0, 0, 2);
		statistics(0, 3, -1);
		expect_loss(3, 1, 2);
		statistics(0, 7, 7); /* the same drops twice; counters are of all since the beginning */
		expect_loss(7, 1, 2);
		statistics(0, 5, -1);
		expect_loss(7, 1, 2);
		statistics(1, 2, 3); /* different ones */
		expect_loss(12, 2, 2);
		statistics(2, 99, 99); /* of nobody */
		expect_loss(12, 2, 2);
		obsolete_packet(1, 10, 1, 4); /* more in front of packets than counters have said yet */
		expect_loss(17, 2, 2);
		obsolete_packet(1, 0xffff, 1, 4);
		expect_loss(17, 2, 2);
		section();
		interface(1, 0, 9, 0);
		statistics(0, -1, 1);
		expect_loss(18, 3, 3);
		statistics(0, INT64_MAX, INT64_MAX - 1); /* more than can be */
		expect_loss(17 + 2 * (uint64_t)INT64_MAX - 1 < 17 ? UINT64_MAX : 17 + 2 * (uint64_t)INT64_MAX - 1, 3,
			    3);
	}
}

/* Ours: a lowered captured length leaves a rest that is no padding, or no options. */
static void a_lowered_length(void **state)
{
	(void)state;
	for (uint32_t caplen = 60; caplen <= 64; caplen += 3) {
		for (uint32_t lower = 1; lower < 60; lower++) {
			size_t at;

			begin_file(false);
			interface(1, 0, 9, 0);
			at = packet_block(0, 1, caplen);
			expect_foreign(1, 0, 0);
			memcpy(file + at + 20, &(uint32_t){caplen - lower}, 4);
			expect_damage();
		}
	}
}

/* --- what is written --- */

static const struct pcapng_section about = {"host a, reason b", "Linux", "tarcap 1"};
static const struct pcapng_interface eth0 = {"eth0", "eth0 of a", "tcp port 443", 1, 96};

static void written_is_read(void **state)
{
	const uint32_t flags[] = {0, PCAPNG_OUTBOUND};
	struct pcapng_statistics statistics = {1, 2, 100, 7, 93};
	size_t at = 0;

	(void)state;
	used = pcapng_put_section(file, &about);
	used += pcapng_put_interface(file + used, &eth0);
	for (uint32_t caplen = 0; caplen < 10; caplen++) {
		uint32_t size = pcapng_packet_size(caplen, flags[caplen % 2]);

		memset(file + used, 0, size);
		pcapng_packet_head(file + used, size, 0, UINT64_C(1700000000123456789) + caplen, caplen, 1000);
		memset(file + used + PCAPNG_PACKET_HEAD, (int)caplen, caplen);
		at = used + PCAPNG_PACKET_HEAD + ((caplen + 3) & ~3u);
		used = at + pcapng_packet_tail(file + at, size, flags[caplen % 2]);
		assert_int_equal(used % 4, 0);
	}
	assert_int_equal(pcapng_put_statistics(file + used, 0, &statistics), PCAPNG_STATISTICS_SIZE);
	used += PCAPNG_STATISTICS_SIZE;
	at = 0;
	pcap_read_begin(&records, PCAP_READ_OURS);
	assert_int_equal(next(&at, 50), PCAP_READ_HEADER);
	assert_memory_equal(&records.interface, &eth0, sizeof(eth0));
	assert_memory_equal(&records.blocks.section, &about, sizeof(about));
	for (uint32_t caplen = 0; caplen < 10; caplen++) {
		assert_int_equal(next(&at, 50), PCAP_READ_PACKET);
		assert_int_equal(packet.header.fraction, 123456789 + caplen);
		assert_int_equal(packet.header.caplen, caplen);
		assert_int_equal(packet.header.length, 1000);
		assert_int_equal(packet.origin.flags, flags[caplen % 2]);
		assert_true(caplen == 0 || packet.data[caplen - 1] == caplen);
	}
	assert_int_equal(next(&at, 50), PCAP_READ_MORE);
	assert_true(pcap_read_complete(&records));
}

/* The longest texts there are room for. */
static void longest(void **state)
{
	struct pcapng_section section_;
	struct pcapng_interface interface_;

	(void)state;
	memset(&section_, 'x', sizeof(section_));
	memset(&interface_, 'x', sizeof(interface_));
	section_.comment[sizeof(section_.comment) - 1] = '\0';
	section_.os[sizeof(section_.os) - 1] = '\0';
	section_.application[sizeof(section_.application) - 1] = '\0';
	interface_.name[sizeof(interface_.name) - 1] = '\0';
	interface_.description[sizeof(interface_.description) - 1] = '\0';
	interface_.filter[sizeof(interface_.filter) - 1] = '\0';
	assert_in_range(pcapng_put_section(file, &section_), sizeof(section_), PCAPNG_SECTION_MAX);
	assert_in_range(pcapng_put_interface(file, &interface_), sizeof(interface_), PCAPNG_INTERFACE_MAX);
}

static void texts(void **state)
{
	char text[8];

	(void)state;
	assert_string_equal(pcapng_text(text, sizeof(text), ""), "");
	assert_string_equal(pcapng_text(text, sizeof(text), "1234567"), "1234567");
	assert_string_equal(pcapng_text(text, sizeof(text), "12345678"), "1234...");
	assert_string_equal(pcapng_text(text, sizeof(text),
					"123\xc3\xa4"
					"5678"),
			    "123...");
	assert_string_equal(pcapng_text(text, sizeof(text), "\x80\x80\x80\x80\x80\x80\x80\x80\x80"), "...");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(resolutions),	    cmocka_unit_test(pieces),
		cmocka_unit_test(every_prefix),	    cmocka_unit_test(damage),
		cmocka_unit_test(longest),	    cmocka_unit_test(texts),
		cmocka_unit_test(written_is_read),  cmocka_unit_test(other_packet_blocks),
		cmocka_unit_test(unknown_blocks),   cmocka_unit_test(lenient),
		cmocka_unit_test(far_times),	    cmocka_unit_test(losses),
		cmocka_unit_test(a_lowered_length),
	};

	return cmocka_run_group_tests_name("pcapng", tests, NULL, NULL);
}
