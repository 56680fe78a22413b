#include <errno.h>
#include <net/if.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "capture/capture.h"
#include "capture/filter.h"
#include "capture/interfaces.h"
#include "format/pcapng.h"
#include "system/bindings.h"
#include "system/privileges.h"

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23 /* Linux 4.20 */
#endif

/*
 * An ethertype that no frame has and the kernel gives to none (linux/if_ether.h): a socket
 * bound to it receives nothing.
 */
#define ETHERTYPE_UNUSED 0x00FF
#define ETHERTYPE_ALL 0x0003

/*
 * What libpcap binds to before we fire. It asks for the lower 16 bits, and takes 0 as a whole for all ethertypes; a
 * socket bound to 0 is not hooked in at all, and to fire it is no more than to hook it in. From ETHERTYPE_UNUSED, which
 * is what disarms, the kernel would first wait until nobody looks at the old hook any more: packet_do_bind() and
 * synchronize_net(), 10 ms and more for each interface.
 */
#define ETHERTYPE_NONE 0x10000

static int no_such_interface(const char *name, struct err *err)
{
	char names[256];

	return err_set(err, STATUS_FAILED, "-i %.60s: no such interface (there are: %s)", name,
		       interfaces_names(names, sizeof(names)));
}

static int refused(const struct capture *capture, struct err *err)
{
	struct privileges privileges;
	const struct refusal *refusal;

	privileges_read(&privileges);
	refusal = privileges_refusal(&privileges);
	return err_set(err, STATUS_FAILED, "%.60s: no permission to capture: %s; docker run: %s; Kubernetes: %s",
		       capture->interface, refusal->why, refusal->docker, refusal->kubernetes);
}

static int interface_down(const struct capture *capture, struct err *err)
{
	return err_set(err, STATUS_FAILED, "%s: the interface is down", capture->interface);
}

static int activation_failed(struct capture *capture, int result, struct err *err)
{
	const char *name = capture->interface;

	switch (result) {
	case PCAP_ERROR_NO_SUCH_DEVICE:
		return no_such_interface(name, err);
	case PCAP_ERROR_PERM_DENIED:
	case PCAP_ERROR_PROMISC_PERM_DENIED:
		return refused(capture, err);
	case PCAP_ERROR_IFACE_NOT_UP:
		return interface_down(capture, err);
	default:
		return err_set(err, STATUS_FAILED,
			       "%s: %s (%s); where memory is short, a smaller -B/--buffer-size may do", name,
			       pcap_statustostr(result), pcap_geterr(capture->pcap));
	}
}

/* What it did all the same, but not as it was asked to: pcap_activate(3PCAP). */
static void note_warning(struct capture *capture, int result)
{
	const char *more = result == PCAP_WARNING ? pcap_geterr(capture->pcap) : "";

	if (result == PCAP_WARNING_PROMISC_NOTSUP) {
		capture->promiscuous = false;
		snprintf(
			capture->warning, sizeof(capture->warning),
			"promiscuous mode is not possible on it, and is off (--promiscuous -i NAME for one interface)");
	} else if (result > 0) {
		snprintf(capture->warning, sizeof(capture->warning), "%.150s",
			 more[0] ? more : pcap_statustostr(result));
	}
}

static int activate(struct capture *capture, uint64_t ring, const struct options *options, struct err *err)
{
	char text[PCAP_ERRBUF_SIZE] = "";
	int result;

	capture->pcap = pcap_create(capture->interface, text);
	if (!capture->pcap)
		return err_set(err, STATUS_FAILED, "%s: %s", capture->interface, text);
	pcap_set_snaplen(capture->pcap, (int)options->snaplen);
	pcap_set_promisc(capture->pcap, options->promiscuous);
	pcap_set_timeout(capture->pcap, CAPTURE_BLOCK_TIMEOUT);
	pcap_set_buffer_size(capture->pcap, (int)ring);
	pcap_set_protocol_linux(capture->pcap, ETHERTYPE_NONE);
	if (options->precision == PRECISION_NANO)
		pcap_set_tstamp_precision(capture->pcap, PCAP_TSTAMP_PRECISION_NANO);
	privileges_raise();
	result = pcap_activate(capture->pcap);
	if (result < 0)
		return activation_failed(capture, result, err);
	capture->promiscuous = options->promiscuous;
	note_warning(capture, result);
	if (pcap_setnonblock(capture->pcap, 1, text) < 0)
		return err_set(err, STATUS_FAILED, "%s: %s", capture->interface, text);
	/* As tcpdump does: the first version tells neither the interface nor, of all protocols, which. */
	if (capture->any && pcap_set_datalink(capture->pcap, DLT_LINUX_SLL2) < 0)
		return err_set(err, STATUS_FAILED, "%s: %s", capture->interface, pcap_geterr(capture->pcap));
	return 0;
}

