/*
 * The floor: the least a program can do that takes the same SMTP bytes over
 * the same TLS and posts the same HTTP bytes. N threads, epoll, OpenSSL on
 * the sockets, canned replies, no parsing beyond the end of data, no
 * authentication, no store, no error handling worth the name. What Postern
 * costs above it is the price of being a product.
 *
 * usage: floor SMTP_PORT HTTP_PORT CERT KEY THREADS [queued]
 * queued: answer at the end of data and post afterwards.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

enum {
	CHUNK = 64 * 1024
};

enum kind {
	KIND_LISTENER = 0,
	KIND_SMTP,
	KIND_HTTP
};

struct bytes {
	char *data;
	size_t len, cap, sent;
};

struct thread;

struct node {
	enum kind kind;
	int fd;
	struct thread *thread;
};

struct http {
	struct node node;
	struct http *next_idle;
	struct smtp *waiter;
	struct bytes out;
	bool wants_write;
};

struct smtp {
	struct node node;
	SSL *ssl;
	bool in_data, is_gone, is_waiting;
	struct bytes in;
	size_t scanned;
};

struct thread {
	pthread_t id;
	int ep;
	SSL_CTX *tls;
	struct http *idle;
	struct node listener;
};

static uint16_t smtp_port, http_port;
static bool is_queued;

static void add(struct bytes *b, const void *data, size_t len)
{
	if (b->len + len > b->cap) {
		b->cap = (b->len + len) * 2;
		b->data = realloc(b->data, b->cap);
		if (!b->data)
			abort();
	}
	memcpy(b->data + b->len, data, len);
	b->len += len;
}

static void watch(struct node *n, int op, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = n };

	(void)epoll_ctl(n->thread->ep, op, n->fd, &ev);
}

static void say(struct smtp *s, const char *text)
{
	int len = (int)strlen(text);

	if (s->ssl)
		(void)SSL_write(s->ssl, text, len);
	else if (write(s->node.fd, text, (size_t)len) != len)
		s->is_gone = true;
}

static void smtp_drop(struct smtp *s)
{
	if (s->is_waiting) {
		s->is_gone = true; /* freed when the post is answered */
		return;
	}
	SSL_free(s->ssl);
	(void)close(s->node.fd);
	free(s->in.data);
	free(s);
}

/* --- HTTP --- */

static void http_flush(struct http *h)
{
	while (h->out.sent < h->out.len) {
		ssize_t n = write(h->node.fd, h->out.data + h->out.sent,
		    h->out.len - h->out.sent);

		if (n < 0) {
			if (!h->wants_write)
				watch(&h->node, EPOLL_CTL_MOD,
				    EPOLLIN | EPOLLOUT);
			h->wants_write = true;
			return;
		}
		h->out.sent += (size_t)n;
	}
	if (h->wants_write)
		watch(&h->node, EPOLL_CTL_MOD, EPOLLIN);
	h->wants_write = false;
}

static struct http *http_get(struct thread *t)
{
	struct http *h = t->idle;
	struct sockaddr_in to = { .sin_family = AF_INET };
	int one = 1;

	if (h) {
		t->idle = h->next_idle;
		return h;
	}
	h = calloc(1, sizeof(*h));
	if (!h)
		abort();
	h->node = (struct node){ KIND_HTTP, -1, t };
	h->node.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	(void)setsockopt(
	    h->node.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	to.sin_port = htons(http_port);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	(void)connect(
	    h->node.fd, (const struct sockaddr *)(const void *)&to, sizeof(to));
	watch(&h->node, EPOLL_CTL_ADD, EPOLLIN);
	return h;
}

static void http_post(struct smtp *s, const char *data, size_t len)
{
	struct http *h = http_get(s->node.thread);
	char head[512];
	int n = snprintf(head, sizeof(head),
	    "POST /raw HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n"
	    "User-Agent: floor\r\nAccept: application/json\r\n"
	    "Content-Type: message/rfc822\r\n"
	    "X-Postern-Sender: bench@shop.example\r\n"
	    "X-Postern-Recipients: sink@dest.example\r\n"
	    "Content-Length: %zu\r\n\r\n",
	    http_port, len);

	h->waiter = s;
	h->out.len = h->out.sent = 0;
	add(&h->out, head, (size_t)n);
	add(&h->out, data, len);
	http_flush(h);
}

static void smtp_take(struct smtp *s);

static void on_http(struct http *h, uint32_t events)
{
	char answer[4096];

	if (events & EPOLLOUT)
		http_flush(h);
	ssize_t n = read(h->node.fd, answer, sizeof(answer));
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		fputs("floor: the sink hung up\n", stderr);
		exit(1);
	}
	struct smtp *s = h->waiter;
	h->waiter = NULL;
	h->next_idle = h->node.thread->idle;
	h->node.thread->idle = h;
	if (!s)
		return;
	s->is_waiting = false;
	if (s->is_gone) {
		smtp_drop(s);
		return;
	}
	say(s, "250 2.0.0 Ok: x accepted by sink\r\n");
	smtp_take(s);
}

/* --- SMTP --- */

static void start_tls(struct smtp *s)
{
	say(s, "220 2.0.0 Ready to start TLS\r\n");
	s->ssl = SSL_new(s->node.thread->tls);
	SSL_set_fd(s->ssl, s->node.fd);
	SSL_set_accept_state(s->ssl);
}

