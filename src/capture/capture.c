#include "capture/capture.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <pcap/pcap.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "capture/filter.h"

static int bind_to(const struct capture *capture, const struct sockaddr_ll *address)
{
	return bind(capture->fd, (const struct sockaddr *)address, sizeof(*address));
}

void capture_close(struct capture *capture)
{
	if (capture->pcap)
		pcap_close(capture->pcap);
	filter_free(capture->user_filter);
	filter_free(capture->headers);
	if (capture->file > STDIN_FILENO)
		close(capture->file);
	*capture = (struct capture){.fd = -1, .file = -1};
}

int capture_fire(struct capture *capture, struct err *err)
{
	if (capture->fd >= 0 && bind_to(capture, capture->armed) < 0)
		return err_sys(err, errno, "%s: cannot start to capture", capture->interface);
	return 0;
}

void capture_disarm(struct capture *capture)
{
	/* This fails when the interface is gone: then nothing comes any more either. */
	if (capture->fd >= 0)
		(void)bind_to(capture, capture->disarmed);
	capture_count(capture);
}

struct reading {
	struct capture *capture;
	struct series *series;
	enum verdict verdict;
};

/* Is it wanted, where the kernel could not say? */
static inline bool is_wanted(struct capture *capture, const struct pcap_pkthdr *packet, const unsigned char *data)
{
	capture->read++;
	if (!capture->user_filter || filter_matches(capture->user_filter, data, packet->len, packet->caplen))
		return true;
	capture->rejected++;
	return false;
}

/* A record's header, with no more of the packet than the snapshot length. */
static inline struct packet_header header_of(const struct capture *capture, const struct pcap_pkthdr *packet)
{
	return (struct packet_header){
		.seconds = (uint32_t)packet->ts.tv_sec,
		.fraction = (uint32_t)packet->ts.tv_usec,
		.caplen = packet->caplen < capture->snaplen ? packet->caplen : capture->snaplen,
		.length = packet->len,
	};
}

static void take(unsigned char *context, const struct pcap_pkthdr *packet, const unsigned char *data)
{
	struct reading *reading = (void *)context;
	struct capture *capture = reading->capture;
	struct packet_header header = header_of(capture, packet);

	if (!is_wanted(capture, packet, data))
		return;
	if (capture->headers)
		header.caplen = filter_header_length(capture->headers, data, header.caplen);
	reading->verdict = segments_add(reading->series, header, data);
	if (reading->verdict != VERDICT_GO)
		pcap_breakloop(capture->pcap);
}

static inline void add_block(struct reading *reading, const struct pcap_pkthdr *packet, const unsigned char *data,
			     uint32_t caplen, uint32_t flags)
{
	uint64_t time = (uint32_t)packet->ts.tv_sec * CLOCK_SECOND + (uint32_t)packet->ts.tv_usec;

	reading->verdict = segments_add_block(reading->series, time, caplen, packet->len, flags, data);
	if (reading->verdict != VERDICT_GO)
		pcap_breakloop(reading->capture->pcap);
}

/* For pcapng, whose times are in ns, where much has to be asked; no part of the next, which is quick without it. */
__attribute__((noinline)) static void ask_for_block(unsigned char *context, const struct pcap_pkthdr *packet,
						    const unsigned char *data)
{
	struct reading *reading = (void *)context;
	struct capture *capture = reading->capture;
	uint32_t caplen = packet->caplen < capture->snaplen ? packet->caplen : capture->snaplen;

	if (!is_wanted(capture, packet, data))
		return;
	if (capture->headers)
		caplen = filter_header_length(capture->headers, data, caplen);
	add_block(reading, packet, data, caplen,
		  packet_direction_flags(&capture->direction, data, (uint32_t)packet->ts.tv_sec,
					 (uint32_t)packet->ts.tv_usec, packet->len));
}

/* Where the kernel has filtered, and the packet's direction stands where the latest one's was. */
static void take_block(unsigned char *context, const struct pcap_pkthdr *packet, const unsigned char *data)
{
	struct reading *reading = (void *)context;
	struct capture *capture = reading->capture;

	if (!packet_direction_is_there(&capture->direction, data, (uint32_t)packet->ts.tv_sec,
				       (uint32_t)packet->ts.tv_usec, packet->len)) {
		ask_for_block(context, packet, data);
		return;
	}
	capture->read++;
	add_block(reading, packet, data, packet->caplen < capture->snaplen ? packet->caplen : capture->snaplen,
		  packet_direction_flags_there(&capture->direction, data));
}

static bool was_taken(enum verdict verdict)
{
	return verdict == VERDICT_GO || verdict == VERDICT_SEALED || verdict == VERDICT_FULL ||
	       verdict == VERDICT_COUNT;
}

/* What has been cut of a packet that is in; where it was asked for, tell where that is. */
static void looked(struct reading *reading, uint32_t cut)
{
	struct capture *capture = reading->capture;
	struct capture_look *look = capture->look;
	bool taken = was_taken(reading->verdict);

	if (cut && taken) {
		capture->cut.packets++;
		capture->cut.bytes += cut;
	}
	if (!look->tell)
		return;
	look->taken(look, reading->series, taken);
	look->tell = false;
	pcap_breakloop(capture->pcap);
}

