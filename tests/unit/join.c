#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../support/stream.h"
#include "base/clock.h"
#include "format/pcap_read.h"
#include "read/join.h"

#define FILES 3
#define PACKETS 3 /* in each */
#define CAPLEN 20
#define BODY (PACKET_FILE_HEADER + PACKETS * (sizeof(struct packet_header) + CAPLEN))

struct archive {
	unsigned char data[16384];
	size_t size;
};

static struct archive archive;

static struct {
	unsigned char data[65536];
	size_t size, fails_at;
} out;

static int to_memory(void *context, const void *data, size_t size, struct err *err)
{
	assert_ptr_equal(context, &out);
	if (out.fails_at && out.size >= out.fails_at)
		return err_set(err, STATUS_READER, "gone");
	assert_true(size <= sizeof(out.data) - out.size);
	memcpy(out.data + out.size, data, size);
	out.size += size;
	return 0;
}

static void put_member(const char *name, const void *data, size_t size)
{
	unsigned char *block = archive.data + archive.size;
	unsigned sum = 0;

	memset(block, 0, 512);
	snprintf((char *)block, 100, "top/%s", name);
	snprintf((char *)block + 124, 12, "%011zo", size);
	memset(block + 148, ' ', 8);
	block[156] = '0';
	memcpy(block + 257, "ustar\00000", 8);
	for (int i = 0; i < 512; i++)
		sum += block[i];
	snprintf((char *)block + 148, 8, "%06o", sum);
	block[155] = ' ';
	memcpy(block + 512, data, size);
	archive.size += 512 + (size + 511) / 512 * 512;
}

static struct packet_header header_of(unsigned n)
{
	return (struct packet_header){1800000000 + n, 0, CAPLEN, CAPLEN + n};
}

static void put_file(unsigned number, char *line)
{
	unsigned char body[BODY];
	char name[80], first[CLOCK_TEXT_SIZE], last[CLOCK_TEXT_SIZE];
	size_t used = PACKET_FILE_HEADER;

	pcap_read_header(body, 65535, 1);
	for (unsigned i = 0; i < PACKETS; i++) {
		unsigned n = number * PACKETS + i;
		struct packet_header header = header_of(n);

		memcpy(body + used, &header, sizeof(header));
		memset(body + used + sizeof(header), (int)n, CAPLEN);
		used += sizeof(header) + CAPLEN;
	}
	assert_int_equal(used, BODY);
	snprintf(name, sizeof(name), "eth0_%05u_20270115080000.pcap", number + 1);
	put_member(name, body, used);
	clock_rfc3339((1800000000 + number * PACKETS) * CLOCK_SECOND, first);
	clock_rfc3339((1800000000 + number * PACKETS + PACKETS - 1) * CLOCK_SECOND, last);
	sprintf(line,
		"%s{\"name\": \"%s\", \"interface\": \"eth0\", \"packets\": %d, \"bytes\": %zu, \"stored_bytes\": %zu, "
		"\"first\": \"%s\", \"last\": \"%s\"}",
		number ? "," : "", name, PACKETS, used, used, first, last);
}

static const char request[] =
	"{\"tarcap_capture\": 1, \"name\": \"web\", \"started\": \"\", \"user\": {}, \"command\": []}";

static int build(void **state)
{
	char manifest[4096] =
		"{\"tarcap_manifest\": 1, \"parts\": 0, \"ended_by\": {\"cause\": \"signal\"}, \"files\": [";

	(void)state;
	memset(&archive, 0, sizeof(archive));
	put_member("capture.json", request, strlen(request));
	for (unsigned n = 0; n < FILES; n++)
		put_file(n, manifest + strlen(manifest));
	sprintf(manifest + strlen(manifest),
		"], \"totals\": {\"files\": %d, \"packets\": %d, \"bytes\": %zu}, \"interfaces\": [{\"name\": "
		"\"eth0\", "
		"\"received_by_filter\": %d, \"written\": %d, \"dropped_by_kernel\": 0, \"dropped_at_stop\": 0, "
		"\"after_limit\": 0, \"filtered_in_user_space\": 0, \"link_type_number\": 1, \"snapshot_length\": "
		"65535}]}",
		FILES, FILES * PACKETS, FILES * BODY, FILES * PACKETS, FILES * PACKETS);
	put_member("manifest.json", manifest, strlen(manifest));
	archive.size += 1024;
	return 0;
}

/* Joined, all of it: true if it is whole. The numbers of the packets that came out go to bits. */
static bool join_bytes(const unsigned char *data, size_t size, uint64_t *bits, struct join_result *result)
{
	struct stream stream = {data, size, 0, 700};
	struct join_setup setup = {.source = stream_read,
				   .output = to_memory,
				   .source_context = &stream,
				   .output_context = &out,
				   .memory = JOIN_MEMORY_MIN};
	struct err err = {0};
	struct join *join = join_open(&setup, &err);
	bool good;

	assert_non_null(join);
	out.size = 0;
	assert_int_equal(join_run(join, result, &err), 0);
	good = result->found && !defects_any(result->defects);
	join_close(join);
	*bits = 0;
	for (size_t at = PACKET_FILE_HEADER; at < out.size;) {
		struct packet_header header;

		assert_true(out.size - at >= sizeof(header));
		memcpy(&header, out.data + at, sizeof(header));
		assert_true(out.size - at - sizeof(header) >= header.caplen);
		if (header.caplen == CAPLEN && header.length - CAPLEN < FILES * PACKETS)
			*bits |= UINT64_C(1) << (header.length - CAPLEN);
		at += sizeof(header) + header.caplen;
	}
	assert_true(out.size == 0 || out.size >= PACKET_FILE_HEADER);
	return good;
}