/* An interface has one type or a few, such as the two of Linux cooked; a socket is told which, see -L. */
static int set_link_type(struct capture *capture, const char *name, struct err *err)
{
	char names[256];
	int number = pcap_datalink_name_to_val(name);

	if (number >= 0 && pcap_set_datalink(capture->pcap, number) == 0)
		return 0;
	return err_set(err, STATUS_USAGE, "-y/--linktype %.60s: allowed for %s is %s", name, capture->interface,
		       interfaces_link_types(capture->pcap, names, sizeof(names)));
}

struct header_sink {
	unsigned char *header;
	size_t used;
};

static ssize_t keep_header(void *cookie, const char *data, size_t size)
{
	struct header_sink *sink = cookie;

	if (size > PACKET_FILE_HEADER - sink->used)
		return 0;
	memcpy(sink->header + sink->used, data, size);
	sink->used += size;
	return (ssize_t)size;
}

int capture_file_header(struct capture *capture, unsigned char header[PACKET_FILE_HEADER], struct err *err)
{
	struct header_sink sink = {header, 0};
	FILE *stream = fopencookie(&sink, "w", (cookie_io_functions_t){.write = keep_header});
	pcap_dumper_t *dumper = stream ? pcap_dump_fopen(capture->pcap, stream) : NULL;

	if (!dumper) {
		if (stream)
			fclose(stream);
		return err_set(err, STATUS_FAILED, "%s: no pcap file can be made of it: %s", capture->interface,
			       pcap_geterr(capture->pcap));
	}
	pcap_dump_close(dumper);
	if (sink.used != PACKET_FILE_HEADER)
		return err_set(err, STATUS_FAILED, "%s: no pcap file header of it", capture->interface);
	memcpy(header + 16, &capture->snaplen, 4);
	return 0;
}

void capture_note_format(struct capture *capture)
{
	bool nano = pcap_get_tstamp_precision(capture->pcap) == PCAP_TSTAMP_PRECISION_NANO;
	int link_type = pcap_datalink(capture->pcap);
	unsigned char header[PACKET_FILE_HEADER];
	struct err no_file = {0};

	capture->tick = nano ? PACKET_TICK_NANO : PACKET_TICK_MICRO;
	capture->link_type = pcap_datalink_val_to_name(link_type);
	capture->link_type_description = pcap_datalink_val_to_description(link_type);
	capture->link_type_number = (uint32_t)link_type;
	/* Only in a file's header libpcap tells its number there. Where none can be made of it, whoever makes one says
	 * so. */
	if (capture_file_header(capture, header, &no_file) < 0)
		return;
	memcpy(&capture->link_type_number, header + 20, sizeof(capture->link_type_number));
	capture->link_type_number &= 0xffff; /* above it are other things: the length of a checksum */
}

/* What is known of each packet's direction by what was asked for. */
static uint32_t known_flags(const struct options *options)
{
	if (options->direction == DIRECTION_BOTH)
		return 0;
	return options->direction == DIRECTION_IN ? PCAPNG_INBOUND : PCAPNG_OUTBOUND;
}

static int describe(struct capture *capture, uint64_t ring, const struct options *options, struct err *err)
{
	struct ifreq request = {0};

	capture_note_format(capture);
	capture->fd = pcap_get_selectable_fd(capture->pcap);
	capture->ring = ring_find(capture->fd, ring);
	packet_direction_init(&capture->direction, capture->fd, known_flags(options));
	if (capture->any)
		return 0;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", capture->interface);
	if (ioctl(capture->fd, SIOCGIFFLAGS, &request) < 0)
		return no_such_interface(capture->interface, err);
	if (!(request.ifr_flags & IFF_UP))
		return interface_down(capture, err);
	capture->loopback = request.ifr_flags & IFF_LOOPBACK;
	if (ioctl(capture->fd, SIOCGIFINDEX, &request) < 0)
		return no_such_interface(capture->interface, err);
	capture->ifindex = request.ifr_ifindex;
	return 0;
}

/*
 * Which packets the kernel is to leave out by direction. Loopback shows each packet twice, going out and
 * coming in; libpcap throws one of them away, but only after it has filled the ring.
 */
static const char *direction_term(const struct capture *capture, const struct options *options)
{
	int on = 1;

	if (options->direction == DIRECTION_OUT)
		return "outbound";
	/* In every namespace loopback has this number: loopback_net_init() in the kernel's net/core/dev.c counts on it.
	 */
	if (options->direction == DIRECTION_BOTH && capture->any)
		return "not (outbound and ifindex 1)";
	if (options->direction == DIRECTION_BOTH && !capture->loopback)
		return NULL;
	if (setsockopt(capture->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) == 0)
		return NULL;
	return "inbound"; /* a kernel before 4.20 */
}