static void on_line(struct smtp *s, const char *line)
{
	if (strncasecmp(line, "EHLO", 4) == 0)
		say(s, s->ssl ? "250-floor\r\n250-PIPELINING\r\n"
				"250-AUTH PLAIN\r\n250 SIZE 52428800\r\n"
			      : "250-floor\r\n250 STARTTLS\r\n");
	else if (strncasecmp(line, "STARTTLS", 8) == 0)
		start_tls(s);
	else if (strncasecmp(line, "AUTH", 4) == 0)
		say(s, "235 2.7.0 Authentication successful\r\n");
	else if (strncasecmp(line, "DATA", 4) == 0) {
		s->in_data = true;
		s->scanned = 0;
		say(s, "354 End data with <CR><LF>.<CR><LF>\r\n");
	} else if (strncasecmp(line, "QUIT", 4) == 0)
		say(s, "221 2.0.0 Bye\r\n");
	else
		say(s, "250 2.1.0 Ok\r\n");
}

static void eat(struct smtp *s, size_t n)
{
	memmove(s->in.data, s->in.data + n, s->in.len - n);
	s->in.len -= n;
}

static bool take_data(struct smtp *s)
{
	size_t from = s->scanned > 4 ? s->scanned - 4 : 0;
	char *end = memmem(s->in.data + from, s->in.len - from, "\r\n.\r\n", 5);

	s->scanned = s->in.len;
	if (!end)
		return false;
	size_t len = (size_t)(end - s->in.data) + 2;
	s->in_data = false;
	s->is_waiting = !is_queued;
	http_post(s, s->in.data, len);
	eat(s, len + 3);
	if (is_queued) {
		say(s, "250 2.0.0 Ok: queued as x\r\n");
		return true;
	}
	return false;
}

static bool take_line(struct smtp *s)
{
	char *nl = memchr(s->in.data, '\n', s->in.len);

	if (!nl)
		return false;
	*nl = '\0';
	on_line(s, s->in.data);
	eat(s, (size_t)(nl - s->in.data) + 1);
	return true;
}

static void smtp_take(struct smtp *s)
{
	while (!s->is_waiting && s->in.len > 0)
		if (!(s->in_data ? take_data(s) : take_line(s)))
			break;
}

/* Bytes read, 0 = nothing now, -1 = the end. */
static ssize_t smtp_read(struct smtp *s, char *chunk)
{
	if (!s->ssl) {
		ssize_t n = read(s->node.fd, chunk, CHUNK);

		return n > 0 ? n : n < 0 && errno == EAGAIN ? 0 : -1;
	}
	ERR_clear_error();
	int n = SSL_read(s->ssl, chunk, CHUNK);
	if (n > 0)
		return n;
	int why = SSL_get_error(s->ssl, n);
	return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? 0
									 : -1;
}

static void on_smtp(struct smtp *s)
{
	static _Thread_local char chunk[CHUNK];
	ssize_t n;

	while ((n = smtp_read(s, chunk)) > 0) {
		add(&s->in, chunk, (size_t)n);
		smtp_take(s);
	}
	if (n < 0)
		smtp_drop(s);
}

static void on_accept(struct thread *t)
{
	int fd = accept4(t->listener.fd, NULL, NULL, SOCK_NONBLOCK);
	struct smtp *s = fd >= 0 ? calloc(1, sizeof(*s)) : NULL;
	int one = 1;

	if (!s)
		return;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	s->node = (struct node){ KIND_SMTP, fd, t };
	watch(&s->node, EPOLL_CTL_ADD, EPOLLIN);
	say(s, "220 floor ESMTP\r\n");
}

static void *run(void *arg)
{
	struct thread *t = arg;
	struct epoll_event events[64];

	for (;;) {
		int n = epoll_wait(t->ep, events, 64, -1);

		for (int i = 0; i < n; i++) {
			struct node *node = events[i].data.ptr;

			if (node->kind == KIND_LISTENER)
				on_accept(t);
			else if (node->kind == KIND_HTTP)
				on_http((struct http *)(void *)node,
				    events[i].events);
			else
				on_smtp((struct smtp *)(void *)node);
		}
	}
	return NULL;
}

static bool open_thread(struct thread *t, const char *cert, const char *key)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	int one = 1;

	t->tls = SSL_CTX_new(TLS_server_method());
	if (SSL_CTX_use_certificate_chain_file(t->tls, cert) != 1 ||
	    SSL_CTX_use_PrivateKey_file(t->tls, key, SSL_FILETYPE_PEM) != 1)
		return false;
	SSL_CTX_set_mode(t->tls, SSL_MODE_RELEASE_BUFFERS);
	t->ep = epoll_create1(0);
	t->listener = (struct node){ KIND_LISTENER,
		socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), t };
	(void)setsockopt(
	    t->listener.fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	(void)setsockopt(
	    t->listener.fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	at.sin_port = htons(smtp_port);
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(t->listener.fd, (const struct sockaddr *)(const void *)&at,
		sizeof(at)) != 0 ||
	    listen(t->listener.fd, 1024) != 0)
		return false;
	watch(&t->listener, EPOLL_CTL_ADD, EPOLLIN);
	return pthread_create(&t->id, NULL, run, t) == 0;
}

int main(int argc, char **argv)
{
	if (argc < 6) {
		fputs("usage: floor SMTP_PORT HTTP_PORT CERT KEY THREADS "
		      "[queued]\n",
		    stderr);
		return 2;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	smtp_port = (uint16_t)strtoul(argv[1], NULL, 10);
	http_port = (uint16_t)strtoul(argv[2], NULL, 10);
	is_queued = argc > 6 && strcmp(argv[6], "queued") == 0;
	size_t n = strtoul(argv[5], NULL, 10);
	struct thread *threads = calloc(n, sizeof(*threads));
	for (size_t i = 0; i < n; i++)
		if (!open_thread(&threads[i], argv[3], argv[4])) {
			perror("floor");
			return 1;
		}
	for (size_t i = 0; i < n; i++)
		(void)pthread_join(threads[i].id, NULL);
	return 0;
}