#define ALL ((UINT64_C(1) << FILES * PACKETS) - 1)

static void whole(void **state)
{
	struct join_result result;
	uint64_t bits;

	(void)state;
	assert_true(join_bytes(archive.data, archive.size, &bits, &result));
	assert_int_equal(bits, ALL);
	assert_int_equal(result.files, FILES);
	assert_int_equal(result.packets, FILES * PACKETS);
}

/* What of the packets is complete in so many bytes of the archive. */
static uint64_t complete_in(size_t size)
{
	uint64_t bits = 0;

	for (unsigned n = 0; n < FILES * PACKETS; n++) {
		size_t file = 1024 + n / PACKETS * (512 + (BODY + 511) / 512 * 512) + 512;
		size_t end = file + PACKET_FILE_HEADER + (n % PACKETS + 1) * (sizeof(struct packet_header) + CAPLEN);

		if (size >= end)
			bits |= UINT64_C(1) << n;
	}
	return bits;
}

static void every_prefix(void **state)
{
	struct join_result result;
	uint64_t bits;

	(void)state;
	for (size_t size = 0; size < archive.size; size++) {
		assert_false(join_bytes(archive.data, size, &bits, &result));
		assert_int_equal(bits, complete_in(size));
		assert_int_equal(result.found, size >= 512);
	}
}

/* Where a flip may stay unseen: in what no header and no count covers. Returns 'p' for packets' bytes. */
static char may_be_unseen(size_t at)
{
	size_t header = 0, size = strlen(request);

	while (at >= header + 512 + (size + 511) / 512 * 512) {
		header += 512 + (size + 511) / 512 * 512;
		if (header + 512 > archive.size - 1024)
			return 0;
		size = strtoul((char *)archive.data + header + 124, NULL, 8);
	}
	at -= header;
	if (at >= 512 + size)
		return '0'; /* padding */
	if (header == 0)
		return 'c'; /* capture.json: its header as well, which then counts as junk */
	if (at < 512)
		return at >= 148 && at < 156 ? 'k' : 0;
	if (size != BODY)
		return 'j'; /* a space in the manifest's text, a field nobody checks */
	if (at < 512 + PACKET_FILE_HEADER)
		return 0;
	/* In a record's header: times between first and last, and the length. */
	return 'p';
}

/* Each bit of the archive: found, or where nothing covers it. */
static void every_flip(void **state)
{
	struct join_result result;
	uint64_t bits;
	size_t found = 0;

	(void)state;
	for (size_t at = 0; at < archive.size; at++) {
		unsigned char flip = (unsigned char)(1u << at % 8);
		bool good;

		if (may_be_unseen(at) == '0' && at % 16)
			continue; /* there is much padding */
		archive.data[at] ^= flip;
		good = join_bytes(archive.data, archive.size, &bits, &result);
		archive.data[at] ^= flip;
		found += !good;
		if (good && !may_be_unseen(at))
			fail_msg("flip %02x at %zu is not found", flip, at);
		if (good)
			assert_int_equal(result.packets, FILES * PACKETS);
	}
	assert_true(found > 2500);
}

/* A record's length can claim anything: no more than the member comes out of it, and what stood before it is there. */
static void every_caplen(void **state)
{
	const uint32_t claims[] = {0, 1, 19, 21, 100, 262144, 262145, 0x7fffffff, 0x80000014, 0xffffffff};
	struct join_result result;
	uint64_t bits;

	(void)state;
	for (size_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++) {
		memcpy(archive.data + 1536 + PACKET_FILE_HEADER + 36 + 8, &claims[i], 4);
		assert_false(join_bytes(archive.data, archive.size, &bits, &result));
		assert_int_equal(bits & ~UINT64_C(6), ALL & ~UINT64_C(6));
	}
	build(NULL);
}

static void failing_output(void **state)
{
	/* In the file header, or what a member has: its packets are written at once. */
	const size_t last_member = BODY + (FILES - 2) * (BODY - PACKET_FILE_HEADER);

	(void)state;
	for (size_t fails_at = 1; fails_at <= last_member; fails_at += 20) {
		struct stream stream = {archive.data, archive.size, 0, 700};
		struct join_setup setup = {.source = stream_read,
					   .output = to_memory,
					   .source_context = &stream,
					   .output_context = &out,
					   .memory = JOIN_MEMORY_MIN};
		struct err err = {0};
		struct join *join = join_open(&setup, &err);
		struct join_result result;

		out.size = 0;
		out.fails_at = fails_at;
		assert_int_equal(join_run(join, &result, &err), -1);
		assert_int_equal(err.status, STATUS_READER);
		join_close(join);
	}
	out.fails_at = 0;
}

/* Only looked at: nothing is written, and the verdict is the same. */
static void no_output(void **state)
{
	(void)state;
	for (size_t size = archive.size; size > 0; size -= 512) {
		struct stream stream = {archive.data, size, 0, 700};
		struct join_setup setup = {.source = stream_read, .source_context = &stream};
		struct err err = {0};
		struct join *join = join_open(&setup, &err);
		struct join_result result;

		assert_int_equal(join_run(join, &result, &err), 0);
		assert_int_equal(defects_any(result.defects), size < archive.size);
		join_close(join);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole),	cmocka_unit_test(every_prefix),	  cmocka_unit_test(every_flip),
		cmocka_unit_test(every_caplen), cmocka_unit_test(failing_output), cmocka_unit_test(no_output),
	};

	return cmocka_run_group_tests_name("join", tests, build, NULL);
}
