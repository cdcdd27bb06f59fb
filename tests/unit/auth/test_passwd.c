/* `postern passwd` from the outside: what goes in and what comes out. */
#include <support/unit.h>

#include <auth/password.h>
#include <cli/cli.h>

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

struct run {
	int code;
	char out[1024], err[1024];
};

static int saved[3];

static FILE *redirect(int fd)
{
	FILE *f = tmpfile();

	ck_assert_ptr_nonnull(f);
	saved[fd] = dup(fd);
	ck_assert_int_ge(dup2(fileno(f), fd), 0);
	return f;
}

static void restore(int fd, FILE *f, char text[1024])
{
	ck_assert_int_ge(dup2(saved[fd], fd), 0);
	(void)close(saved[fd]);
	if (text) {
		rewind(f);
		text[fread(text, 1, 1023, f)] = '\0';
	}
	(void)fclose(f);
}

static struct run passwd(const char *input, const char *const *args)
{
	char copies[8][300], *argv[9] = { 0 };
	FILE *in, *out, *err;
	struct run r;
	int argc = 0;

	for (; args[argc]; argc++) {
		(void)snprintf(
		    copies[argc], sizeof(copies[argc]), "%s", args[argc]);
		argv[argc] = copies[argc];
	}
	(void)fflush(stdout);
	in = redirect(STDIN_FILENO);
	(void)fputs(input, in);
	rewind(in);
	out = redirect(STDOUT_FILENO);
	err = redirect(STDERR_FILENO);
	r.code = cli_passwd(argc, argv);
	(void)fflush(stdout);
	restore(STDERR_FILENO, err, r.err);
	restore(STDOUT_FILENO, out, r.out);
	restore(STDIN_FILENO, in, NULL);
	return r;
}

#define PASSWD(input, ...)                                                     \
	passwd(input, (const char *const[]){ "passwd", __VA_ARGS__ NULL })

static struct span first_line(const char *text)
{
	struct span rest = span_of(text);

	return span_cut(&rest, '\n');
}

START_TEST(makes_a_record_of_one_line_of_input)
{
	static const char *const inputs[] = { "open sesame\n", "open sesame",
		"open sesame\r\n", "open sesame\nsecond line\n" };
	struct run r = PASSWD(inputs[_i], );

	ck_assert_int_eq(r.code, 0);
	ck_assert_str_eq(r.err, "");
	ck_assert_int_eq(
	    password_verify(first_line(r.out), SPAN("open sesame")), 0);
}
END_TEST

START_TEST(makes_up_a_password)
{
	struct run r = PASSWD("", "--generate", ), second;
	struct span password = span_from(first_line(r.err), 10);

	ck_assert_int_eq(r.code, 0);
	ck_assert(span_starts_with(span_of(r.err), SPAN("password: ")));
	ck_assert_uint_eq(password.len, 26);
	ck_assert_int_eq(password_verify(first_line(r.out), password), 0);
	second = PASSWD("", "--generate", );
	ck_assert_str_ne(r.err, second.err);
}
END_TEST

START_TEST(writes_what_the_configuration_reads)
{
	struct run r = PASSWD("x\n", "--user", "app'$1", );

	ck_assert_int_eq(r.code, 0);
	ck_assert_ptr_nonnull(
	    strstr(r.out, "users:\n  - name: 'app''$$1'\n"
			  "    password_hash: 'SCRAM-SHA-256$10000:"));
}
END_TEST

START_TEST(takes_the_iterations_asked_for)
{
	struct run r = PASSWD("x\n", "--iterations", "4096", );

	ck_assert_int_eq(r.code, 0);
	ck_assert(
	    span_starts_with(span_of(r.out), SPAN("SCRAM-SHA-256$4096:")));
}
END_TEST

static const struct {
	const char *args[3];
	const char *input;
	int code;
} refused[] = {
	{ { NULL }, "", 1 },
	{ { NULL }, "\n", 1 },
	{ { NULL }, "p\xc3\xa4ss\n", 1 },
	{ { NULL }, "tab\there\n", 1 },
	{ { "--iterations", "4095" }, "x\n", 2 },
	{ { "--iterations", "65537" }, "x\n", 2 },
	{ { "--iterations", "many" }, "x\n", 2 },
	{ { "--iterations" }, "x\n", 2 },
	{ { "--user" }, "x\n", 2 },
	{ { "--user", "" }, "x\n", 2 },
	{ { "--user", "two words" }, "x\n", 2 },
	{ { "--user", "line\nbreak" }, "x\n", 2 },
	{ { "--frobnicate" }, "x\n", 2 },
	{ { "secret" }, "x\n", 2 },
};

START_TEST(refuses_and_says_why)
{
	const char *args[4] = { "passwd", refused[_i].args[0],
		refused[_i].args[1], NULL };
	struct run r = passwd(refused[_i].input, args);

	ck_assert_int_eq(r.code, refused[_i].code);
	ck_assert_str_eq(r.out, "");
	ck_assert(span_starts_with(span_of(r.err), SPAN("postern passwd: ")));
}
END_TEST

START_TEST(refuses_a_line_without_end)
{
	char input[3000];
	struct run r;

	memset(input, 'x', sizeof(input) - 1);
	input[sizeof(input) - 1] = '\0';
	r = PASSWD(input, );
	ck_assert_int_eq(r.code, 1);
	input[PASSWORD_MAX] = '\0';
	r = PASSWD(input, );
	ck_assert_int_eq(r.code, 0);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("cli/passwd");
	TCase *t = tcase_create("all");

	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, makes_a_record_of_one_line_of_input, 0, 4);
	tcase_add_test(t, makes_up_a_password);
	tcase_add_test(t, writes_what_the_configuration_reads);
	tcase_add_test(t, takes_the_iterations_asked_for);
	tcase_add_loop_test(
	    t, refuses_and_says_why, 0, sizeof(refused) / sizeof(refused[0]));
	tcase_add_test(t, refuses_a_line_without_end);
	suite_add_tcase(suite, t);
	return suite;
}

UNIT_MAIN(make_suite)
