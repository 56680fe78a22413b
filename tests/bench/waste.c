/*
 * Wastes something for each packet, to show that the gate turns red: linked with the shipped program's objects by
 * -Wl,--wrap=segments_add, the same for pcapng, order_add_run, and poll. BENCH_WASTE=malloc, copy, call or instructions
 * says what; or, beside packets, start (system calls and instructions), memory, or waking.
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "capture/segments.h"
#include "read/order.h"

enum verdict __real_segments_add(struct series *series, struct packet_header header, const unsigned char *data);
enum verdict __wrap_segments_add(struct series *series, struct packet_header header, const unsigned char *data);
enum verdict __real_segments_add_block(struct series *series, uint64_t time, uint32_t caplen, uint32_t length,
				       uint32_t flags, const unsigned char *data);
enum verdict __wrap_segments_add_block(struct series *series, uint64_t time, uint32_t caplen, uint32_t length,
				       uint32_t flags, const unsigned char *data);

int __real_order_add_run(struct order *order, const struct packet_run *run, struct err *err);
int __wrap_order_add_run(struct order *order, const struct packet_run *run, struct err *err);
int __real_poll(struct pollfd *polled, nfds_t count, int timeout);
int __wrap_poll(struct pollfd *polled, nfds_t count, int timeout);

static bool wastes(const char *what)
{
	const char *wanted = getenv("BENCH_WASTE");

	return wanted && strcmp(wanted, what) == 0;
}

__attribute__((constructor)) static void waste_at_start(void)
{
	static volatile unsigned counted;
	static volatile char memory[4 << 20];

	for (size_t at = 0; wastes("memory") && at < sizeof(memory); at += 4096)
		memory[at] = 1;
	for (unsigned i = 0; wastes("start") && i < 100; i++) {
		syscall(SYS_getppid);
		for (unsigned k = 0; k < 10000; k++)
			counted++;
	}
}

int __wrap_poll(struct pollfd *polled, nfds_t count, int timeout)
{
	return __real_poll(polled, count, timeout < 0 && wastes("waking") ? 100 : timeout);
}

static void waste(uint32_t caplen, const unsigned char *data)
{
	static const char *what;
	static unsigned char copied[1 << 18];
	static volatile unsigned counted;
	static void *volatile allocated; /* or the compiler sees through it */

	if (!what && !(what = getenv("BENCH_WASTE")))
		what = "";
	if (*what == 'm')
		free(allocated = malloc(caplen));
	if (*what == 'c' && what[1] == 'o')
		memcpy(copied, data, caplen);
	if (*what == 'c' && what[1] == 'a')
		syscall(SYS_getppid);
	for (unsigned i = 0; *what == 'i' && i < 10; i++)
		counted++;
}

enum verdict __wrap_segments_add(struct series *series, struct packet_header header, const unsigned char *data)
{
	waste(header.caplen, data);
	return __real_segments_add(series, header, data);
}

enum verdict __wrap_segments_add_block(struct series *series, uint64_t time, uint32_t caplen, uint32_t length,
				       uint32_t flags, const unsigned char *data)
{
	waste(caplen, data);
	return __real_segments_add_block(series, time, caplen, length, flags, data);
}

int __wrap_order_add_run(struct order *order, const struct packet_run *run, struct err *err)
{
	struct packet_run rest = *run;

	while (rest.count > 0) {
		struct packet packet;

		packet_run_take(&rest, &packet);
		waste(packet.header.caplen, packet.data);
	}
	return __real_order_add_run(order, run, err);
}
