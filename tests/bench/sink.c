/*
 * The provider of the benchmarks: an HTTP/1.1 server that reads a request
 * with a Content-Length, throws it away and answers 202. One thread, epoll,
 * keep-alive. Not counted in anyone's figures. With FILE, what others may
 * read there (three native uint64_t): requests answered, and when the first
 * and the last of them were (CLOCK_MONOTONIC, ns); who sets the first to 0
 * begins anew.
 *
 * usage: sink PORT [FILE]
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum {
	HEAD_MAX = 16 * 1024,
	CHUNK = 256 * 1024
};

struct peer {
	int fd;
	size_t head_len;
	uint64_t body_left;
	bool in_body;
	char head[HEAD_MAX + 1];
};

static const char answer[] = "HTTP/1.1 202 Accepted\r\n"
			     "Content-Type: application/json\r\n"
			     "Content-Length: 15\r\n\r\n"
			     "{\"id\":\"sink-1\"}";

struct tally {
	uint64_t count, first_ns, last_ns;
};

static struct tally *tally;

static void note(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	tally->last_ns = (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
	if (tally->count++ == 0)
		tally->first_ns = tally->last_ns;
}

static bool share(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	void *p = MAP_FAILED;

	if (fd >= 0 && ftruncate(fd, sizeof(*tally)) == 0)
		p = mmap(NULL, sizeof(*tally), PROT_READ | PROT_WRITE,
		    MAP_SHARED, fd, 0);
	if (p != MAP_FAILED)
		tally = p;
	return p != MAP_FAILED;
}

static void drop(struct peer *p)
{
	(void)close(p->fd);
	free(p);
}

static bool reply(struct peer *p)
{
	if (tally)
		note();
	return write(p->fd, answer, sizeof(answer) - 1) ==
	       (ssize_t)sizeof(answer) - 1;
}

static uint64_t content_length(const char *head)
{
	const char *at = strcasestr(head, "\r\ncontent-length:");

	return at ? strtoull(at + 17, NULL, 10) : 0;
}

/* Take bytes; false when the peer is to be dropped. */
static bool feed(struct peer *p, const char *data, size_t len)
{
	while (len > 0) {
		if (p->in_body) {
			size_t n = len < p->body_left ? len : p->body_left;

			p->body_left -= n;
			data += n;
			len -= n;
		} else {
			p->head[p->head_len++] = *data++;
			len--;
			p->head[p->head_len] = '\0';
			if (p->head_len >= 4 &&
			    memcmp(p->head + p->head_len - 4, "\r\n\r\n", 4) ==
				0) {
				p->body_left = content_length(p->head);
				p->in_body = true;
			} else if (p->head_len == HEAD_MAX) {
				return false;
			}
		}
		if (p->in_body && p->body_left == 0) {
			p->in_body = false;
			p->head_len = 0;
			if (!reply(p))
				return false;
		}
	}
	return true;
}

static bool on_readable(struct peer *p)
{
	static char chunk[CHUNK];
	ssize_t n = read(p->fd, chunk, sizeof(chunk));

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	return n > 0 && feed(p, chunk, (size_t)n);
}

static void on_accept(int ep, int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct peer *p = fd >= 0 ? calloc(1, sizeof(*p)) : NULL;
	int one = 1;

	if (!p)
		return;
	p->fd = fd;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = p };
	if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) != 0)
		drop(p);
}

int main(int argc, char **argv)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	struct epoll_event events[64];
	int one = 1;

	if (argc != 2 && argc != 3) {
		fputs("usage: sink PORT [FILE]\n", stderr);
		return 2;
	}
	if (argc == 3 && !share(argv[2])) {
		perror("sink");
		return 1;
	}
	at.sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10));
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	(void)setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (const struct sockaddr *)(const void *)&at,
		sizeof(at)) != 0 ||
	    listen(listener, 1024) != 0) {
		perror("sink");
		return 1;
	}
	int ep = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = NULL };
	(void)epoll_ctl(ep, EPOLL_CTL_ADD, listener, &ev);
	for (;;) {
		int n = epoll_wait(ep, events, 64, -1);

		for (int i = 0; i < n; i++) {
			struct peer *p = events[i].data.ptr;

			if (!p)
				on_accept(ep, listener);
			else if (!on_readable(p))
				drop(p);
		}
	}
}