/*
 * Leave out what may be our own stream, where it may come by. On a link that carries no TCP there is none, and no
 * filter for it either.
 */
static void choose_excluded(struct capture *capture, const struct options *options)
{
	struct err unsupported = {0};
	struct bpf_program *program;

	if (options->exclude_stream == EXCLUDE_OFF ||
	    (options->exclude_stream == EXCLUDE_AUTO && !exclude_host_network()))
		return;
	exclude_text(capture->excluded);
	program = filter_compile(capture->pcap, NULL, capture->excluded, &unsupported);
	filter_free(program);
	if (!program)
		capture->excluded[0] = '\0';
}

/*
 * Where the kernel cannot have the filter, it passes everything and we filter: libpcap could, too, but under load
 * its loop does not return while no packet matches, and it does not count those that don't.
 */
static int set_filter(struct capture *capture, const char *direction, const char *text, struct err *err)
{
	char exclude[EXCLUDE_TEXT_SIZE + 16], terms[sizeof(exclude) + 32];
	const char *term = direction;
	int too_long, kept;

	snprintf(exclude, sizeof(exclude), "not (%s)", capture->excluded);
	if (capture->excluded[0]) {
		snprintf(terms, sizeof(terms), "%s%s%s", direction ? direction : "", direction ? " and " : "", exclude);
		term = terms;
	}
	too_long = filter_set(capture->pcap, term, text, FILTER_KERNEL_MAX, err);
	kept = too_long == 0 ? filter_leave_to_kernel(capture->pcap, capture->fd, err) : 0;
	if (too_long < 0 || kept < 0)
		return -1;
	if (kept)
		return 0;
	if (direction)
		return err_set(err, STATUS_FAILED,
			       "the filter is too long for the kernel, which a direction (-Q, or loopback) needs: use "
			       "fewer terms");
	capture->user_filter = filter_compile(capture->pcap, capture->excluded[0] ? exclude : NULL, text, err);
	if (!capture->user_filter)
		return -1;
	return filter_set(capture->pcap, NULL, "", FILTER_KERNEL_MAX, err);
}

/*
 * Where the kernel does not take the cut behind the filter, or not even that, we cut. So we do where events are waited
 * for, which may lie behind the headers.
 */
static int cut_to_headers(struct capture *capture, const struct options *options, struct err *err)
{
	if (!options->until_count && !capture->user_filter && filter_cut_in_kernel(capture->pcap, capture->fd))
		return 0;
	capture->headers = filter_headers(capture->pcap, err);
	return capture->headers ? 0 : -1;
}

/* From here on nobody who may get hold of the socket can make it see more: socket(7), SO_LOCK_FILTER. */
static int lock_filter(const struct capture *capture, struct err *err)
{
	int on = 1;

	if (setsockopt(capture->fd, SOL_SOCKET, SO_LOCK_FILTER, &on, sizeof(on)) < 0)
		return err_sys(err, errno, "%s: the filter cannot be locked", capture->interface);
	return 0;
}

/* The addresses that it may be bound to from now on: bindings.h. */
static int make_bindings(struct capture *capture, struct err *err)
{
	capture->armed = bindings_add(capture->ifindex, ETHERTYPE_ALL);
	capture->disarmed = bindings_add(capture->ifindex, ETHERTYPE_UNUSED);
	if (!capture->armed || !capture->disarmed)
		return err_set(err, STATUS_FAILED, "%s: more than %d interfaces were tried", capture->interface,
			       INTERFACES_MAX);
	return 0;
}

int capture_open_live(struct capture *capture, const char *name, uint64_t ring, const struct options *options,
		      struct err *err)
{
	*capture = (struct capture){.fd = -1, .file = -1, .interface = name};
	capture->snaplen = (uint32_t)options->snaplen;
	capture->pcapng = options->format == FORMAT_PCAPNG;
	capture->any = strcmp(name, "any") == 0;
	if (activate(capture, ring, options, err) < 0)
		return -1;
	if (options->link_type && set_link_type(capture, options->link_type, err) < 0)
		return -1;
	if (describe(capture, ring, options, err) < 0 || make_bindings(capture, err) < 0)
		return -1;
	if (capture->loopback && options->direction == DIRECTION_OUT)
		return err_set(err, STATUS_USAGE,
			       "-Q out: on loopback each packet is shown once, as incoming: use in or inout");
	choose_excluded(capture, options);
	if (set_filter(capture, direction_term(capture, options), options->filter, err) < 0)
		return -1;
	if (options->headers && cut_to_headers(capture, options, err) < 0)
		return -1;
	return lock_filter(capture, err);
}
