#include "system/bindings.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/socket.h>

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000 /* Linux 4.17; before, the place is a mere hint */
#endif

#define SLOTS (BINDINGS_SIZE / BINDINGS_SLOT)

struct slot {
	_Alignas(BINDINGS_SLOT) struct sockaddr_ll address;
};

_Static_assert(sizeof(struct slot) == BINDINGS_SLOT, "the filter counts on it");

static struct slot elsewhere[SLOTS]; /* where the place is not to be had */
static struct slot *table;
static unsigned used;

static bool is_high(const void *pointer)
{
	return (uint64_t)(uintptr_t)pointer >> 32;
}

static void open_table(void)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
	void *place = (void *)(uintptr_t)BINDINGS_AT; /* NOLINT(performance-no-int-to-ptr): it is chosen */
	void *mapped = mmap(place, BINDINGS_SIZE, PROT_READ | PROT_WRITE, flags, -1, 0);

	table = elsewhere;
	if (mapped == MAP_FAILED)
		return;
	if (mapped == place)
		table = mapped;
	else
		munmap(mapped, BINDINGS_SIZE);
}

const struct sockaddr_ll *bindings_add(int ifindex, uint16_t ethertype)
{
	struct sockaddr_ll *address;

	if (!table)
		open_table();
	if (used == SLOTS)
		return NULL;
	address = &table[used++].address;
	*address = (struct sockaddr_ll){
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ethertype),
		.sll_ifindex = ifindex,
	};
	return address;
}

bool bindings_any(void)
{
	return table;
}

/* What is mapped later comes to lie beside what is now: stack, program, and where the kernel puts what has no place. */
static bool is_all_else_high(void)
{
	void *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool high = is_high(&page) && is_high(elsewhere) && is_high(page);

	if (page != MAP_FAILED)
		munmap(page, 4096);
	return high && page != MAP_FAILED;
}

bool bindings_seal(void)
{
	if (!table || table == elsewhere || !is_all_else_high())
		return false;
	return mprotect(table, BINDINGS_SIZE, PROT_READ) == 0;
}
