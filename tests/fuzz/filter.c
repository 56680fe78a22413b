/* A filter: compiled for some link type as for -r, and run over a packet; then with the cut of --headers behind it. */
#include "fuzz.h"

#include <linux/filter.h>
#include <netdb.h>
#include <pcap/pcap.h>

#include "../unit/dissector.h"
#include "capture/capture.h"
#include "capture/filter.h"
#include "capture/filter_headers.h"
#include "request/options.h"

#define TEXT_MAX 80 /* libpcap's optimizer takes seconds for some longer ones */

static const uint32_t link_types[] = {1, 0, 9, 101, 105, 113, 127, 147, 228, 276};

/* A fuzzer must not ask the network for names. These take the place of the C library's. */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **result)
{
	(void)node, (void)service, (void)hints, (void)result;
	return EAI_NONAME;
}

struct netent *getnetbyname(const char *name)
{
	(void)name;
	return NULL;
}

static int open_with(struct capture *capture, uint32_t link_type, const char *text, struct err *err)
{
	const uint32_t header[6] = {0xa1b2c3d4, 2 | 4 << 16, 0, 0, SNAPLEN_MAX, link_type};
	struct options options = {.snaplen = SNAPLEN_MAX, .filter = (char *)text};
	char path[32];
	int fd = fuzz_file((const uint8_t *)header, sizeof(header), path);
	int result;

	options.read_file = path;
	result = capture_open_file(capture, &options, -1, err);
	close(fd);
	return result;
}

static unsigned run(const struct sock_filter *program, const uint8_t *packet, unsigned size)
{
	return bpf_filter((const struct bpf_insn *)program, packet, size, size);
}

/* What the filter takes is cut where a plain dissector would cut it; what it doesn't take stays so. */
static void cut(int link_type, const struct bpf_program *program, const uint8_t *packet, unsigned size)
{
	struct filter_headers headers = {link_type, false, SNAPLEN_MAX};
	unsigned max = program->bf_len + FILTER_HEADERS_INSTRUCTIONS_MAX, length, plain;
	struct sock_filter *both = calloc(max, sizeof(*both));

	memcpy(both, program->bf_insns, program->bf_len * sizeof(*both));
	plain = run(both, packet, size);
	length = filter_headers_append(both, program->bf_len, max, &headers);
	PROMISE(length > program->bf_len && bpf_validate((struct bpf_insn *)both, (int)length));
	length = run(both, packet, size);
	PROMISE((length > 0) == (plain > 0));
	PROMISE(plain == 0 || (length < size ? length : size) == dissect(link_type, packet, size));
	free(both);
}

/* link type, text, 0, packet */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct capture capture = {.fd = -1, .file = -1};
	struct err err = {0}, second = {0};
	char text[TEXT_MAX + 1] = "";
	size_t length;
	uint8_t *packet;
	int result;

	if (size < 1)
		return 0;
	length = strnlen((const char *)data + 1, size - 1);
	if (length > TEXT_MAX)
		return 0;
	memcpy(text, data + 1, length);
	result = open_with(&capture, link_types[data[0] % (sizeof(link_types) / sizeof(*link_types))], text, &err);
	fuzz_result(result, &err);
	if (result == 0) {
		struct bpf_program *program = filter_compile(capture.pcap, NULL, text, &second);

		PROMISE(program); /* what was set can also be compiled */
		data += 1 + length, size -= 1 + length;
		packet = malloc(size + !size);
		memcpy(packet, data, size);
		filter_matches(program, packet, (unsigned)size + 100, (unsigned)size);
		cut(pcap_datalink(capture.pcap), program, packet, (unsigned)size);
		free(packet);
		filter_free(program);
	}
	capture_close(&capture);
	return 0;
}
