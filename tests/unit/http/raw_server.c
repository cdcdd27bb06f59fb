/* Blocking sockets and threads: simple, and far from the code under test. */
#include "raw_server.h"

#include <arpa/inet.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

struct job {
	struct raw_server *server;
	unsigned nth;
};

unsigned char raw_body_byte(uint64_t i)
{
	return (unsigned char)(i * 31 + i / 251);
}

uint64_t raw_body_sum(uint64_t size)
{
	uint64_t sum = 0;

	for (uint64_t i = 0; i < size; i++)
		sum = sum * 31 + raw_body_byte(i);
	return sum;
}

static void *serve(void *arg)
{
	struct job *job = arg;
	struct raw_server *s = job->server;
	int fd = s->fds[job->nth];

	s->script(s, &fd, job->nth);
	if (fd < 0)
		s->fds[job->nth] = -1;
	else
		(void)shutdown(fd, SHUT_RDWR);
	atomic_fetch_add(&s->ended, 1);
	free(job);
	return NULL;
}

static void *accept_all(void *arg)
{
	struct raw_server *s = arg;
	int fd;

	while (s->accepted < RAW_CONNECTIONS_MAX &&
	       (fd = accept(s->listener, NULL, NULL)) >= 0) {
		struct job *job = malloc(sizeof(*job));

		*job = (struct job){ s, s->accepted };
		s->fds[s->accepted] = fd;
		atomic_fetch_add(&s->connections, 1);
		pthread_create(&s->workers[s->accepted], NULL, serve, job);
		s->accepted++;
	}
	return NULL;
}

void raw_server_start(struct raw_server *s, raw_script script, void *ctx)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);

	memset(s, 0, sizeof(*s));
	s->script = script;
	s->ctx = ctx;
	pthread_mutex_init(&s->lock, NULL);
	s->listener = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_ge(s->listener, 0);
	ck_assert_int_eq(
	    bind(s->listener, (struct sockaddr *)&a, sizeof(a)), 0);
	ck_assert_int_eq(listen(s->listener, 512), 0);
	ck_assert_int_eq(
	    getsockname(s->listener, (struct sockaddr *)&a, &len), 0);
	s->port = ntohs(a.sin_port);
	pthread_create(&s->acceptor, NULL, accept_all, s);
}

void raw_server_stop(struct raw_server *s)
{
	(void)shutdown(s->listener, SHUT_RDWR);
	pthread_join(s->acceptor, NULL);
	close(s->listener);
	for (unsigned i = 0; i < s->accepted; i++) {
		pthread_join(s->workers[i], NULL);
		if (s->fds[i] >= 0)
			close(s->fds[i]);
	}
	pthread_mutex_destroy(&s->lock);
}

bool raw_read_head(struct raw_server *s, int fd, uint64_t *out_size)
{
	char head[RAW_HEAD_MAX];
	size_t len = 0;

	/* One byte at a time: nothing of the body may be taken. */
	do {
		if (len == sizeof(head) - 1 || read(fd, head + len, 1) != 1)
			return false;
		len++;
	} while (len < 4 || memcmp(head + len - 4, "\r\n\r\n", 4) != 0);
	head[len] = '\0';
	const char *field = strcasestr(head, "\r\ncontent-length:");
	*out_size = field ? strtoull(field + 17, NULL, 10) : 0;
	pthread_mutex_lock(&s->lock);
	memcpy(s->head, head, len + 1);
	pthread_mutex_unlock(&s->lock);
	return true;
}

bool raw_read_body(struct raw_server *s, int fd, uint64_t len)
{
	unsigned char block[65536];
	uint64_t sum = 0;

	while (len > 0) {
		size_t want = len < sizeof(block) ? (size_t)len : sizeof(block);
		ssize_t n = read(fd, block, want);

		if (n <= 0)
			return false;
		for (ssize_t i = 0; i < n; i++)
			sum = sum * 31 + block[i];
		len -= (uint64_t)n;
	}
	atomic_fetch_add(&s->body_sum, sum);
	return true;
}

bool raw_read_request(struct raw_server *s, int fd)
{
	uint64_t size;

	if (!raw_read_head(s, fd, &size) || !raw_read_body(s, fd, size))
		return false;
	atomic_fetch_add(&s->requests, 1);
	return true;
}

void raw_send(int fd, const char *text)
{
	size_t len = strlen(text);

	while (len > 0) {
		ssize_t n = send(fd, text, len, MSG_NOSIGNAL);
		if (n <= 0)
			return;
		text += n;
		len -= (size_t)n;
	}
}

void raw_reset(int *fd)
{
	struct linger l = { .l_onoff = 1, .l_linger = 0 };

	(void)setsockopt(*fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	close(*fd);
	*fd = -1;
}
