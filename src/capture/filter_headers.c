#include "capture/filter_headers.h"

#include <linux/filter.h>
#include <pcap/dlt.h>
#include <stddef.h>
#include <string.h>

#define ETHERTYPE_IP 0x0800
#define ETHERTYPE_IPV6 0x86dd
#define ETHERTYPE_VLAN 0x8100
#define ETHERTYPE_QINQ 0x88a8
#define ETHERTYPE_QINQ_OLD 0x9100
#define VLAN_TAG 4

#define IPV4_HEADER 20
#define IPV6_HEADER 40
#define TCP_HEADER 20
#define SCTP_HEADERS 28 /* RFC 4960: the common header's 12, a DATA chunk's 16 */
#define PORTS 8		/* bytes of its packet that an ICMP error quotes at least behind the IP header (RFC 792) */

enum {
	HOP_BY_HOP = 0,
	ICMP = 1,
	TCP = 6,
	UDP = 17,
	ROUTING = 43,
	FRAGMENT = 44,
	ESP = 50,
	AH = 51,
	ICMPV6 = 58,
	NO_NEXT = 59,
	DESTINATION = 60,
	SCTP = 132,
	UDPLITE = 136
};

/* Scratch memory: of the header at X its length; the protocol of what is at X. */
enum { LENGTH, NEXT };

/* Where the link header ends, and where in it the ethertype is; without one, IP tells its version itself. */
struct link {
	int type;
	unsigned header;
	unsigned ethertype;
};

#define NO_ETHERTYPE 0xffff

/* https://www.tcpdump.org/linktypes.html */
static const struct link links[] = {
	{DLT_EN10MB, 14, 12},	     {DLT_LINUX_SLL, 16, 14},	  {DLT_LINUX_SLL2, 20, 0},
	{DLT_RAW, 0, NO_ETHERTYPE},  {DLT_IPV4, 0, NO_ETHERTYPE}, {DLT_IPV6, 0, NO_ETHERTYPE},
	{DLT_NULL, 4, NO_ETHERTYPE}, {DLT_LOOP, 4, NO_ETHERTYPE},
};

/*
 * A program being written. Jumps only go forward: one to a label is noted with it, and filled in where the label lands.
 * Conditional jumps reach 255 instructions, jump() any number.
 */
struct writer {
	struct sock_filter *program;
	unsigned length;
	uint32_t snaplen;
};

struct label {
	struct sock_filter *from[24];
	unsigned count;
};

static struct sock_filter *add(struct writer *w, int code, uint32_t k)
{
	w->program[w->length] = (struct sock_filter){.code = (uint16_t)code, .k = k};
	return &w->program[w->length++];
}

static void jump(struct writer *w, struct label *label)
{
	label->from[label->count++] = add(w, BPF_JMP | BPF_JA, 0);
}

/* To the label if A stands so (BPF_JEQ, BPF_JGE, BPF_JGT, BPF_JSET) to k. */
static void jump_if(struct writer *w, int how, uint32_t k, struct label *label)
{
	label->from[label->count++] = add(w, BPF_JMP | how | BPF_K, k);
}

static void land(struct writer *w, const struct label *label)
{
	for (unsigned i = 0; i < label->count; i++) {
		ptrdiff_t distance = &w->program[w->length] - label->from[i] - 1;

		if (BPF_OP(label->from[i]->code) == BPF_JA)
			label->from[i]->k = (uint32_t)distance;
		else
			label->from[i]->jt = (uint8_t)distance;
	}
}

static void keep_whole(struct writer *w)
{
	add(w, BPF_RET | BPF_K, w->snaplen);
}

/* Go on only with n bytes of packet: a load behind its end would drop it. */
static void need(struct writer *w, uint32_t n)
{
	struct label enough = {0};

	add(w, BPF_LD | BPF_W | BPF_LEN, 0);
	jump_if(w, BPF_JGE, n, &enough);
	keep_whole(w);
	land(w, &enough);
}

/* The same with n bytes from X on, which may itself be behind the end. */
static void need_here(struct writer *w, uint32_t n)
{
	struct label enough = {0}, short_of_it = {0};

	add(w, BPF_LD | BPF_W | BPF_LEN, 0);
	add(w, BPF_ALU | BPF_SUB | BPF_X, 0);
	jump_if(w, BPF_JSET, 0x80000000, &short_of_it);
	jump_if(w, BPF_JGE, n, &enough);
	land(w, &short_of_it);
	keep_whole(w);
	land(w, &enough);
}

