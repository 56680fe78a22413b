#include "record/channel.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

int channel_open(int ends[2], struct err *err)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
		return err_sys(err, errno, "a socket between the hold and its recorder");
	return 0;
}

/* write(2) and read(2), which the sandbox allows. SIGPIPE is ignored by both. */
bool channel_send(int fd, const struct channel_message *message)
{
	return write(fd, message, sizeof(*message)) == (ssize_t)sizeof(*message);
}

enum channel_result channel_receive(int fd, struct channel_message *message)
{
	ssize_t size = read(fd, message, sizeof(*message));

	if (size < 0 && (errno == EAGAIN || errno == EINTR))
		return CHANNEL_EMPTY;
	if (size != (ssize_t)sizeof(*message))
		return CHANNEL_CLOSED;
	message->text[sizeof(message->text) - 1] = '\0';
	return CHANNEL_MESSAGE;
}
