#include "system/relro.h"

#include <link.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

/* The linker's name for where the program lies in memory; its addresses count from there, as it is
 * position-independent. */
extern char program[] __asm__("__ehdr_start") __attribute__((visibility("hidden")));

void relro_protect(void)
{
	const ElfW(Ehdr) *header = (const void *)program;
	const ElfW(Phdr) *part = (const void *)(program + header->e_phoff);
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	for (int i = 0; header->e_type == ET_DYN && i < header->e_phnum; i++) {
		if (part[i].p_type != PT_GNU_RELRO)
			continue;
		size_t start = part[i].p_vaddr & -page;
		size_t end = (part[i].p_vaddr + part[i].p_memsz) & -page; /* the rest shares a page with variables */

		(void)mprotect(program + start, end - start, PROT_READ);
	}
}