/* A with k (BPF_ADD, BPF_AND, BPF_LSH, BPF_RSH). */
static void compute(struct writer *w, int how, uint32_t k)
{
	add(w, BPF_ALU | how | BPF_K, k);
}

static void load_byte(struct writer *w, uint32_t offset)
{
	add(w, BPF_LD | BPF_B | BPF_IND, offset);
}

/* Behind the header at X, of LENGTH; A is NEXT then. */
static void go_behind(struct writer *w)
{
	add(w, BPF_LD | BPF_MEM, LENGTH);
	add(w, BPF_ALU | BPF_ADD | BPF_X, 0);
	add(w, BPF_MISC | BPF_TAX, 0);
	add(w, BPF_LD | BPF_MEM, NEXT);
}

/* The ends that many ways lead to. */
struct ends {
	struct label eight;   /* of the header at X, 8 bytes */
	struct label unknown; /* of what is at X, FILTER_HEADERS_UNKNOWN bytes */
	struct label more;    /* of the header at X, A bytes */
	struct label all;     /* A bytes of the packet */
};

/* What the ethertype says, tag for tag; leaves X where IP begins. */
static void link_layer(struct writer *w, const struct link *link, bool cooked, struct ends *ends)
{
	struct label network = {0};
	unsigned header = cooked ? 0 : link->header;
	uint32_t ethertype = cooked ? (uint32_t)(SKF_AD_OFF + SKF_AD_PROTOCOL) : link->ethertype;

	for (int tags = 0; tags <= FILTER_HEADERS_TAGS; tags++) {
		struct label ip = {0}, tag = {0};

		need(w, header);
		add(w, BPF_LD | BPF_H | BPF_ABS, ethertype);
		jump_if(w, BPF_JEQ, ETHERTYPE_IP, &ip);
		jump_if(w, BPF_JEQ, ETHERTYPE_IPV6, &ip);
		if (tags < FILTER_HEADERS_TAGS) {
			jump_if(w, BPF_JEQ, ETHERTYPE_VLAN, &tag);
			jump_if(w, BPF_JEQ, ETHERTYPE_QINQ, &tag);
			jump_if(w, BPF_JEQ, ETHERTYPE_QINQ_OLD, &tag);
		}
		add(w, BPF_LD | BPF_IMM, header + FILTER_HEADERS_UNKNOWN);
		jump(w, &ends->all);
		land(w, &ip);
		add(w, BPF_LDX | BPF_IMM, header);
		jump(w, &network);
		land(w, &tag);
		ethertype = header + VLAN_TAG - 2;
		header += VLAN_TAG;
	}
	land(w, &network);
}

/* IPv4 from X on, which are at least IPV4_HEADER bytes. */
static void ipv4_header(struct writer *w, struct ends *ends)
{
	struct label sound = {0}, later = {0}, upper = {0};

	load_byte(w, 0);
	compute(w, BPF_AND, 0x0f);
	compute(w, BPF_LSH, 2);
	jump_if(w, BPF_JGE, IPV4_HEADER, &sound);
	jump(w, &ends->unknown);
	land(w, &sound);
	add(w, BPF_ST, LENGTH);
	load_byte(w, 9);
	add(w, BPF_ST, NEXT);
	add(w, BPF_LD | BPF_H | BPF_IND, 6);
	jump_if(w, BPF_JSET, 0x1fff, &later);
	go_behind(w);
	jump(w, &upper);
	land(w, &later);
	add(w, BPF_LD | BPF_MEM, LENGTH);
	jump(w, &ends->more);
	land(w, &upper);
}

static void ipv6_header(struct writer *w)
{
	need_here(w, IPV6_HEADER);
	add(w, BPF_LD | BPF_IMM, IPV6_HEADER);
	add(w, BPF_ST, LENGTH);
	load_byte(w, 6);
	add(w, BPF_ST, NEXT);
	go_behind(w);
}