/* Where somebody looks at packets; apart, so that nobody else pays for it. */
static void take_looked(unsigned char *context, const struct pcap_pkthdr *packet, const unsigned char *data)
{
	struct reading *reading = (void *)context;
	struct capture *capture = reading->capture;
	struct packet_header header = header_of(capture, packet);
	uint32_t whole = header.caplen, kept;

	if (!is_wanted(capture, packet, data))
		return;
	kept = header.caplen = capture->look->packet(capture->look, &header, data);
	if (capture->headers && !capture->look->tell)
		header.caplen = filter_header_length(capture->headers, data, header.caplen);
	if (capture->pcapng)
		add_block(reading, packet, data, header.caplen,
			  packet_direction_flags(&capture->direction, data, header.seconds, header.fraction,
						 header.length));
	else
		reading->verdict = segments_add(reading->series, header, data);
	if (reading->verdict != VERDICT_GO)
		pcap_breakloop(capture->pcap);
	looked(reading, whole - kept);
}

/* Foreign files have packets that are longer than they were on the wire; ours have none. */
static void take_from_file(unsigned char *context, const struct pcap_pkthdr *packet, const unsigned char *data)
{
	const struct reading *reading = (const void *)context;
	struct pcap_pkthdr mended = *packet;

	if (mended.len < mended.caplen)
		mended.len = mended.caplen;
	if (reading->capture->look)
		take_looked(context, &mended, data);
	else
		(reading->capture->pcapng ? ask_for_block : take)(context, &mended, data);
}

static pcap_handler handler(const struct capture *capture)
{
	if (capture->fd < 0)
		return take_from_file;
	if (capture->look)
		return take_looked;
	if (!capture->pcapng)
		return take;
	return capture->user_filter || capture->headers ? ask_for_block : take_block;
}

/* What a file has to say when it gives no more packets. */
static enum capture_result file_ended(struct capture *capture, int result, struct err *err)
{
	if (result == 0 || capture->interrupted)
		return CAPTURE_END;
	err_set(err, STATUS_FAILED, "-r %.200s: %s; the %llu packets before that are good", capture->interface,
		pcap_geterr(capture->pcap), (unsigned long long)capture->read);
	return CAPTURE_ERROR;
}

enum capture_result capture_read(struct capture *capture, struct series *series, int max, enum verdict *verdict,
				 struct err *err)
{
	struct reading reading = {capture, series, VERDICT_GO};
	int result = pcap_dispatch(capture->pcap, max, handler(capture), (unsigned char *)&reading);

	*verdict = reading.verdict;
	if (reading.verdict != VERDICT_GO)
		return CAPTURE_VERDICT;
	/* Reading a file, libpcap keeps an earlier pcap_breakloop() for the next call. */
	if (result > 0 || result == PCAP_ERROR_BREAK)
		return CAPTURE_SOME;
	if (capture->fd < 0)
		return file_ended(capture, result, err);
	if (result == 0)
		return CAPTURE_NOTHING;
	/* An interface that vanished is no error: capture_state() tells. */
	if (capture_state(capture) != CAPTURE_UP)
		return CAPTURE_NOTHING;
	err_set(err, STATUS_FAILED, "%s: %s", capture->interface, pcap_geterr(capture->pcap));
	return CAPTURE_ERROR;
}

void capture_count(struct capture *capture)
{
	struct tpacket_stats_v3 counters;
	socklen_t size = sizeof(counters);

	if (capture->fd < 0) {
		capture->received = capture->read;
		return;
	}
	if (getsockopt(capture->fd, SOL_PACKET, PACKET_STATISTICS, &counters, &size) < 0)
		return;
	capture->received += counters.tp_packets; /* includes tp_drops: packet(7) */
	capture->dropped += counters.tp_drops;
}

/*
 * Where its interface is deleted the kernel binds the socket to interface -1, for good: packet_notifier() in
 * net/packet/af_packet.c. Another one may have its name and its index by then: the kernel gives an index again if the
 * interface that had it was moved here from another namespace, as a container's is.
 */
static bool is_bound(const struct capture *capture)
{
	struct sockaddr_ll address = {0};
	socklen_t size = sizeof(address);

	return getsockname(capture->fd, (struct sockaddr *)&address, &size) < 0 ||
	       address.sll_ifindex == capture->ifindex;
}

/* By its name of now: false if it was given another one between the two calls. */
static bool look_at_flags(const struct capture *capture, struct ifreq *request)
{
	*request = (struct ifreq){.ifr_ifindex = capture->ifindex};
	return ioctl(capture->fd, SIOCGIFNAME, request) == 0 && ioctl(capture->fd, SIOCGIFFLAGS, request) == 0;
}

enum capture_state capture_state(struct capture *capture)
{
	socklen_t size = sizeof(int);
	struct ifreq request;
	bool known = false;
	int pending;

	if (capture->fd < 0)
		return CAPTURE_UP;
	(void)getsockopt(capture->fd, SOL_SOCKET, SO_ERROR, &pending, &size);
	if (capture->any)
		return CAPTURE_UP;
	for (int tries = 0; tries < 3 && !known; tries++) {
		known = look_at_flags(capture, &request);
		/* Asked for after the flags: bound now, they were those of this interface. */
		if (!is_bound(capture))
			return CAPTURE_GONE;
	}
	return known && (request.ifr_flags & IFF_UP) ? CAPTURE_UP : CAPTURE_DOWN;
}

const char *capture_library(void)
{
	return pcap_lib_version();
}
