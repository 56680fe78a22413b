/*
 * web serve             - a web server on port 80, one request at a time
 * web get ADDRESS COUNT - make COUNT requests, each over a connection of its own
 *
 * The demo's and the tests' container: no shell, no tools, just this. It is both ends, so that no
 * other image is needed to make traffic.
 */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define PORT 80
#define ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nhello\n"

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

/* Read until the other side closes, or until a blank line has come if to_blank. Returns the length. */
static size_t receive(int fd, char *text, size_t size, int to_blank)
{
	size_t used = 0;
	ssize_t n;

	text[0] = '\0';
	while (used < size - 1 && !(to_blank && strstr(text, "\r\n\r\n"))) {
		n = recv(fd, text + used, size - 1 - used, 0);
		if (n <= 0)
			break;
		used += (size_t)n;
		text[used] = '\0';
	}
	return used;
}

static int make_socket(void)
{
	struct timeval limit = {.tv_sec = 5};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0)
		fail("socket");
	/* On Linux the second bounds connect() too. */
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	return fd;
}

static void end(int signo)
{
	(void)signo;
	_exit(1);
}

static void serve(void)
{
	struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(PORT)};
	struct timeval no_limit = {0}, limit = {.tv_sec = 5};
	int on = 1, fd = make_socket();
	char request[4096];

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &no_limit, sizeof(no_limit));
	if (bind(fd, (struct sockaddr *)&here, sizeof(here)) < 0 || listen(fd, 64) < 0)
		fail("port 80");
	puts("web: serving on port 80");
	fflush(stdout);
	for (;;) {
		int client = accept(fd, NULL, NULL);

		if (client < 0)
			continue;
		setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
		if (receive(client, request, sizeof(request), 1))
			send(client, ANSWER, strlen(ANSWER), MSG_NOSIGNAL);
		close(client);
	}
}

static void get(const char *address, int count)
{
	struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons(PORT)};
	char request[128], answer[4096];

	if (inet_pton(AF_INET, address, &there.sin_addr) != 1) {
		fprintf(stderr, "web: '%s' is no IPv4 address\n", address);
		exit(2);
	}
	for (int i = 1; i <= count; i++) {
		int fd = make_socket();

		snprintf(request, sizeof(request), "GET /page/%d HTTP/1.1\r\nHost: %.20s\r\n\r\n", i, address);
		if (connect(fd, (struct sockaddr *)&there, sizeof(there)) < 0)
			fail("connect");
		if (send(fd, request, strlen(request), MSG_NOSIGNAL) < 0)
			fail("send");
		receive(fd, answer, sizeof(answer), 0);
		if (strcmp(answer, ANSWER) != 0) {
			fprintf(stderr, "web: a wrong answer to request %d\n", i);
			exit(1);
		}
		close(fd);
	}
	printf("web: %d requests, each answered with 200 OK\n", count);
}

int main(int argc, char **argv)
{
	/* As process 1 of a container it would not be ended by a signal that it doesn't handle. */
	signal(SIGTERM, end);
	signal(SIGINT, end);
	if (argc == 2 && strcmp(argv[1], "serve") == 0)
		serve();
	if (argc == 4 && strcmp(argv[1], "get") == 0) {
		get(argv[2], atoi(argv[3]));
		return 0;
	}
	fputs("usage: web serve | web get ADDRESS COUNT\n", stderr);
	return 2;
}
