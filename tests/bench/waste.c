/*
 * Wastes something for each packet, to show that the gate turns red: linked with the shipped program's objects by
 * -Wl,--wrap=segments_add, and the same for pcapng. BENCH_WASTE=malloc, copy, call or instructions says what.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "capture/segments.h"

enum verdict __real_segments_add(struct series *series, struct packet_header header, const unsigned char *data);
enum verdict __wrap_segments_add(struct series *series, struct packet_header header, const unsigned char *data);
enum verdict __real_segments_add_block(struct series *series, uint64_t time, uint32_t caplen, uint32_t length,
				       uint32_t flags, const unsigned char *data);
enum verdict __wrap_segments_add_block(struct series *series, uint64_t time, uint32_t caplen, uint32_t length,
				       uint32_t flags, const unsigned char *data);

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
