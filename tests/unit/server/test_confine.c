/*
 * What a confined process cannot do any more. Each case runs in a child of its
 * own, because there is no way back.
 */
#include <server/confine.h>

#include <support/unit.h>

#include <config/config.h>

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char home[] = "/tmp/confine-XXXXXX";
static char spool[64], sockets[64], outside[64], address[96];

static void set_up(void)
{
	ck_assert_ptr_nonnull(mkdtemp(home));
	(void)snprintf(spool, sizeof(spool), "%s/spool", home);
	(void)snprintf(sockets, sizeof(sockets), "%s/run", home);
	(void)snprintf(outside, sizeof(outside), "%s/file", home);
	(void)snprintf(address, sizeof(address), "unix:%s/smtp", sockets);
	ck_assert_int_eq(mkdir(spool, 0700), 0);
	ck_assert_int_eq(mkdir(sockets, 0700), 0);
	int fd = open(outside, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	(void)close(fd);
}

static void remove_in(const char *folder, const char *name)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	(void)unlink(path);
}

static void tear_down(void)
{
	remove_in(spool, "a");
	remove_in(sockets, "smtp");
	(void)unlink(outside);
	(void)rmdir(spool);
	(void)rmdir(sockets);
	ck_assert_int_eq(rmdir(home), 0);
	(void)snprintf(home, sizeof(home), "/tmp/confine-XXXXXX");
}

/* Exit code of a child that was confined before it ran act; or its signal. */
static int run_confined(int hardening, int (*act)(void))
{
	struct config_listener listener = { .address = address };
	struct config config = { .hardening = hardening,
		.spool.path = spool,
		.listeners = { .items = &listener, .count = 1 } };
	struct err e = { 0 };
	int status;
	pid_t child = fork();

	ck_assert_int_ge(child, 0);
	if (child == 0) {
		if (confine(&config, &e) != 0) {
			(void)fprintf(stderr, "%s\n", e.text);
			_exit(99);
		}
		_exit(act());
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) ? 256 + WTERMSIG(status)
				   : WEXITSTATUS(status);
}

static int write_file(const char *folder)
{
	char path[128];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/a", folder);
	fd = open(path, O_CREAT | O_RDWR | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return errno;
	return write(fd, "x", 1) == 1 && fdatasync(fd) == 0 ? 0 : 98;
}

static int write_spool(void)
{
	return write_file(spool);
}

static int write_home(void)
{
	return write_file(home);
}

static int change_outside(void)
{
	int fd = open(outside, O_WRONLY | O_CLOEXEC);

	return fd < 0 ? errno : 0;
}

static int read_outside(void)
{
	int fd = open(outside, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? errno : 0;
}

static int remove_outside(void)
{
	return unlink(outside) == 0 ? 0 : errno;
}

static int bind_socket(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/smtp", sockets);
	if (fd < 0)
		return errno;
	return bind(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0 ? 0 : errno;
}

static int execute(void)
{
	(void)execl("/bin/true", "true", (char *)NULL);
	return errno;
}

static int trace(void)
{
	return ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0 ? 0 : errno;
}

static int open_raw_socket(void)
{
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	return fd < 0 ? errno : 0;
}

static int make_namespace(void)
{
	long child =
	    syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, 0);

	if (child == 0)
		_exit(0);
	return child < 0 ? errno : 0;
}

static int make_namespace_otherwise(void)
{
	/* struct clone_args: flags, three more, exit_signal, three more */
	const uint64_t args[8] = { CLONE_NEWUSER, 0, 0, 0, SIGCHLD, 0, 0, 0 };
	long child = syscall(SYS_clone3, args, sizeof(args));

	if (child == 0)
		_exit(0);
	return child < 0 ? errno : 0;
}

static void *nothing(void *arg)
{
	return arg;
}

static int live_on(void)
{
	struct addrinfo *ai = NULL;
	pthread_t thread;

	if (pthread_create(&thread, NULL, nothing, NULL) != 0 ||
	    pthread_join(thread, NULL) != 0)
		return 1;
	if (getaddrinfo("localhost", "25", NULL, &ai) == 0)
		freeaddrinfo(ai);
	free(malloc(1 << 20));
	return 0;
}

static const struct confined_case {
	int (*act)(void);
	int want; /* errno, 0 for success */
} confined_cases[] = {
	{ live_on, 0 },
	{ write_spool, 0 },
	{ bind_socket, 0 },
	{ read_outside, 0 },
	{ write_home, EACCES },
	{ change_outside, EACCES },
	{ remove_outside, EACCES },
	{ execute, EPERM },
	{ trace, EPERM },
	{ open_raw_socket, EPERM },
	{ make_namespace, EPERM },
	{ make_namespace_otherwise, ENOSYS },
};

START_TEST(does_what_a_server_must_and_no_more)
{
	const struct confined_case *c = &confined_cases[_i];

	ck_assert_int_eq(run_confined(CONFIG_HARDENING_AUTO, c->act), c->want);
}
END_TEST

START_TEST(kills_where_it_is_told_to)
{
	ck_assert_int_eq(
	    run_confined(CONFIG_HARDENING_ON, execute), 256 + SIGSYS);
	ck_assert_int_eq(run_confined(CONFIG_HARDENING_ON, write_spool), 0);
	ck_assert_int_eq(run_confined(CONFIG_HARDENING_ON, live_on), 0);
}
END_TEST

START_TEST(leaves_all_open_where_it_is_off)
{
	ck_assert_int_eq(run_confined(CONFIG_HARDENING_OFF, execute), 0);
	ck_assert_int_eq(run_confined(CONFIG_HARDENING_OFF, change_outside), 0);
}
END_TEST

START_TEST(says_what_is_missing)
{
	(void)rmdir(spool);
	ck_assert_int_eq(run_confined(CONFIG_HARDENING_ON, live_on), 99);
	ck_assert_int_eq(run_confined(CONFIG_HARDENING_AUTO, live_on), 0);
	ck_assert_int_eq(mkdir(spool, 0700), 0);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("server/confine");
	TCase *t = tcase_create("confine");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_loop_test(t, does_what_a_server_must_and_no_more, 0,
	    sizeof(confined_cases) / sizeof(confined_cases[0]));
	tcase_add_test(t, kills_where_it_is_told_to);
	tcase_add_test(t, leaves_all_open_where_it_is_off);
	tcase_add_test(t, says_what_is_missing);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(suite)
