/* Verb and arguments, and what no command holds. */
#include <smtp/command.h>

#include <errno.h>

#include <support/unit.h>

static const struct {
	const char *line, *verb, *args;
} good[] = {
	{ "", "", "" },
	{ "QUIT", "QUIT", "" },
	{ "quit  ", "quit", "" },
	{ "MAIL FROM:<a@b> SIZE=1", "MAIL", "FROM:<a@b> SIZE=1" },
	{ "EHLO   host  ", "EHLO", "host" },
	{ " QUIT", "", "QUIT" },
	{ "NOOP \xc3\xa9", "NOOP", "\xc3\xa9" },
};

START_TEST(takes_a_line_apart)
{
	struct smtp_command cmd;

	ck_assert_int_eq(smtp_command_parse(span_of(good[_i].line), &cmd), 0);
	ck_assert(span_eq(cmd.verb, span_of(good[_i].verb)));
	ck_assert(span_eq(cmd.args, span_of(good[_i].args)));
}
END_TEST

START_TEST(refuses_controls_and_broken_utf8)
{
	static const struct span bad[] = {
		{ "A\0B", 3 },
		{ "A\rB", 3 },
		{ "A\nB", 3 },
		{ "A\tB", 3 },
		{ "A\x1b[1m", 5 },
		{ "A\x7f", 2 },
		{ "A\xc3", 2 },
		{ "A\xc0\x80", 3 },
		{ "A\xff", 2 },
	};
	struct smtp_command cmd;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_int_eq(smtp_command_parse(bad[i], &cmd), -EILSEQ);
}
END_TEST

static bool is_foreign(const char *line)
{
	struct smtp_command cmd;

	ck_assert_int_eq(smtp_command_parse(span_of(line), &cmd), 0);
	return smtp_command_is_foreign(&cmd);
}

START_TEST(knows_other_protocols)
{
	ck_assert(is_foreign("GET / HTTP/1.1"));
	ck_assert(is_foreign("POST /x HTTP/1.0"));
	ck_assert(is_foreign("CONNECT a:1 HTTP/1.1"));
	ck_assert(is_foreign("PRI * HTTP/2.0"));
	ck_assert(is_foreign("Host: x"));
	ck_assert(!is_foreign("EHLO x"));
	ck_assert(!is_foreign("MAIL FROM:<a@b>"));
	ck_assert(!is_foreign(""));
	ck_assert(!is_foreign(":"));
	ck_assert(!is_foreign("GETTING"));
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("command");
	TCase *tc = tcase_create("lines");

	tcase_add_loop_test(
	    tc, takes_a_line_apart, 0, (int)(sizeof(good) / sizeof(good[0])));
	tcase_add_test(tc, refuses_controls_and_broken_utf8);
	tcase_add_test(tc, knows_other_protocols);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
