/* Opening, sharing and closing of listening sockets; accepting. */
#include <net/listener.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
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

static struct listener_set set;

/* Close what a test opened. */
static void tear_down(void)
{
	listener_set_finish(&set);
	set.count = 0;
}

/* A machine without IPv6 may run this, too. */
static bool has_ipv6(void)
{
	bool has = listener_open("[::1]:0", 1, &set, &err) == 0;

	tear_down();
	return has;
}

START_TEST(shares_a_port_chosen_by_the_kernel)
{
	ck_assert_int_eq(listener_open("127.0.0.1:0", 3, &set, &err), 0);
	ck_assert_uint_eq(set.count, 3);
	int port = listener_port(set.fds[0]);
	ck_assert_int_gt(port, 0);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(listener_port(set.fds[i]), port);
}
END_TEST

START_TEST(takes_the_usual_ways_to_write_an_address)
{
	static const char *const good[] = { "127.0.0.1:0", ":0", "localhost:0",
		"[::1]:0", "[::]:0" };
	size_t count = has_ipv6() ? 5 : 3;

	for (size_t i = 0; i < count; i++)
		ck_assert_msg(listener_open(good[i], 1, &set, &err) == 0,
		    "%s: %s", good[i], err.text);
}
END_TEST

START_TEST(refuses_other_ways_and_says_how)
{
	static const char *const bad[] = { "", "127.0.0.1", "::1:25", "[::1:25",
		"[]:25", "127.0.0.1:", "127.0.0.1:x", ":65536", ":-1", ": 25" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_msg(
		    listener_open(bad[i], 1, &set, &err) < 0, "%s", bad[i]);
		ck_assert_ptr_nonnull(strstr(err.text, "host:port"));
	}
	ck_assert_uint_eq(set.count, 0);
}
END_TEST

START_TEST(says_what_is_wrong_with_an_address)
{
	ck_assert_int_eq(
	    listener_open("192.0.2.1:0", 1, &set, &err), -EADDRNOTAVAIL);
	ck_assert_ptr_nonnull(strstr(err.text, "192.0.2.1:0"));
	ck_assert_int_lt(
	    listener_open("unix:/nonexistent/a", 1, &set, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.text, "unix:/nonexistent/a"));
}
END_TEST

START_TEST(serves_both_families_without_a_host)
{
	ck_assert_int_eq(listener_open(":0", 1, &set, &err), 0);
	(void)close(connect_to(listener_port(set.fds[0])));
}
END_TEST

START_TEST(leaves_ipv4_alone_where_ipv6_is_named)
{
	char v4[32];

	if (!has_ipv6())
		return;
	ck_assert_int_eq(listener_open("[::]:0", 1, &set, &err), 0);
	(void)snprintf(v4, sizeof(v4), "0.0.0.0:%d", listener_port(set.fds[0]));
	ck_assert_msg(listener_open(v4, 1, &set, &err) == 0, "%s", err.text);
}
END_TEST

START_TEST(listens_on_all_addresses_of_a_name)
{
	bool has_v4 = false, has_v6 = false;

	ck_assert_int_eq(listener_open("localhost:0", 2, &set, &err), 0);
	int port = listener_port(set.fds[0]);
	for (size_t i = 0; i < set.count; i++) {
		struct sockaddr_storage sa;
		socklen_t len = sizeof(sa);

		ck_assert_int_eq(listener_port(set.fds[i]), port);
		(void)getsockname(set.fds[i], (struct sockaddr *)&sa, &len);
		has_v4 |= sa.ss_family == AF_INET;
		has_v6 |= sa.ss_family == AF_INET6;
	}
	ck_assert_uint_eq(set.count, 2u * (has_v4 + has_v6));
	ck_assert(has_v4 || has_v6);
}
END_TEST

START_TEST(does_not_share_a_port_with_strangers)
{
	char address[32];

	ck_assert_int_eq(listener_open("127.0.0.1:0", 1, &set, &err), 0);
	(void)snprintf(address, sizeof(address), "127.0.0.1:%d",
	    listener_port(set.fds[0]));
	ck_assert_int_eq(listener_open(address, 1, &set, &err), -EADDRINUSE);
	ck_assert_uint_eq(set.count, 1);
}
END_TEST

/* --- sockets of the file system --- */

static char folder[64], address_unix[128];

static void set_up_folder(void)
{
	(void)snprintf(folder, sizeof(folder), "/tmp/listener.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	(void)snprintf(
	    address_unix, sizeof(address_unix), "unix:%s/socket", folder);
}

static void tear_down_folder(void)
{
	tear_down();
	(void)unlink(address_unix + strlen("unix:"));
	(void)rmdir(folder);
}

START_TEST(makes_one_socket_of_a_file)
{
	mode_t before = umask(077);
	struct stat st;

	ck_assert_int_eq(listener_open(address_unix, 3, &set, &err), 0);
	ck_assert_uint_eq(set.count, 1);
	ck_assert_int_eq(stat(address_unix + strlen("unix:"), &st), 0);
	ck_assert(S_ISSOCK(st.st_mode));
	ck_assert_uint_eq(st.st_mode & 0777, 0700);
	(void)umask(before);
	ck_assert_int_eq(listener_port(set.fds[0]), 0);
}
END_TEST

