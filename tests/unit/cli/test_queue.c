/* What the words of `postern queue` mean. */
#include <string.h>

#include <cli/queue.h>
#include <support/unit.h>

enum {
	WORDS = 16
};

static struct cli_queue q;
static char *argv[WORDS];
static char line[256];

/* "queue" and the words of text, which are parted by spaces. */
static bool parse(const char *text)
{
	int argc = 0;
	char *at = line, *word;

	cli_admin_finish(&q.admin);
	memset(&q, 0, sizeof(q));
	(void)snprintf(line, sizeof(line), "queue %s", text);
	while ((word = strsep(&at, " ")))
		if (*word)
			argv[argc++] = word;
	return cli_queue_parse(&q, argc, argv);
}

START_TEST(refuses_what_makes_no_sense)
{
	static const char *const lines[] = { "", "frobnicate", "ls id", "show",
		"show --user a", "show id --all", "retry", "hold",
		"rm --reason x", "rm id --all", "rm id --user a",
		"hold id --force", "ls --force", "ls --reason x", "ls --all",
		"ls --dry-run", "ls --user", "rm id --dry-run", "ls --frob",
		"ls -o xml", "ls --socket" };

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		ck_assert_msg(!parse(lines[i]), "%s", lines[i]);
}
END_TEST

START_TEST(takes_ids_between_options)
{
	ck_assert(parse("retry one --reason why two -o json three"));
	ck_assert_int_eq(q.verb, CLI_QUEUE_RETRY);
	ck_assert_uint_eq(q.id_count, 3);
	ck_assert_str_eq(q.ids[0], "one");
	ck_assert_str_eq(q.ids[1], "two");
	ck_assert_str_eq(q.ids[2], "three");
	ck_assert_str_eq(q.reason, "why");
	ck_assert(q.admin.is_json);
}
END_TEST

START_TEST(takes_filters_by_their_names)
{
	ck_assert(parse("hold --state pending --user u --sender s "
			"--recipient r --provider p --provider-id i "
			"--message-id m"));
	static const char *const values[] = { "pending", "u", "s", "r", "p",
		"i", "m" };
	for (size_t i = 0; i < CLI_QUEUE_FILTERS; i++)
		ck_assert_str_eq(q.filters[i], values[i]);
	ck_assert(cli_queue_has_filter(&q));
	ck_assert(parse("hold --all --dry-run"));
	ck_assert(!cli_queue_has_filter(&q));
	ck_assert(q.is_all && q.is_dry);
}
END_TEST

START_TEST(knows_what_cannot_be_taken_back)
{
	static const struct {
		const char *line;
		bool is_destructive;
	} cases[] = {
		{ "rm id", true },
		{ "expire id", true },
		{ "retry id --force", true },
		{ "retry id", false },
		{ "hold id", false },
		{ "release id", false },
		{ "ls", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ck_assert(parse(cases[i].line));
		ck_assert(
		    cli_queue_is_destructive(&q) == cases[i].is_destructive);
	}
	ck_assert(parse("rm id"));
	ck_assert_str_eq(cli_queue_action(q.verb), "drop");
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("cli/queue");
	TCase *t = tcase_create("queue");

	tcase_add_test(t, refuses_what_makes_no_sense);
	tcase_add_test(t, takes_ids_between_options);
	tcase_add_test(t, takes_filters_by_their_names);
	tcase_add_test(t, knows_what_cannot_be_taken_back);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(make_suite)
