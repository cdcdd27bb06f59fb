/* Connections on a loop against blocking clients in the test's thread. */
#include <net/conn.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include <net/tls.h>
#include <support/certs.h>
#include <support/onloop.h>
#include <support/unit.h>

enum {
	PATIENCE_S = 20
};

/* What the connection's user does and saw; loop's thread until closed. */
struct user {
	struct loop *loop;
	int fd; /* the client's end */
	int server_fd;
	struct conn *conn;
	struct tls_ctx *tls;
	bool is_echo;       /* send back what comes */
	bool is_hoarder;    /* leave it where it is */
	bool closes_on_eof; /* else on_eof does nothing */
	bool closes_on_data, aborts_on_data, pauses_on_data;
	bool is_implicit; /* TLS from the first byte */
	bool starts_tls;  /* at the first byte */
	bool has_head;    /* "HEAD " precedes the handshake */
	size_t flood;     /* bytes to write while not congested */
	size_t data_calls, eof_calls, drained_calls, tls_calls, got;
	size_t most_held;
	bool was_congested;
	char version[16];
	enum conn_end why;
	int bits;
	sem_t closed, event;
};

static struct user u;
/* As accept told it. */
static union {
	struct sockaddr any;
	struct sockaddr_in v4;
} accepted_from;
static struct certs certs;

static void write_flood(struct conn *c)
{
	static char chunk[8192];

	while (u.flood > 0 && !conn_is_congested(c)) {
		size_t n = u.flood < sizeof(chunk) ? u.flood : sizeof(chunk);
		conn_write(c, chunk, n);
		u.flood -= n;
	}
	if (u.flood > 0)
		u.was_congested = true;
	else if (u.was_congested)
		conn_close(c);
}

static void on_data(struct conn *c, void *ctx)
{
	struct buf *in = conn_in(c);

	ck_assert_ptr_eq(ctx, &u);
	u.data_calls++;
	if (u.has_head) {
		u.has_head = false;
		buf_consume(in, 5);
		conn_start_tls(c, u.tls);
		ck_assert_uint_eq(buf_len(in), 0);
		return;
	}
	if (buf_len(in) > u.most_held)
		u.most_held = buf_len(in);
	if (u.is_echo)
		conn_write(c, buf_span(in).ptr, buf_len(in));
	if (!u.is_hoarder) {
		u.got += buf_len(in);
		buf_consume(in, buf_len(in));
	}
	if (u.starts_tls) {
		u.starts_tls = false;
		conn_write(c, "go", 2);
		conn_start_tls(c, u.tls);
	}
	if (u.pauses_on_data)
		conn_pause(c);
	if (u.closes_on_data) {
		conn_write(c, "bye", 3);
		conn_close(c);
		conn_close(c);
		conn_write(c, "never", 5);
	}
	if (u.aborts_on_data)
		conn_abort(c, CONN_END_MEMORY);
	(void)sem_post(&u.event);
}

static void on_eof(struct conn *c, void *ctx)
{
	(void)ctx;
	u.eof_calls++;
	if (u.closes_on_eof)
		conn_close(c);
	(void)sem_post(&u.event);
}

static void on_drained(struct conn *c, void *ctx)
{
	(void)ctx;
	u.drained_calls++;
	write_flood(c);
}

static void on_tls(struct conn *c, void *ctx)
{
	(void)ctx;
	u.tls_calls++;
	(void)snprintf(u.version, sizeof(u.version), "%s", conn_tls_version(c));
	u.bits = conn_tls_bits(c);
	conn_write(c, "hello", 5);
}

static void on_closed(struct conn *c, enum conn_end why, void *ctx)
{
	(void)c;
	(void)ctx;
	u.why = why;
	u.conn = NULL;
	(void)sem_post(&u.event);
	(void)sem_post(&u.closed);
}

static const struct conn_ops ops = { on_data, on_eof, on_drained, on_tls,
	on_closed };

