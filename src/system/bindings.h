/*
 * The addresses that packet sockets are bound to, armed and disarmed, in memory that cannot be changed once the sandbox
 * is entered.
 *
 * A seccomp filter sees the pointer that bind(2) is given, and not what it points to: whoever could make this process
 * call it would move the socket to another interface. But the filter can compare the pointer. So all addresses stand in
 * one table, at a place below 4 GiB where nothing else of this process lies; before the sandbox it is made read-only;
 * and the filter allows only pointers to its entries, and no call that could change or replace what lies down there.
 */
#ifndef TARCAP_BINDINGS_H
#define TARCAP_BINDINGS_H

#include <stdbool.h>
#include <stdint.h>

#define BINDINGS_SLOT 32U      /* bytes: a struct sockaddr_ll, and zeros */
#define BINDINGS_SIZE 0x4000U  /* bytes: armed and disarmed, for INTERFACES_MAX interfaces */
#define BINDINGS_AT 0x10000000 /* a multiple of BINDINGS_SIZE */

struct sockaddr_ll;

/* A new entry, which stays for good; NULL when the table is full. Not after bindings_seal(). */
const struct sockaddr_ll *bindings_add(int ifindex, uint16_t ethertype);

/* Are there any? */
bool bindings_any(void);

/*
 * Nothing is added any more, and nothing changed. True if the table is where the filter wants it; else (the place is
 * taken, or something else of this process lies down there, too) bind(2) cannot be confined.
 */
bool bindings_seal(void);

#endif