/* The IP header at X. Behind it, and behind each of the extension headers, A is NEXT. */
static void network_layer(struct writer *w, struct ends *ends)
{
	struct label ipv4 = {0}, ipv6 = {0}, upper = {0};

	need_here(w, IPV4_HEADER);
	load_byte(w, 0);
	compute(w, BPF_RSH, 4);
	jump_if(w, BPF_JEQ, 4, &ipv4);
	jump_if(w, BPF_JEQ, 6, &ipv6);
	jump(w, &ends->unknown);
	land(w, &ipv6);
	ipv6_header(w);
	jump(w, &upper);
	land(w, &ipv4);
	ipv4_header(w, ends);
	land(w, &upper);
}

/* Extension headers count their length in 8 bytes after the first 8 (RFC 8200), AH in 4 after the first 8 (RFC 4302).
 */
static void extension_header(struct writer *w, struct ends *ends)
{
	struct label ah = {0}, fragment = {0}, first = {0}, known = {0};

	need_here(w, 8);
	add(w, BPF_LD | BPF_MEM, NEXT);
	jump_if(w, BPF_JEQ, FRAGMENT, &fragment);
	jump_if(w, BPF_JEQ, AH, &ah);
	load_byte(w, 1);
	compute(w, BPF_ADD, 1);
	compute(w, BPF_LSH, 3);
	jump(w, &known);
	land(w, &ah);
	load_byte(w, 1);
	compute(w, BPF_ADD, 2);
	compute(w, BPF_LSH, 2);
	jump(w, &known);
	land(w, &fragment);
	add(w, BPF_LD | BPF_H | BPF_IND, 2);
	compute(w, BPF_AND, 0xfff8);
	jump_if(w, BPF_JEQ, 0, &first);
	jump(w, &ends->eight);
	land(w, &first);
	add(w, BPF_LD | BPF_IMM, 8);
	land(w, &known);
	add(w, BPF_ST, LENGTH);
	load_byte(w, 0);
	add(w, BPF_ST, NEXT);
	go_behind(w);
}

static void extension_headers(struct writer *w, struct ends *ends)
{
	struct label upper = {0};

	for (int i = 0; i < FILTER_HEADERS_EXTENSIONS; i++) {
		struct label extension = {0};

		jump_if(w, BPF_JEQ, HOP_BY_HOP, &extension);
		jump_if(w, BPF_JEQ, ROUTING, &extension);
		jump_if(w, BPF_JEQ, FRAGMENT, &extension);
		jump_if(w, BPF_JEQ, AH, &extension);
		jump_if(w, BPF_JEQ, DESTINATION, &extension);
		jump(w, &upper);
		land(w, &extension);
		extension_header(w, ends);
	}
	land(w, &upper);
}

static void tcp_header(struct writer *w, struct ends *ends)
{
	struct label sound = {0};

	need_here(w, TCP_HEADER);
	load_byte(w, 12);
	compute(w, BPF_AND, 0xf0);
	compute(w, BPF_RSH, 2);
	jump_if(w, BPF_JGE, TCP_HEADER, &sound);
	add(w, BPF_LD | BPF_IMM, TCP_HEADER);
	land(w, &sound);
	jump(w, &ends->more);
}

/* RFC 792 */
static void icmp_header(struct writer *w, struct ends *ends)
{
	static const uint8_t errors[] = {3, 4, 5, 11, 12};
	struct label quote = {0}, echo = {0};

	need_here(w, 9);
	load_byte(w, 0);
	for (unsigned i = 0; i < sizeof(errors); i++)
		jump_if(w, BPF_JEQ, errors[i], &quote);
	jump_if(w, BPF_JEQ, 0, &echo);
	jump_if(w, BPF_JEQ, 8, &echo);
	jump(w, &ends->unknown);
	land(w, &echo);
	jump(w, &ends->eight);
	land(w, &quote);
	load_byte(w, 8);
	compute(w, BPF_AND, 0x0f);
	compute(w, BPF_LSH, 2);
	compute(w, BPF_ADD, 8 + PORTS);
	jump(w, &ends->more);
}

/* RFC 4443: errors are the types below 128. */
static void icmpv6_header(struct writer *w, struct ends *ends)
{
	struct label informational = {0}, echo = {0};

	need_here(w, 1);
	load_byte(w, 0);
	jump_if(w, BPF_JGE, 128, &informational);
	add(w, BPF_LD | BPF_IMM, 8 + IPV6_HEADER + PORTS);
	jump(w, &ends->more);
	land(w, &informational);
	jump_if(w, BPF_JEQ, 128, &echo);
	jump_if(w, BPF_JEQ, 129, &echo);
	jump(w, &ends->unknown);
	land(w, &echo);
	jump(w, &ends->eight);
}

