/*
 * Read by libpcap and not by format/pcap_read.h, which reads as much for join and summary, for what comes out is a file
 * again, in this machine's byte order: of a file in the other order libpcap also turns the numbers inside the packets
 * that stand in the writer's order (NFLOG, USB, PFLOG, CAN: the 330 lines of swap_pseudo_headers() in its pcap-util.c,
 * which it offers to nobody else). Besides, it cuts D-Bus and other packets of more than 262144 bytes where pcap_read
 * passes over them, knows link types by the numbers that a filter takes, scales times, and says what is wrong with a
 * file. So the waiting for a pipe is done inside of it, by read_file().
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pcap/pcap.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "capture/capture.h"
#include "capture/filter.h"
#include "format/known_files.h"

#define READ_BUFFER (256 * 1024) /* musl's stdio buffer is 1 KiB */

/* Wait until the file can be read; false when a signal, or the reader's end, came first. */
static bool wait_readable(struct capture *capture)
{
	struct pollfd polled[3] = {
		{.fd = capture->file, .events = POLLIN},
		{.fd = capture->interrupt_fd, .events = POLLIN},
		{.fd = capture->reader_fd}, /* no events: only its end */
	};

	if (poll(polled, 1, 0) > 0)
		return true;
	if (capture->wait_for_file)
		return capture->wait_for_file(capture->wait_context);
	while (poll(polled, 3, -1) < 0) {
		if (errno != EINTR)
			return true; /* let read() say what is wrong */
	}
	capture->reader_gone = polled[2].revents & (POLLERR | POLLHUP);
	return !polled[1].revents && !capture->reader_gone;
}

/* read(2), but what has to be done while a pipe is silent is done, and a signal ends the file. */
static ssize_t read_file(void *cookie, char *data, size_t size)
{
	struct capture *capture = cookie;
	ssize_t n;

	if (capture->interrupted || !wait_readable(capture)) {
		capture->interrupted = true;
		return 0;
	}
	do {
		n = read(capture->file, data, size);
	} while (n < 0 && errno == EINTR);
	return n;
}

/* What helps, by what libpcap says. */
static const char *cure(const char *text)
{
	if (strstr(text, "only got 0"))
		return " (it is empty: stdin through docker or kubectl needs -i)";
	if (strstr(text, "unknown file format"))
		return " (is it an archive? tarcap join FILE | tarcap -r -)";
	return "";
}

/* What libpcap says, and, of a file that can be read once more, what helps. */
static int no_packets(const struct capture *capture, const char *text, struct err *err)
{
	unsigned char first[KNOWN_FILES_LOOK];
	ssize_t n = pread(capture->file, first, sizeof(first), 0);
	char hint[120];
	const char *what = known_files_hint(first, n > 0 ? (size_t)n : 0, "-r -", hint, sizeof(hint));

	if (what)
		return err_set(err, STATUS_FAILED, "-r %.200s: it is %s", capture->interface, what);
	return err_set(err, STATUS_FAILED, "-r %.200s: %s%s", capture->interface, text, cure(text));
}

/* Without a filter, too: libpcap compiles none for a link type that it does not know, nor can it write such a file. */
static int set_filter(struct capture *capture, const char *filter, struct err *err)
{
	int link_type = pcap_datalink(capture->pcap);
	struct err why = {0};

	if (filter_set(capture->pcap, NULL, filter, UINT_MAX, &why) == 0)
		return 0;
	if (pcap_datalink_val_to_name(link_type))
		return err_set(err, why.status, "%s", why.text);
	return err_set(err, STATUS_FAILED,
		       "-r %.200s: no file can be made of it, as its link type %d is not known to libpcap; "
		       "tarcap summary counts its packets",
		       capture->interface, link_type);
}

int capture_open_file(struct capture *capture, const struct options *options, int interrupt_fd, struct err *err)
{
	static char buffer[READ_BUFFER];
	char text[PCAP_ERRBUF_SIZE] = "";
	const char *path = options->read_file;
	uint32_t snaplen;
	FILE *stream;

	*capture = (struct capture){
		.fd = -1,
		.file = STDIN_FILENO,
		.interrupt_fd = interrupt_fd,
		.reader_fd = options->write_file ? -1 : STDOUT_FILENO,
		.interface = path,
	};
	if (strcmp(path, "-") != 0)
		capture->file = open(path, O_RDONLY | O_CLOEXEC);
	if (capture->file < 0)
		return err_sys(err, errno, "-r %.200s", path);
	stream = fopencookie(capture, "r", (cookie_io_functions_t){.read = read_file});
	if (!stream)
		return err_sys(err, errno, "-r %.200s", path);
	setvbuf(stream, buffer, _IOFBF, sizeof(buffer));
	capture->pcap = pcap_fopen_offline_with_tstamp_precision(
		stream, options->precision == PRECISION_NANO ? PCAP_TSTAMP_PRECISION_NANO : PCAP_TSTAMP_PRECISION_MICRO,
		text);
	if (!capture->pcap) {
		fclose(stream);
		if (capture->reader_gone)
			return err_set(err, STATUS_READER, "-r %.200s: the reader went away before the file began",
				       path);
		if (capture->interrupted)
			return err_set(err, STATUS_FAILED, "-r %.200s: ended by a signal before the file began", path);
		return no_packets(capture, text, err);
	}
	snaplen = (uint32_t)pcap_snapshot(capture->pcap);
	capture->snaplen = snaplen < options->snaplen ? snaplen : (uint32_t)options->snaplen;
	capture->pcapng = options->format == FORMAT_PCAPNG;
	capture_note_format(capture);
	if (set_filter(capture, options->filter, err) < 0)
		return -1;
	if (options->headers)
		capture->headers = filter_headers(capture->pcap, err);
	return err->status ? -1 : 0;
}