START_TEST(replaces_a_file_that_nobody_listens_on)
{
	ck_assert_int_eq(listener_open(address_unix, 1, &set, &err), 0);
	ck_assert_int_eq(
	    listener_open(address_unix, 1, &set, &err), -EADDRINUSE);
	tear_down(); /* the file stays */
	ck_assert_int_eq(listener_open(address_unix, 1, &set, &err), 0);
}
END_TEST

START_TEST(leaves_files_of_others_alone)
{
	const char *path = address_unix + strlen("unix:");
	FILE *f = fopen(path, "we");

	ck_assert_ptr_nonnull(f);
	(void)fclose(f);
	ck_assert_int_eq(
	    listener_open(address_unix, 1, &set, &err), -EADDRINUSE);
	ck_assert_int_eq(access(path, F_OK), 0);
}
END_TEST

/* --- sockets of other processes --- */

START_TEST(recognises_where_a_socket_is_bound)
{
	char address[64];

	ck_assert_int_eq(listener_open("127.0.0.1:0", 1, &set, &err), 0);
	ck_assert_int_eq(listener_open(address_unix, 1, &set, &err), 0);
	ck_assert_int_eq(listener_open(":0", 1, &set, &err), 0);
	int port = listener_port(set.fds[0]);
	(void)snprintf(address, sizeof(address), "127.0.0.1:%d", port);
	ck_assert(listener_is_at(set.fds[0], address));
	ck_assert(!listener_is_at(set.fds[1], address));
	(void)snprintf(address, sizeof(address), "127.0.0.2:%d", port);
	ck_assert(!listener_is_at(set.fds[0], address));
	(void)snprintf(address, sizeof(address), ":%d", port);
	ck_assert(!listener_is_at(set.fds[0], address));
	ck_assert(listener_is_at(set.fds[1], address_unix));
	ck_assert(!listener_is_at(set.fds[0], address_unix));
	ck_assert(!listener_is_at(set.fds[1], "unix:/other"));
	(void)snprintf(
	    address, sizeof(address), ":%d", listener_port(set.fds[2]));
	ck_assert(listener_is_at(set.fds[2], address));
}
END_TEST

START_TEST(adopts_only_what_listens)
{
	int pair[2], idle = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(listener_open("127.0.0.1:0", 1, &set, &err), 0);
	ck_assert_int_eq(listener_adopt(set.fds[0]), 0);
	ck_assert_int_eq(listener_adopt(idle), -EINVAL);
	ck_assert_int_eq(listener_adopt(udp), -EINVAL);
	ck_assert_int_eq(pipe(pair), 0);
	ck_assert_int_eq(listener_adopt(pair[0]), -ENOTSOCK);
	ck_assert_int_eq(listener_adopt(9999), -EBADF);
	(void)close(pair[0]);
	(void)close(pair[1]);
	(void)close(idle);
	(void)close(udp);
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
	ck_assert_int_eq(listener_open(address, 1, &set, &err), 0);
	s->fd = set.fds[--set.count];
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

static void drain(void *ctx)
{
	struct server *s = ctx;

	listener_drain(s->listener);
}

/* Without a turn of the loop between connecting and closing. */
START_TEST(drains_who_waits_to_be_accepted)
{
	struct server s = { .loop = NULL };
	int fds[20], port;
	char c;

	ck_assert_int_eq(listener_open("127.0.0.1:0", 1, &set, &err), 0);
	s.fd = set.fds[--set.count];
	port = listener_port(s.fd);
	for (size_t i = 0; i < 20; i++)
		fds[i] = connect_to(port);
	s.loop = onloop_start();
	onloop_call(s.loop, start, &s);
	onloop_call(s.loop, drain, &s);
	ck_assert_int_eq(atomic_load(&s.accepted), 20);
	for (size_t i = 0; i < 20; i++) {
		ck_assert_int_eq(recv(fds[i], &c, 1, 0), 0); /* no reset */
		(void)close(fds[i]);
	}
	server_stop(&s);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("listener");
	TCase *tc = tcase_create("sockets");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, set_up_folder, tear_down_folder);
	tcase_add_test(tc, shares_a_port_chosen_by_the_kernel);
	tcase_add_test(tc, takes_the_usual_ways_to_write_an_address);
	tcase_add_test(tc, refuses_other_ways_and_says_how);
	tcase_add_test(tc, says_what_is_wrong_with_an_address);
	tcase_add_test(tc, serves_both_families_without_a_host);
	tcase_add_test(tc, leaves_ipv4_alone_where_ipv6_is_named);
	tcase_add_test(tc, listens_on_all_addresses_of_a_name);
	tcase_add_test(tc, does_not_share_a_port_with_strangers);
	tcase_add_test(tc, makes_one_socket_of_a_file);
	tcase_add_test(tc, replaces_a_file_that_nobody_listens_on);
	tcase_add_test(tc, leaves_files_of_others_alone);
	tcase_add_test(tc, recognises_where_a_socket_is_bound);
	tcase_add_test(tc, adopts_only_what_listens);
	tcase_add_test(tc, accepts_many_at_once);
	tcase_add_test(tc, names_an_ipv4_peer_of_an_ipv6_socket);
	tcase_add_test(tc, rests_when_out_of_descriptors_and_recovers);
	tcase_add_test(tc, stops_accepting_when_closed);
	tcase_add_test(tc, drains_who_waits_to_be_accepted);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