/* What is at X, by A. */
static void transport_layer(struct writer *w, struct ends *ends)
{
	struct label tcp = {0}, icmp = {0}, icmpv6 = {0}, sctp = {0}, eight = {0}, none = {0};

	jump_if(w, BPF_JEQ, TCP, &tcp);
	jump_if(w, BPF_JEQ, UDP, &eight);
	jump_if(w, BPF_JEQ, ICMP, &icmp);
	jump_if(w, BPF_JEQ, ICMPV6, &icmpv6);
	jump_if(w, BPF_JEQ, ESP, &eight);
	jump_if(w, BPF_JEQ, UDPLITE, &eight);
	jump_if(w, BPF_JEQ, SCTP, &sctp);
	jump_if(w, BPF_JEQ, NO_NEXT, &none);
	jump(w, &ends->unknown);
	land(w, &eight);
	jump(w, &ends->eight);
	land(w, &none);
	add(w, BPF_LD | BPF_IMM, 0);
	jump(w, &ends->more);
	land(w, &sctp);
	add(w, BPF_LD | BPF_IMM, SCTP_HEADERS);
	jump(w, &ends->more);
	land(w, &tcp);
	tcp_header(w, ends);
	land(w, &icmp);
	icmp_header(w, ends);
	land(w, &icmpv6);
	icmpv6_header(w, ends);
}

static void finish(struct writer *w, struct ends *ends)
{
	struct label too_long = {0};

	land(w, &ends->unknown);
	add(w, BPF_LD | BPF_IMM, FILTER_HEADERS_UNKNOWN);
	jump(w, &ends->more);
	land(w, &ends->eight);
	add(w, BPF_LD | BPF_IMM, 8);
	land(w, &ends->more);
	add(w, BPF_ALU | BPF_ADD | BPF_X, 0);
	land(w, &ends->all);
	jump_if(w, BPF_JGT, w->snaplen, &too_long);
	add(w, BPF_RET | BPF_A, 0);
	land(w, &too_long);
	keep_whole(w);
}

static const struct link *find_link(int type)
{
	for (unsigned i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		if (links[i].type == type)
			return &links[i];
	}
	return NULL;
}

unsigned filter_headers_program(struct sock_filter *program, const struct filter_headers *headers)
{
	struct writer w = {program, 0, headers->snaplen};
	const struct link *link = find_link(headers->link_type);
	bool cooked =
		headers->in_kernel && (headers->link_type == DLT_LINUX_SLL || headers->link_type == DLT_LINUX_SLL2);
	struct ends ends = {0};

	if (!link) {
		add(&w, BPF_RET | BPF_K,
		    FILTER_HEADERS_UNKNOWN < headers->snaplen ? FILTER_HEADERS_UNKNOWN : headers->snaplen);
		return w.length;
	}
	if (link->ethertype == NO_ETHERTYPE)
		add(&w, BPF_LDX | BPF_IMM, link->header);
	else
		link_layer(&w, link, cooked, &ends);
	network_layer(&w, &ends);
	extension_headers(&w, &ends);
	transport_layer(&w, &ends);
	finish(&w, &ends);
	return w.length;
}

static bool accepts(const struct sock_filter *instruction)
{
	return instruction->code == (BPF_RET | BPF_K) && instruction->k > 0;
}

unsigned filter_headers_append(struct sock_filter *filter, unsigned length, unsigned max,
			       const struct filter_headers *headers)
{
	struct sock_filter program[FILTER_HEADERS_INSTRUCTIONS_MAX];
	unsigned added = filter_headers_program(program, headers);

	if (length + added > max)
		return 0;
	for (unsigned i = 0; i < length; i++) {
		if (BPF_CLASS(filter[i].code) == BPF_RET && BPF_RVAL(filter[i].code) != BPF_K)
			return 0;
	}
	for (unsigned i = 0; i < length; i++) {
		if (accepts(&filter[i]))
			filter[i] = (struct sock_filter){.code = BPF_JMP | BPF_JA, .k = length - i - 1};
	}
	memcpy(filter + length, program, added * sizeof(*program));
	return length + added;
}
