/* See client.h. */
#include "client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <support/unit.h>

enum {
	PATIENCE_S = 20
};

void client_open(struct client *c, int port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct timeval patience = { .tv_sec = PATIENCE_S };
	int one = 1;

	*c = (struct client){ .fd = socket(AF_INET, SOCK_STREAM, 0) };
	buf_init(&c->in, 1024 * 1024);
	ck_assert_int_eq(connect(c->fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	(void)setsockopt(
	    c->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	(void)setsockopt(
	    c->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

bool client_start_tls(struct client *c)
{
	c->tls_ctx = SSL_CTX_new(TLS_client_method());
	c->tls = SSL_new(c->tls_ctx);
	ck_assert_int_eq(SSL_set_fd(c->tls, c->fd), 1);
	return SSL_connect(c->tls) == 1;
}

static bool send_piece(struct client *c, const char *data, size_t len)
{
	if (c->tls)
		return SSL_write(c->tls, data, (int)len) == (int)len;
	return send(c->fd, data, len, MSG_NOSIGNAL) == (ssize_t)len;
}

void client_send(struct client *c, const char *data, size_t len, size_t step)
{
	while (len > 0) {
		size_t n = len < step ? len : step;

		if (!send_piece(c, data, n))
			return;
		data += n;
		len -= n;
	}
}

/* More bytes into in; false when there are no more. */
static bool receive(struct client *c)
{
	char chunk[16384];
	ssize_t n;

	if (c->is_over)
		return false;
	ERR_clear_error();
	n = c->tls ? SSL_read(c->tls, chunk, sizeof(chunk))
		   : recv(c->fd, chunk, sizeof(chunk), 0);
	if (n <= 0) {
		/* Reset: it closed while some of ours was on its way. */
		c->is_over = c->tls ? SSL_get_error(c->tls, (int)n) ==
					  SSL_ERROR_ZERO_RETURN
				    : n == 0 || errno == ECONNRESET;
		return false;
	}
	ck_assert_int_eq(buf_add(&c->in, chunk, (size_t)n), 0);
	return true;
}

const char *client_line(struct client *c)
{
	char *line = c->line;
	ptrdiff_t lf;

	while ((lf = span_index(buf_span(&c->in), '\n')) < 0)
		if (!receive(c))
			return NULL;
	size_t len = (size_t)lf;
	ck_assert_uint_lt(len, sizeof(c->line));
	memcpy(line, buf_span(&c->in).ptr, len);
	buf_consume(&c->in, len + 1);
	/* Every line of a server ends in CRLF. */
	ck_assert(len > 0 && line[len - 1] == '\r');
	line[len - 1] = '\0';
	return line;
}

void client_say(struct client *c, const char *text)
{
	client_send(c, text, strlen(text), strlen(text));
}

void client_expect(struct client *c, const char *start)
{
	const char *line = client_line(c);

	ck_assert_msg(line && !strncmp(line, start, strlen(start)),
	    "expected %s, got %s", start, line ? line : "nothing");
}

bool client_sees_close(struct client *c)
{
	while (receive(c))
		;
	return c->is_over && buf_len(&c->in) == 0;
}

void client_eof(struct client *c)
{
	if (c->tls)
		(void)SSL_shutdown(c->tls);
	(void)shutdown(c->fd, SHUT_WR);
}

void client_close(struct client *c)
{
	SSL_free(c->tls);
	SSL_CTX_free(c->tls_ctx);
	buf_finish(&c->in);
	if (c->fd >= 0)
		(void)close(c->fd);
	c->fd = -1;
	c->tls = c->tls_ctx = NULL;
}

void client_reset(struct client *c)
{
	struct linger at_once = { .l_onoff = 1, .l_linger = 0 };

	(void)setsockopt(
	    c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	client_close(c);
}