/* Two ends of a TCP connection over loopback. */
static void make_pair(int *client, int *server)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(sa);
	int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sa, len), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	*client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(connect(*client, (struct sockaddr *)&sa, len), 0);
	len = sizeof(accepted_from);
	*server =
	    accept4(fd, &accepted_from.any, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	ck_assert_int_ge(*server, 0);
	(void)close(fd);
	struct timeval patience = { .tv_sec = PATIENCE_S };
	(void)setsockopt(
	    *client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	(void)setsockopt(*client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

static void start_on_loop(void *ctx)
{
	(void)ctx;
	u.conn = conn_new_accepted(u.loop, u.server_fd, &accepted_from.any);
	ck_assert_ptr_nonnull(u.conn);
	conn_set_ops(u.conn, &ops, &u);
	if (u.is_implicit)
		conn_start_tls(u.conn, u.tls);
	conn_start(u.conn);
	write_flood(u.conn);
}

static void begin(void)
{
	make_pair(&u.fd, &u.server_fd);
	onloop_call(u.loop, start_on_loop, NULL);
}

static void abort_on_loop(void *ctx)
{
	(void)ctx;
	if (u.conn)
		conn_abort(u.conn, CONN_END_LOCAL);
}

static void wait_for(sem_t *sem)
{
	struct timespec until;

	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_S;
	while (sem_timedwait(sem, &until) != 0)
		ck_assert_int_eq(errno, EINTR);
}

static void set_up(void)
{
	memset(&u, 0, sizeof(u));
	(void)sem_init(&u.closed, 0, 0);
	(void)sem_init(&u.event, 0, 0);
	certs_init(&certs);
	certs_add(&certs, "mail.test", CERTS_ECDSA);
	u.tls = tls_ctx_new(&certs.tls, NULL);
	ck_assert_ptr_nonnull(u.tls);
	u.loop = onloop_start();
	u.fd = -1;
}

static void tear_down(void)
{
	if (u.fd >= 0)
		(void)close(u.fd);
	onloop_call(u.loop, abort_on_loop, NULL);
	onloop_stop(u.loop);
	tls_ctx_unref(u.tls);
	certs_finish(&certs);
	(void)sem_destroy(&u.closed);
	(void)sem_destroy(&u.event);
}

static void say(const char *text)
{
	ck_assert_int_eq(send(u.fd, text, strlen(text), MSG_NOSIGNAL),
	    (ssize_t)strlen(text));
}

static void hang_up(void)
{
	(void)close(u.fd);
	u.fd = -1;
}

/* Exactly that, then more or not. */
static void hear(const char *text)
{
	char got[256];
	size_t len = strlen(text);

	ck_assert_int_eq(recv(u.fd, got, len, MSG_WAITALL), (ssize_t)len);
	ck_assert_mem_eq(got, text, len);
}

static void hear_end(void)
{
	char c;

	ck_assert_int_eq(recv(u.fd, &c, 1, 0), 0);
}

START_TEST(echoes)
{
	u.is_echo = true;
	begin();
	say("one ");
	hear("one ");
	say("two");
	hear("two");
}
END_TEST

START_TEST(flushes_before_it_closes)
{
	u.closes_on_data = true;
	begin();
	say("x");
	hear("bye");
	hear_end();
	hang_up();
	wait_for(&u.closed);
	ck_assert_int_eq(u.why, CONN_END_LOCAL);
	ck_assert_uint_eq(u.data_calls, 1);
}
END_TEST

/* Unread bytes would make the kernel answer with RST and lose "bye". */
START_TEST(drops_what_comes_while_it_closes)
{
	char big[100000] = { 0 };

	u.closes_on_data = true;
	begin();
	for (int i = 0; i < 10; i++)
		(void)send(u.fd, big, sizeof(big), MSG_NOSIGNAL);
	hear("bye");
	hear_end();
	hang_up();
	wait_for(&u.closed);
	ck_assert_int_eq(u.why, CONN_END_LOCAL);
}
END_TEST

START_TEST(tells_the_end_of_input_once_and_still_writes)
{
	u.is_echo = true;
	u.closes_on_eof = true;
	begin();
	say("last");
	(void)shutdown(u.fd, SHUT_WR);
	hear("last");
	hear_end();
	wait_for(&u.closed);
	ck_assert_uint_eq(u.eof_calls, 1);
	ck_assert_int_eq(u.why, CONN_END_PEER);
}
END_TEST

START_TEST(tells_a_reset)
{
	struct linger now = { .l_onoff = 1, .l_linger = 0 };

	begin();
	(void)setsockopt(u.fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	hang_up();
	wait_for(&u.closed);
	ck_assert_int_eq(u.why, CONN_END_RESET);
	ck_assert_uint_eq(u.eof_calls, 0);
}
END_TEST

START_TEST(aborts_inside_a_callback)
{
	u.aborts_on_data = true;
	begin();
	say("x");
	wait_for(&u.closed);
	ck_assert_int_eq(u.why, CONN_END_MEMORY);
}
END_TEST

START_TEST(holds_no_more_than_its_limit)
{
	char chunk[16384] = { 0 };
	size_t sent = 0;

	u.is_hoarder = true;
	begin();
	/* Until the kernel's buffers are full too. */
	for (int idle = 0; idle < 5;) {
		ssize_t n = send(
		    u.fd, chunk, sizeof(chunk), MSG_NOSIGNAL | MSG_DONTWAIT);
		struct pollfd p = { .fd = u.fd, .events = POLLOUT };

		if (n > 0)
			sent += (size_t)n;
		else if (poll(&p, 1, 50) == 0)
			idle++;
	}
	onloop_call(u.loop, abort_on_loop, NULL);
	wait_for(&u.closed);
	ck_assert_uint_gt(sent, CONN_IN_MAX);
	ck_assert_uint_eq(u.most_held, CONN_IN_MAX);
}
END_TEST

static void resume_on_loop(void *ctx)
{
	size_t before = u.data_calls;

	(void)ctx;
	u.pauses_on_data = false;
	u.is_hoarder = false;
	conn_resume(u.conn);
	ck_assert_uint_eq(u.data_calls, before); /* never inside */
}

START_TEST(pauses_and_resumes_with_what_waits)
{
	u.pauses_on_data = true;
	u.is_hoarder = true;
	begin();
	say("first");
	wait_for(&u.event);
	say("second"); /* stays in the kernel */
	onloop_call(u.loop, resume_on_loop, NULL);
	for (size_t i = 0; i < 2; i++)
		wait_for(&u.event);
	ck_assert_uint_eq(u.data_calls, 3);
	ck_assert_uint_eq(u.got, strlen("firstsecond"));
}
END_TEST

START_TEST(pushes_back_on_its_writer)
{
	enum {
		FLOOD = 8 * 1024 * 1024
	};
	char chunk[65536];
	size_t got = 0;
	ssize_t n;

	u.flood = FLOOD;
	begin();
	while ((n = recv(u.fd, chunk, sizeof(chunk), 0)) > 0)
		got += (size_t)n;
	ck_assert_uint_eq(got, FLOOD);
	hang_up();
	wait_for(&u.closed);
	ck_assert(u.was_congested);
	ck_assert_uint_gt(u.drained_calls, 0);
}
END_TEST

START_TEST(sees_who_speaks_first)
{
	make_pair(&u.fd, &u.server_fd);
	struct conn *c =
	    conn_new_accepted(u.loop, u.server_fd, &accepted_from.any);
	struct pollfd p = { .fd = u.server_fd, .events = POLLIN };

	ck_assert(!conn_has_early_data(c));
	say("EHLO");
	ck_assert_int_eq(poll(&p, 1, PATIENCE_S * 1000), 1);
	ck_assert(conn_has_early_data(c));
	ck_assert_str_eq(conn_peer(c), "127.0.0.1");
	ck_assert_ptr_null(conn_tls_version(c));
	ck_assert_ptr_null(conn_tls_cipher(c));
	ck_assert_int_eq(conn_tls_bits(c), 0);
	ck_assert_str_eq(conn_tls_error(c), "");
	u.conn = c; /* tear_down aborts it */
}
END_TEST

/* --- TLS --- */

static SSL *client_tls(SSL_CTX **ctx)
{
	*ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl = SSL_new(*ctx);

	ck_assert_int_eq(SSL_set_fd(ssl, u.fd), 1);
	return ssl;
}

static void hear_tls(SSL *ssl, const char *text)
{
	char got[256];
	size_t len = strlen(text), have = 0;

	while (have < len) {
		int n = SSL_read(ssl, got + have, (int)(len - have));
		ck_assert_int_gt(n, 0);
		have += (size_t)n;
	}
	ck_assert_mem_eq(got, text, len);
}

START_TEST(speaks_tls_from_the_first_byte)
{
	SSL_CTX *ctx;
	char c;

	u.is_implicit = true;
	u.is_echo = true;
	u.closes_on_eof = true;
	begin();
	SSL *ssl = client_tls(&ctx);
	ck_assert_int_eq(SSL_connect(ssl), 1);
	hear_tls(ssl, "hello");
	ck_assert_int_eq(SSL_write(ssl, "again", 5), 5);
	hear_tls(ssl, "again");
	(void)SSL_shutdown(ssl);
	ck_assert_int_eq(SSL_read(ssl, &c, 1), 0);
	ck_assert_int_eq(SSL_get_error(ssl, 0), SSL_ERROR_ZERO_RETURN);
	wait_for(&u.closed);
	ck_assert_int_eq(u.why, CONN_END_PEER);
	ck_assert_uint_eq(u.tls_calls, 1);
	ck_assert_str_eq(u.version, "TLSv1.3");
	ck_assert_int_ge(u.bits, 128);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
}
END_TEST

/* As behind the header of a proxy, in the same packet. */
START_TEST(takes_a_handshake_that_has_begun)
{
	char bytes[4096] = "HEAD ";
	SSL_CTX *ctx;

	u.has_head = true;
	u.closes_on_eof = true;
	begin();
	SSL *ssl = client_tls(&ctx);
	BIO *hello = BIO_new(BIO_s_mem());
	SSL_set_bio(ssl, BIO_new(BIO_s_mem()), hello);
	ck_assert_int_eq(SSL_connect(ssl), -1);
	int len = 5 + BIO_read(hello, bytes + 5, sizeof(bytes) - 5);
	ck_assert_int_gt(len, 5);
	ck_assert_int_eq(send(u.fd, bytes, (size_t)len, MSG_NOSIGNAL), len);
	ck_assert_int_eq(SSL_set_fd(ssl, u.fd), 1);
	ck_assert_int_eq(SSL_connect(ssl), 1);
	hear_tls(ssl, "hello");
	ck_assert_uint_eq(u.tls_calls, 1);
	hang_up();
	wait_for(&u.closed);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
}
END_TEST

START_TEST(refuses_what_begins_no_handshake)
{
	u.has_head = true;
	begin();
	say("HEAD EHLO client.test\r\n");
	wait_for(&u.closed);
	ck_assert_int_eq(u.why, CONN_END_TLS);
	ck_assert_uint_eq(u.tls_calls, 0);
}
END_TEST

START_TEST(changes_to_tls_after_a_last_plain_word)
{
	SSL_CTX *ctx;

	u.starts_tls = true;
	begin();
	say("x");
	hear("go");
	SSL *ssl = client_tls(&ctx);
	ck_assert_int_eq(SSL_connect(ssl), 1);
	hear_tls(ssl, "hello");
	SSL_free(ssl);
	SSL_CTX_free(ctx);
}
END_TEST

START_TEST(floods_through_tls)
{
	enum {
		FLOOD = 4 * 1024 * 1024
	};
	SSL_CTX *ctx;
	char chunk[65536];
	size_t got = 0;
	int n;

	u.is_implicit = true;
	u.flood = FLOOD;
	begin();
	SSL *ssl = client_tls(&ctx);
	ck_assert_int_eq(SSL_connect(ssl), 1);
	while ((n = SSL_read(ssl, chunk, sizeof(chunk))) > 0)
		got += (size_t)n;
	ck_assert_uint_eq(got, FLOOD + strlen("hello"));
	hang_up();
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	wait_for(&u.closed);
}
END_TEST

/* Ciphertext in odd pieces, more than the buffer, read only now and then. */
START_TEST(takes_a_large_upload_through_tls)
{
	enum {
		SIZE = 3 * 1024 * 1024
	};
	static char big[SIZE];
	SSL_CTX *ctx;

	u.is_implicit = true;
	begin();
	SSL *ssl = client_tls(&ctx);
	ck_assert_int_eq(SSL_connect(ssl), 1);
	for (size_t at = 0; at < SIZE;) {
		size_t n = SIZE - at < 10007 ? SIZE - at : 10007;
		ck_assert_int_eq(SSL_write(ssl, big + at, (int)n), (int)n);
		at += n;
	}
	u.closes_on_eof = true;
	(void)SSL_shutdown(ssl);
	wait_for(&u.closed);
	ck_assert_uint_eq(u.got, SIZE);
	ck_assert_uint_le(u.most_held, CONN_IN_MAX + 17 * 1024);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
}
END_TEST

START_TEST(ends_a_failed_handshake_with_a_reason)
{
	u.is_implicit = true;
	begin();
	say("EHLO example.com\r\n");
	(void)shutdown(u.fd, SHUT_WR);
	wait_for(&u.closed);
	ck_assert_int_eq(u.why, CONN_END_TLS);
	ck_assert_uint_eq(u.tls_calls, 0);
}
END_TEST

START_TEST(ends_when_the_peer_leaves_the_handshake)
{
	u.is_implicit = true;
	begin();
	say("\x16\x03\x01");
	(void)shutdown(u.fd, SHUT_WR);
	wait_for(&u.closed);
	ck_assert_int_eq(u.why, CONN_END_PEER);
	ck_assert_uint_eq(u.eof_calls, 0);
}
END_TEST

static void free_at_once(void *ctx)
{
	(void)ctx;
	struct conn *c =
	    conn_new_accepted(u.loop, u.server_fd, &accepted_from.any);
	conn_abort(c, CONN_END_LOCAL); /* without ops, without start */
	conn_abort(c, CONN_END_LOCAL);
	/* An AF_UNIX socket is no TCP socket but a stream. */
	int pair[2];
	ck_assert_int_eq(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	c = conn_new_accepted(
	    u.loop, pair[0], &(struct sockaddr){ .sa_family = AF_UNIX });
	ck_assert_str_eq(conn_peer(c), "local");
	conn_write(c, "x", 1);
	conn_abort(c, CONN_END_LOCAL);
	(void)close(pair[1]);
}

START_TEST(can_end_before_it_began)
{
	make_pair(&u.fd, &u.server_fd);
	onloop_call(u.loop, free_at_once, NULL);
	hear_end();
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("conn");
	TCase *tc = tcase_create("connections");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 100);
	tcase_add_test(tc, echoes);
	tcase_add_test(tc, flushes_before_it_closes);
	tcase_add_test(tc, drops_what_comes_while_it_closes);
	tcase_add_test(tc, tells_the_end_of_input_once_and_still_writes);
	tcase_add_test(tc, tells_a_reset);
	tcase_add_test(tc, aborts_inside_a_callback);
	tcase_add_test(tc, holds_no_more_than_its_limit);
	tcase_add_test(tc, pauses_and_resumes_with_what_waits);
	tcase_add_test(tc, pushes_back_on_its_writer);
	tcase_add_test(tc, sees_who_speaks_first);
	tcase_add_test(tc, speaks_tls_from_the_first_byte);
	tcase_add_test(tc, takes_a_handshake_that_has_begun);
	tcase_add_test(tc, refuses_what_begins_no_handshake);
	tcase_add_test(tc, changes_to_tls_after_a_last_plain_word);
	tcase_add_test(tc, floods_through_tls);
	tcase_add_test(tc, takes_a_large_upload_through_tls);
	tcase_add_test(tc, ends_a_failed_handshake_with_a_reason);
	tcase_add_test(tc, ends_when_the_peer_leaves_the_handshake);
	tcase_add_test(tc, can_end_before_it_began);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
