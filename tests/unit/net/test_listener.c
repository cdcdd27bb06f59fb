/* Opening, sharing and closing of listening sockets; accepting. */
#include <net/listener.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <net/conn.h>
#include <support/onloop.h>
#include <support/unit.h>

static struct err err;

static int connect_to(int port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

START_TEST(shares_a_port_chosen_by_the_kernel)
{
	int fds[3];

	ck_assert_int_eq(listener_open("127.0.0.1:0", fds, 3, &err), 0);
	int port = listener_port(fds[0]);
	ck_assert_int_gt(port, 0);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(listener_port(fds[i]), port);
		(void)close(fds[i]);
	}
}
END_TEST

START_TEST(takes_the_usual_ways_to_write_an_address)
{
	static const char *const good[] = { "127.0.0.1:0", "[::1]:0", ":0",
		"localhost:0" };

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		int fd;
		int rc = listener_open(good[i], &fd, 1, &err);

		/* A machine without IPv6 may run this too. */
		if (rc == -EADDRNOTAVAIL || rc == -EAFNOSUPPORT)
			continue;
		ck_assert_msg(rc == 0, "%s: %s", good[i], err.text);
		(void)close(fd);
	}
}
END_TEST

START_TEST(refuses_other_ways_and_says_how)
{
	static const char *const bad[] = { "", "127.0.0.1", "::1:25", "[::1:25",
		"[]:25", "127.0.0.1:", "127.0.0.1:x", ":65536", ":-1", ": 25" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int fd;

		ck_assert_msg(
		    listener_open(bad[i], &fd, 1, &err) < 0, "%s", bad[i]);
		ck_assert_ptr_nonnull(strstr(err.text, "host:port"));
	}
}
END_TEST

START_TEST(says_what_is_wrong_with_an_address)
{
	int fd;

	ck_assert_int_eq(
	    listener_open("192.0.2.1:0", &fd, 1, &err), -EADDRNOTAVAIL);
	ck_assert_ptr_nonnull(strstr(err.text, "192.0.2.1:0"));
}
END_TEST

START_TEST(serves_both_families_without_a_host)
{
	int fd;

	ck_assert_int_eq(listener_open(":0", &fd, 1, &err), 0);
	(void)close(connect_to(listener_port(fd)));
	(void)close(fd);
}
END_TEST

/* --- accepting --- */

struct server {
	struct loop *loop;
	struct listener *listener;
	int fd;
	atomic_int accepted;
	char peer[64];
};

static void on_accept(struct conn *c, void *ctx)
{
	struct server *s = ctx;

	(void)snprintf(s->peer, sizeof(s->peer), "%s", conn_peer(c));
	atomic_fetch_add(&s->accepted, 1);
	conn_abort(c, CONN_END_LOCAL);
}

static void start(void *ctx)
{
	struct server *s = ctx;

	s->listener = listener_start(s->loop, s->fd, on_accept, s);
	ck_assert_ptr_nonnull(s->listener);
}

static void stop(void *ctx)
{
	struct server *s = ctx;

	listener_close(s->listener);
	s->listener = NULL;
}

static int server_start(struct server *s, const char *address)
{
	ck_assert_int_eq(listener_open(address, &s->fd, 1, &err), 0);
	int port = listener_port(s->fd);
	s->loop = onloop_start();
	onloop_call(s->loop, start, s);
	return port;
}

static void server_stop(struct server *s)
{
	onloop_call(s->loop, stop, s);
	onloop_stop(s->loop);
}

/* True when the peer closed before the deadline. */
static bool is_closed_soon(int fd, int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, timeout_ms) == 1;
}

START_TEST(accepts_many_at_once)
{
	enum {
		COUNT = 200
	};
	struct server s = { .loop = NULL };
	int fds[COUNT], port = server_start(&s, "127.0.0.1:0");

	for (int i = 0; i < COUNT; i++)
		fds[i] = connect_to(port);
	for (int i = 0; i < COUNT; i++) {
		ck_assert(is_closed_soon(fds[i], 10000));
		(void)close(fds[i]);
	}
	server_stop(&s);
	ck_assert_int_eq(atomic_load(&s.accepted), COUNT);
	ck_assert_str_eq(s.peer, "127.0.0.1");
}
END_TEST

START_TEST(names_an_ipv4_peer_of_an_ipv6_socket)
{
	struct server s = { .loop = NULL };
	int fd = connect_to(server_start(&s, ":0"));

	ck_assert(is_closed_soon(fd, 10000));
	(void)close(fd);
	server_stop(&s);
	ck_assert_str_eq(s.peer, "127.0.0.1");
}
END_TEST

/* Takes all descriptors; the process must live on and recover. */
START_TEST(rests_when_out_of_descriptors_and_recovers)
{
	struct server s = { .loop = NULL };
	int port = server_start(&s, "127.0.0.1:0"), spare[4096];
	struct rlimit was, low;
	size_t count = 0;

	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &was), 0);
	low = (struct rlimit){ 256, was.rlim_max };
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
	while (count < 4096 && (spare[count] = dup(fd)) >= 0)
		count++;
	struct sockaddr_in sa = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);

	ck_assert(!is_closed_soon(fd, 250));
	uint64_t turns = loop_turns(s.loop);
	ck_assert(!is_closed_soon(fd, 250));
	/* No spin: a handful of timer turns, not thousands. */
	ck_assert_uint_lt(loop_turns(s.loop) - turns, 100);
	while (count > 0)
		(void)close(spare[--count]);
	ck_assert(is_closed_soon(fd, 10000));
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &was), 0);
	(void)close(fd);
	server_stop(&s);
	ck_assert_int_eq(atomic_load(&s.accepted), 1);
}
END_TEST

START_TEST(stops_accepting_when_closed)
{
	struct server s = { .loop = NULL };
	int port = server_start(&s, "127.0.0.1:0");

	onloop_call(s.loop, stop, &s);
	struct sockaddr_in sa = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), -1);
	ck_assert_int_eq(errno, ECONNREFUSED);
	(void)close(fd);
	onloop_stop(s.loop);
	listener_close(NULL);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("listener");
	TCase *tc = tcase_create("sockets");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, shares_a_port_chosen_by_the_kernel);
	tcase_add_test(tc, takes_the_usual_ways_to_write_an_address);
	tcase_add_test(tc, refuses_other_ways_and_says_how);
	tcase_add_test(tc, says_what_is_wrong_with_an_address);
	tcase_add_test(tc, serves_both_families_without_a_host);
	tcase_add_test(tc, accepts_many_at_once);
	tcase_add_test(tc, names_an_ipv4_peer_of_an_ipv6_socket);
	tcase_add_test(tc, rests_when_out_of_descriptors_and_recovers);
	tcase_add_test(tc, stops_accepting_when_closed);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
